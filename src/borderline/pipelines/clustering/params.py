"""Settings of the stage: ``parameters_clustering.yml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from borderline.params import Params, check_can_tell, distinct

ReductionKind = Literal["umap", "tsne", "pca", "none"]
ClusteringKind = Literal["gmm", "hdbscan", "kmeans"]
Score = Literal["silhouette", "silhouette_original", "dbcv", "bic"]


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


class TsneSpace(Params):
    """Where t-SNE's settings are searched, always in two dimensions; both bounds are included.

    Attributes:
        perplexity: About how many neighbours are kept near (Gomes et al. 2024: 5 to 30).
    """

    perplexity: IntRange


class PcaSpace(Params):
    """Where the settings of the principal components are searched; both bounds are included.

    Attributes:
        n_components: Dimensions of the reduced space.
    """

    n_components: IntRange


class GmmSpace(Params):
    """Where the Gaussian mixture's settings are searched; both bounds are included.

    Attributes:
        n_components: Number of clusters.
    """

    n_components: IntRange


class KMeansSpace(Params):
    """Where the settings of k-means are searched; both bounds are included.

    Attributes:
        n_clusters: Number of clusters.
    """

    n_clusters: IntRange


class HdbscanSpace(Params):
    """Where HDBSCAN's settings are searched; both bounds are included.

    Attributes:
        min_cluster_size: Fewest images of a cluster.
        min_samples: Neighbours that a point in a dense place has.
        cluster_selection_epsilon: The values to try; clusters nearer than this are not split.
    """

    min_cluster_size: IntRange
    min_samples: int = Field(ge=1)
    cluster_selection_epsilon: Annotated[
        tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1), AfterValidator(distinct)
    ]


class StabilityParams(Params):
    """How the winning recipe is doubted.

    Attributes:
        resamples: Bootstrap resamples that it is fitted on again.
        seeds: Other seeds that it is fitted with again.
        images: Most images that it is fitted on again.
        least: The mean adjusted Rand index over the resamples from which on a recipe is stable;
            the best stable one wins, or where none is, the most stable one. None for no such
            limit.
    """

    resamples: int = Field(ge=2)
    seeds: int = Field(ge=1)
    images: int = Field(ge=20)
    least: float | None = Field(ge=0, le=1)


class StructureParams(Params):
    """How the clusters are tested against a cloud without any.

    Attributes:
        clouds: Clouds of Gaussian noise to compare with; 19 are the fewest that can tell at a
            level of .05.
        images: Most images that are compared.
        level: From this p-value on, the run says that there is no evidence of clusters.
    """

    clouds: int = Field(ge=1)
    images: int = Field(ge=20)
    level: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _can_tell(self) -> StructureParams:
        check_can_tell("clouds", self.clouds, self.level)
        return self


class ClusteringParams(Params):
    """How patterns are searched for.

    Attributes:
        fewest_images: With fewer borderline images there is no search, and the run says so.
        trials: Reductions that the search tries; all clusterings are tried on each.
        reductions: The kinds of reduction to search.
        clusterings: The kinds of clustering to search.
        objective: What is maximised: ``silhouette`` (in the reduced space, noise a cluster, as in
            Gomes et al. 2024), ``silhouette_original`` (cosine, in the embedding space, without
            noise), ``dbcv``, ``bic`` (its negative, for ``none`` and ``gmm`` only), or the weights
            of several of the first three.
        search_epochs: Epochs of UMAP during the search (t-SNE: five iterations each).
        finalists: How many of the best are then fitted again.
        epochs: Epochs of that.
        fit_size: Most images that are fitted, drawn at random; the others are assigned.
        score_size: Most images that are scored, drawn at random.
        fewest_in_cluster: A recipe with a smaller cluster never wins.
        most_noise: Nor does one with a larger share of noise.
        most_in_cluster: Nor one with a larger share of what is not noise in a single cluster,
            which is one cluster beside a few outliers.
        umap: The space of UMAP.
        tsne: The space of t-SNE.
        pca: The space of the principal components.
        gmm: The space of the Gaussian mixture.
        kmeans: The space of k-means.
        hdbscan: The space of HDBSCAN.
        stability: How the winner is fitted again.
        structure: How the winner is compared with noise.
    """

    fewest_images: int = Field(ge=10)
    trials: int = Field(ge=1)
    reductions: Annotated[tuple[ReductionKind, ...], Field(min_length=1), AfterValidator(distinct)]
    clusterings: Annotated[
        tuple[ClusteringKind, ...], Field(min_length=1), AfterValidator(distinct)
    ]
    objective: Score | dict[Score, Annotated[float, Field(gt=0)]]
    search_epochs: int = Field(ge=10)
    finalists: int = Field(ge=1)
    epochs: int = Field(ge=10)
    fit_size: int = Field(ge=100)
    score_size: int = Field(ge=50)
    fewest_in_cluster: int = Field(ge=3)
    most_noise: float = Field(ge=0, lt=1)
    most_in_cluster: float = Field(gt=0.5, le=1)
    umap: UmapSpace
    tsne: TsneSpace
    pca: PcaSpace
    gmm: GmmSpace
    kmeans: KMeansSpace
    hdbscan: HdbscanSpace
    stability: StabilityParams
    structure: StructureParams

    @field_validator("objective")
    @classmethod
    def _same_scale(cls, objective: Score | dict[Score, float]) -> Score | dict[Score, float]:
        if isinstance(objective, dict) and ("bic" in objective or not objective):
            raise ValueError("its weights must be of silhouette, silhouette_original and dbcv")
        return objective

    @model_validator(mode="after")
    def _comparable(self) -> ClusteringParams:
        if self.objective == "bic" and (self.reductions, self.clusterings) != (("none",), ("gmm",)):
            raise ValueError(
                "objective 'bic' compares likelihoods, which only mixtures in one and the same "
                "space have: set reductions to [none] and clusterings to [gmm] with it"
            )
        return self

    @property
    def weights(self) -> dict[Score, float]:
        """The objective as weights of scores."""
        return dict(self.objective) if isinstance(self.objective, dict) else {self.objective: 1.0}
