"""Settings of the stage: ``parameters_report.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class ReportParams(Params):
    """The amount of images on the page.

    Attributes:
        samples: Images of each generator.
        patterns: Patterns with all details, the largest first; others show only the prototype.
        members: Images of each cluster, the most similar to the prototype.
        real_images: Real test images of each kind: borderline, errors, near a cluster.
        license: The license of the models under test for their cards, as model hubs name it.
    """

    samples: int = Field(ge=1)
    patterns: int = Field(ge=1)
    members: int = Field(ge=0)
    real_images: int = Field(ge=1)
    license: str | None
