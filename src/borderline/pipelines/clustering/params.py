"""Settings of the stage: ``parameters_clustering.yml``."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from borderline.params import Params, check_can_tell, distinct

ReductionKind = Literal["umap", "tsne", "pca", "none"]
ClusteringKind = Literal["gmm", "hdbscan", "kmeans", "ward", "dbscan"]
Covariance = Literal["full", "tied", "diag", "spherical"]
Score = Literal[
    "silhouette",
    "silhouette_original",
    "dbcv",
    "bic",
    "reproducibility",
    "davies_bouldin",
    "davies_bouldin_original",
]
WEIGHED = ("silhouette", "silhouette_original", "dbcv", "davies_bouldin", "davies_bouldin_original")
"""The scores that may be weighed against each other."""
MOST_PAIRWISE = 20_000
"""Images to fit with Ward or DBSCAN, which keep the distances of all pairs: 1.6 GB for so many."""


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


VarianceRange = Annotated[
    tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=0, lt=1)]],
    AfterValidator(_ordered),
]


def _at_most_three(dimensions: tuple[int, int]) -> tuple[int, int]:
    if dimensions[1] > 3:
        raise ValueError("t-SNE has at most 3 dimensions")
    return dimensions


def _all_or_some(also: object) -> object:
    if not isinstance(also, int) or (also < 1 and also is not False):
        raise ValueError("it must be true, false, or a number of pairs, at least 1")
    return also


class UmapSpace(Params):
    """Search space of UMAP; both bounds of each range are included (Gomes et al. 2024)."""

    n_neighbors: IntRange
    min_dist: ShareRange
    n_components: IntRange


class TsneSpace(Params):
    """Search space of t-SNE (Gomes et al. 2024: perplexity 5 to 30, two dimensions).

    Barnes-Hut, which makes t-SNE fast, has at most three dimensions.
    """

    perplexity: IntRange
    n_components: Annotated[IntRange, AfterValidator(_at_most_three)] = (2, 2)


class ComponentsSpace(Params):
    """Range of the dimensions of PCA, or of the clusters of a Gaussian mixture."""

    n_components: IntRange


class PcaSpace(ComponentsSpace):
    """The dimensions of PCA, or where it is given, the range of their share of the variance."""

    variance: VarianceRange | None = None


class GmmSpace(ComponentsSpace):
    """The clusters of a Gaussian mixture, and the kinds of covariance to try."""

    covariance: Annotated[tuple[Covariance, ...], Field(min_length=1), AfterValidator(distinct)] = (
        "full",
    )


class KMeansSpace(Params):
    """Range of the clusters of k-means, or of Ward's method."""

    n_clusters: IntRange


class HdbscanSpace(Params):
    """Search space of HDBSCAN; clusters nearer than one of the epsilons are not split.

    ``selection`` has the ways to try in which the clusters are taken from the tree.
    """

    min_cluster_size: IntRange
    min_samples: int = Field(ge=1)
    cluster_selection_epsilon: Annotated[
        tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1), AfterValidator(distinct)
    ]
    selection: Annotated[
        tuple[Literal["leaf", "eom"], ...], Field(min_length=1), AfterValidator(distinct)
    ] = ("leaf",)


class DbscanSpace(Params):
    """Search space of DBSCAN.

    Attributes:
        eps: Radii to try, in medians of the distance of a point to the ``min_samples``-th nearest
            one, which Ester et al. (1996) read the radius from: 1 makes half of the points core
            points in any space.
        min_samples: Range of the points within the radius of a core point, itself included.
    """

    eps: Annotated[
        tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1), AfterValidator(distinct)
    ]
    min_samples: IntRange


class StabilityParams(Params):
    """How the stability of a recipe is measured.

    Attributes:
        resamples: Bootstrap resamples to fit it on, beside the fits with other ``seeds``.
        images: Most images of each of these fits.
        least: Mean adjusted Rand index over the resamples of a stable recipe. The best stable
            recipe wins, or where none is stable, the most stable one; None for no limit.
    """

    resamples: int = Field(ge=2)
    seeds: int = Field(ge=1)
    images: int = Field(ge=20)
    least: float | None = Field(ge=0, le=1)


