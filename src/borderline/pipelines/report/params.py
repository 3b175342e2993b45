"""Settings of the stage: ``parameters_report.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class ReportParams(Params):
    """How much the page shows.

    Attributes:
        samples: Images of each generator.
        patterns: In full, the largest first; of the others, the prototype.
        members: Images of each cluster, those most like the prototype.
        real_images: Real test images of each kind: borderline ones, errors, those in a cluster.
        license: Of the models under test, for their cards, by the name that model hubs know.
    """

    samples: int = Field(ge=1)
    patterns: int = Field(ge=1)
    members: int = Field(ge=0)
    real_images: int = Field(ge=1)
    license: str | None = None
