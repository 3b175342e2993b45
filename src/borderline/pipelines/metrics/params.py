"""Settings of the stage: ``parameters_metrics.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class MetricsParams(Params):
    """How generators are judged.

    Attributes:
        histogram_bins: Bins of the histogram of p.
        choose: The rule that picks a model's generator: ``max_yield`` (the highest yield, the
            lower ``fd_lenet`` breaking ties), ``min_fd_lenet`` (the lowest Fréchet distance of all
            images), or the name of a generator.
        most_borderline: Borderline images of the chosen generator that the next stages get, at
            most.
    """

    histogram_bins: int = Field(ge=2)
    choose: str
    most_borderline: int = Field(ge=1)
