"""Settings of the stage: ``parameters_clustering.yml``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from borderline.params import Params


def _ordered(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    if bounds[0] > bounds[1]:
        raise ValueError("the first bound must not be above the second")
    return bounds


IntRange = Annotated[
    tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]], AfterValidator(_ordered)
]
ShareRange = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]],
    AfterValidator(_ordered),
]


class UmapSpace(Params):
    """Where UMAP's settings are searched; both bounds are included (Gomes et al. 2024).

    Attributes:
        n_neighbors: Size of the neighbourhood that is kept together.
        min_dist: How close points may lie in the reduced space.
        n_components: Dimensions of the reduced space.
    """

    n_neighbors: IntRange
    min_dist: ShareRange
    n_components: IntRange


class GmmSpace(Params):
    """Where the Gaussian mixture's settings are searched; both bounds are included.

    Attributes:
        n_components: Number of clusters.
    """

    n_components: IntRange


class ClusteringParams(Params):
    """How patterns are searched for.

    Attributes:
        fewest_images: With fewer borderline images there is no search, and the run says so.
        trials: Recipes that the search tries (Gomes et al. 2024: 25).
        umap: The space of the reductions.
        gmm: The space of the clusterings.
    """

    fewest_images: int = Field(ge=10)
    trials: int = Field(ge=1)
    umap: UmapSpace
    gmm: GmmSpace
