"""Settings of the stage: ``parameters_clustering.yml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from borderline.params import Params, check_can_tell, distinct

ReductionKind = Literal["umap", "tsne", "pca", "none"]
ClusteringKind = Literal["gmm", "hdbscan", "kmeans"]
Score = Literal["silhouette", "silhouette_original", "dbcv", "bic", "reproducibility"]


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
    """Search space of UMAP; both bounds of each range are included (Gomes et al. 2024)."""

    n_neighbors: IntRange
    min_dist: ShareRange
    n_components: IntRange


class TsneSpace(Params):
    """Search space of t-SNE in two dimensions (Gomes et al. 2024: perplexity 5 to 30)."""

    perplexity: IntRange


class ComponentsSpace(Params):
    """Range of the dimensions of PCA, or of the clusters of a Gaussian mixture."""

    n_components: IntRange


class KMeansSpace(Params):
    """Search space of k-means."""

    n_clusters: IntRange


class HdbscanSpace(Params):
    """Search space of HDBSCAN; clusters nearer than one of the epsilons are not split."""

    min_cluster_size: IntRange
    min_samples: int = Field(ge=1)
    cluster_selection_epsilon: Annotated[
        tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1), AfterValidator(distinct)
    ]


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
        objective: Score to maximise: ``silhouette`` (in the reduced space, noise a cluster, as in
            Gomes et al. 2024), ``silhouette_original`` (cosine, in the embedding space, without
            noise), ``dbcv``, ``bic`` (its negative, for ``none`` and ``gmm`` only),
            ``reproducibility`` (the largest number of clusters that is found again, for ``gmm`` and
            ``kmeans`` only), or the weights of several of the first three.
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
    objective: Score | dict[Score, Annotated[float, Field(gt=0)]]
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
    pca: ComponentsSpace
    gmm: ComponentsSpace
    kmeans: KMeansSpace
    hdbscan: HdbscanSpace
    reproducibility: ReproducibilityParams
    stability: StabilityParams
    structure: StructureParams
    exemplars: ExemplarsParams
    _most_patterns: int | None = PrivateAttr(default=None)

    @field_validator("objective")
    @classmethod
    def _same_scale(cls, objective: Score | dict[Score, float]) -> Score | dict[Score, float]:
        alone = {"bic", "reproducibility"}
        if isinstance(objective, dict) and (alone & objective.keys() or not objective):
            raise ValueError("its weights must be of silhouette, silhouette_original and dbcv")
        return objective

    @model_validator(mode="after")
    def _comparable(self) -> ClusteringParams:
        if self.objective == "bic" and (self.reductions, self.clusterings) != (("none",), ("gmm",)):
            raise ValueError(
                "objective 'bic' compares likelihoods, which only mixtures in one and the same "
                "space have: set reductions to [none] and clusterings to [gmm] with it"
            )
        if self.objective == "reproducibility" and "hdbscan" in self.clusterings:
            raise ValueError(
                "objective 'reproducibility' chooses the number of clusters, which HDBSCAN finds "
                "itself: take hdbscan out of clusterings with it"
            )
        return self

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