class StructureParams(Params):
    """How the clusters are tested against Gaussian clouds without clusters.

    Attributes:
        clouds: Number of clouds, at least 19 for a level of .05.
        level: Above this p-value, the run reports that there is no evidence of clusters.
    """

    clouds: int = Field(ge=1)
    images: int = Field(ge=20)
    level: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _can_tell(self) -> StructureParams:
        check_can_tell("clouds", self.clouds, self.level)
        return self


class ReproducibilityParams(Params):
    """When a number of clusters is reproducible, for the objective of that name.

    Attributes:
        splits: Random splits of the images into halves that are clustered apart.
        least: Least prediction strength over the halves and without any one generator or GAN
            (Tibshirani and Walther 2005: .8 to .9).
        valley: Largest relative density between two clusters; 1 is no valley, 0 a gap.
        artefact: A cluster is an artefact of a generator or of a GAN that makes at least this share
            of its images.
    """

    splits: int = Field(ge=1)
    least: float = Field(gt=0, le=1)
    valley: float = Field(gt=0, lt=1)
    artefact: float = Field(gt=0.5, le=1)


class ExemplarsParams(Params):
    """How many exemplars stand for a continuum.

    Attributes:
        most: Largest number.
        least_gain: An exemplar must close at least this share of the gap which the first exemplar
            leaves between the mean similarity and 1.
    """

    most: int = Field(ge=2)
    least_gain: float = Field(ge=0, lt=1)


