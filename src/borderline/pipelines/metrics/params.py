"""Settings of the stage: ``parameters_metrics.yml``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from borderline.measures.judges import Distance, Judges, Reference
from borderline.params import Params

RULES = ("knee", "min_acd", "max_yield")
"""The rules that choose a generator."""


class MetricsParams(Params):
    """Measures of the generators.

    Attributes:
        histogram_bins: Bins of the histogram of p.
        sample_size: Most images of a set for realism and diversity. All sets of a comparison are
            reduced to the size of the smallest.
        fewest_images: Sets with fewer images are not measured, and the tables say so.
        neighbours: k of precision, recall, density and coverage.
        resamples: Resamples of the bootstrap intervals.
        choose: The rule that picks a model's generator: ``knee`` (the bulge of the Pareto front of
            ``front`` and ACD), ``min_acd`` (the lowest ACD among those whose ``front`` is at most
            ``fd_at_most``), ``max_yield`` (the highest yield, the lower ``front`` of the borderline
            images breaking ties), or the name of a generator.
        fd_at_most: The bound of ``min_acd``; None for other rules.
        most_borderline: Most borderline images of the chosen generator for the next stages.
        epoch_judges: The judges that measure every epoch, as in ``grid.judges``; the model under
            test measures only step 2.
        epoch_reference: The real training images that epochs are compared with: those of the
            ``pair``, or of ``all`` classes.
        front: The Fréchet distance of the Pareto front and of the rules.
    """

    histogram_bins: int = Field(ge=2)
    sample_size: int = Field(ge=10)
    fewest_images: int = Field(ge=10)
    neighbours: int = Field(ge=1)
    resamples: int = Field(ge=20)
    choose: str
    fd_at_most: float | None = Field(gt=0)
    most_borderline: int = Field(ge=1)
    epoch_judges: Judges = ("lenet",)
    epoch_reference: Reference = "pair"
    front: Distance = "fd_lenet"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.fewest_images <= self.neighbours:
            raise ValueError(
                f"fewest_images ({self.fewest_images}) must be more than neighbours "
                f"({self.neighbours})"
            )
        if self.sample_size < self.fewest_images:
            raise ValueError(
                f"sample_size ({self.sample_size}) must be at least fewest_images "
                f"({self.fewest_images})"
            )
        if (self.choose == "min_acd") != (self.fd_at_most is not None):
            raise ValueError("choose: min_acd and fd_at_most go together: set both or neither")
        return self
