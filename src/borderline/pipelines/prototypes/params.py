"""Settings of the stage: ``parameters_prototypes.yml``."""

from __future__ import annotations

from pydantic import Field

from borderline.params import Params


class PrototypesParams(Params):
    """How prototypes are explained and drawn.

    Attributes:
        shap_samples: Random points on the way from the black image that GradientSHAP averages.
        map_neighbors: UMAP's neighbourhood for the 2D map.
    """

    shap_samples: int = Field(ge=1)
    map_neighbors: int = Field(ge=2)