class ClusteringParams(Params):
    """How the borderline images are clustered.

    Attributes:
        fewest_images: Fewest borderline images for a search.
        together: Whether the borderline images of all generators are clustered together, so that
            the clusters are the model's and not those of one generator; else those of the chosen
            one.
        pool: Borderline images of each generator, for that and for the comparison of generators.
        trials: Reductions that the search tries; all clusterings are tried on each.
        pairs: The pairs of a reduction and a clustering to search, in place of all combinations of
            ``reductions`` and ``clusterings``; None for all combinations.
        also: Whether the best recipe of each pair gets prototypes and a map beside the winner's;
            a number for so many pairs, the best first.
        alone: Generators whose borderline images are also clustered alone, whichever is chosen;
            those that are not in the grid do not count.
        objective: Score to maximise: ``silhouette`` (in the reduced space, noise a cluster, as in
            Gomes et al. 2024), ``silhouette_original`` (cosine, in the embedding space, without
            noise), ``dbcv``, ``bic`` (its negative, for ``none`` and ``gmm`` only),
            ``reproducibility`` (the largest number of clusters that is found again, not for
            ``hdbscan`` and ``dbscan``), ``davies_bouldin`` and ``davies_bouldin_original`` (the
            negatives of the index in the same two spaces, because a lower index is better), or the
            weights of several of ``WEIGHED``.
        search_epochs: Epochs of UMAP during the search (t-SNE: five iterations each).
        finalists: Number of best recipes that are fitted in full, with ``epochs``.
        fit_size: Most images to fit on, drawn at random; the other images are assigned.
        score_size: Most images to score, drawn at random.
        images_per_pattern: Distinct images for each pattern or exemplar: with 40 distinct
            borderline images and a value of 10 there are at most 4. Distinct real training images
            count in the same way, because generators only learn from them.
        fewest_in_cluster: Fewest images of a cluster; a recipe with a smaller one never wins.
        most_noise: Largest share of noise of a recipe that may win.
        most_in_cluster: Largest share of the clustered images in one cluster, for the same; above
            it, the other clusters are a few outliers.
    """

    fewest_images: int = Field(ge=10)
    together: bool
    pool: int = Field(ge=20)
    trials: int = Field(ge=1)
    reductions: Annotated[tuple[ReductionKind, ...], Field(min_length=1), AfterValidator(distinct)]
    clusterings: Annotated[
        tuple[ClusteringKind, ...], Field(min_length=1), AfterValidator(distinct)
    ]
    pairs: (
        Annotated[
            tuple[tuple[ReductionKind, ClusteringKind], ...],
            Field(min_length=1),
            AfterValidator(distinct),
        ]
        | None
    ) = None
    objective: Score | dict[Score, float]
    search_epochs: int = Field(ge=10)
    finalists: int = Field(ge=1)
    epochs: int = Field(ge=10)
    fit_size: int = Field(ge=100)
    score_size: int = Field(ge=50)
    images_per_pattern: int = Field(ge=1)
    fewest_in_cluster: int = Field(ge=3)
    most_noise: float = Field(ge=0, lt=1)
    most_in_cluster: float = Field(gt=0.5, le=1)
    umap: UmapSpace
    tsne: TsneSpace
    pca: PcaSpace
    gmm: GmmSpace
    kmeans: KMeansSpace
    hdbscan: HdbscanSpace
    ward: KMeansSpace = KMeansSpace(n_clusters=(2, 15))
    dbscan: DbscanSpace = DbscanSpace(eps=(0.75, 1, 1.5, 2, 3), min_samples=(4, 10))
    reproducibility: ReproducibilityParams
    stability: StabilityParams
    structure: StructureParams
    exemplars: ExemplarsParams
    also: Annotated[bool | int, BeforeValidator(_all_or_some)] = False
    alone: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()
    _most_patterns: int | None = PrivateAttr(default=None)

    @field_validator("objective", mode="before")
    @classmethod
    def _same_scale(cls, objective: Any) -> Any:
        if isinstance(objective, dict):
            if objective.keys() - set(WEIGHED) or not objective:
                names = f"{', '.join(WEIGHED[:-1])} and {WEIGHED[-1]}"
                raise ValueError(f"its weights must be of {names}")
            for name, weight in objective.items():
                if not isinstance(weight, int | float) or not 0 < weight < math.inf:
                    raise ValueError(
                        f"the weight of {name} is {weight!r}, and not a number above 0"
                    )
        return objective

    @model_validator(mode="after")
    def _comparable(self) -> ClusteringParams:
        kinds = set(self.searched_clusterings)
        if self.objective == "bic" and self.combinations != (("none", "gmm"),):
            raise ValueError(
                "objective 'bic' compares likelihoods, which only mixtures in one and the same "
                "space have: set reductions to [none] and clusterings to [gmm] with it"
            )
        if self.objective == "reproducibility" and (own := sorted(kinds & {"hdbscan", "dbscan"})):
            raise ValueError(
                "objective 'reproducibility' chooses the number of clusters, which "
                f"{' and '.join(own).upper()} {'finds' if len(own) == 1 else 'find'} itself: take "
                f"{' and '.join(own)} out of clusterings with it"
            )
        pairwise = sorted(kinds & {"ward", "dbscan"})
        if pairwise and self.fit_size > MOST_PAIRWISE:
            raise ValueError(
                f"fit_size is {self.fit_size}, but {' and '.join(pairwise)} keep the distances of "
                f"all pairs of images: set fit_size to {MOST_PAIRWISE} or less with them"
            )
        return self

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Read the settings of a cluster model, perhaps from before some of them existed."""
        stored = {n: dict(v) if isinstance(v, Params) else v for n, v in state["__dict__"].items()}
        current = type(self).model_validate(stored)
        super().__setstate__({**state, "__dict__": current.__dict__})

    @property
    def combinations(self) -> tuple[tuple[ReductionKind, ClusteringKind], ...]:
        """The pairs of a reduction and a clustering that are searched."""
        return self.pairs or tuple(itertools.product(self.reductions, self.clusterings))

    @property
    def searched_reductions(self) -> tuple[ReductionKind, ...]:
        """The reductions of all pairs."""
        return tuple(dict.fromkeys(reduction for reduction, _ in self.combinations))

    @property
    def searched_clusterings(self) -> tuple[ClusteringKind, ...]:
        """The clusterings of all pairs."""
        return tuple(dict.fromkeys(clustering for _, clustering in self.combinations))

    @property
    def weights(self) -> dict[Score, float]:
        """The objective as weights of scores."""
        return dict(self.objective) if isinstance(self.objective, dict) else {self.objective: 1.0}

    @property
    def most_patterns(self) -> int | None:
        """The number of patterns that the images can carry; None where it is not known."""
        return self._most_patterns

    @property
    def most_exemplars(self) -> int:
        """The largest number of exemplars of a continuum."""
        limits = (self.exemplars.most, self.most_patterns)
        return min(limit for limit in limits if limit is not None)

    def limited_to(self, patterns: int) -> Self:
        """The same settings for images that can carry this number of patterns."""
        copy = self.model_copy()
        copy._most_patterns = patterns
        return copy
