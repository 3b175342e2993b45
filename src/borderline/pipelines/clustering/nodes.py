"""The nodes of stage 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from borderline.streaming import streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import plotly.graph_objects as go
    from matplotlib.figure import Figure
    from optuna.storages import BaseStorage
    from pandas import DataFrame
    from torch import nn

    from borderline.boundary import Boundary
    from borderline.params import RunParams
    from borderline.pipelines.clustering.params import ClusteringParams
    from borderline.pipelines.clustering.recipe import ClusterModel, NoClusters
    from borderline.records import (
        Clusters,
        CombinationClusters,
        Embeddings,
        LabelledImages,
        Part,
        Parts,
        Pool,
        RealView,
    )


def pool_borderline(
    classifier: nn.Module,
    judge: nn.Module,
    boundary: Boundary,
    *,
    clustering: ClusteringParams,
    run: RunParams,
    **images: Parts,
) -> Pool:
    """The first borderline images of every generator, as model and judge see them, and others.

    ``images`` are those of the generators, by ``<generator>.images``.
    """
    from borderline.measures.inference import embed
    from borderline.sampling import first_borderline

    made = {name.removesuffix(".images"): parts for name, parts in images.items() if len(parts)}
    most = min(clustering.pool, clustering.fit_size // max(len(made), 1))
    pool: Pool = {}
    for name, parts in made.items():
        chosen = first_borderline(parts, boundary, 2 * most)["images"]
        for field, network in (("embeddings", classifier), ("features", judge)):
            if len(chosen):
                seen = embed(network, chosen, run.torch_device())
                pool[f"{name}.{field}"] = seen[:most]
                pool[f"{name}.other_{field}"] = seen[most:]
    return pool


def embed_borderline(
    borderline: Part,
    classifier: nn.Module,
    pair_train: LabelledImages,
    *,
    clustering: ClusteringParams,
    run: RunParams,
) -> Embeddings:
    """Embed the borderline images, draw those that clusterings are fitted on, and count all."""
    import torch

    from borderline.measures.distinct import count_distinct
    from borderline.measures.inference import embed

    images = borderline["images"]
    # The extra image gives the width of an embedding even where there is no borderline image.
    padded = torch.cat([images, images.new_zeros(1, *images.shape[1:])])
    embeddings = embed(classifier, padded, run.torch_device())[:-1]
    drawn = torch.randperm(len(images), generator=run.generator("fitted images"))
    borderline_images = count_distinct(images)
    # More training images than borderline ones are no limit.
    training_images = count_distinct(pair_train["images"], most=len(images))
    return {
        "embeddings": embeddings,
        "fitted": drawn[: clustering.fit_size].sort().values,
        "distinct": torch.tensor([borderline_images, training_images]),
    }


@streams(
    "trials_table",
    step="trial",
    first=0,
    total=lambda clustering: clustering.trials,
    best="objective",
)
def search_clusters(
    embeddings: Embeddings,
    study_storage: BaseStorage,
    pool: Pool,
    *,
    clustering: ClusteringParams,
    gans: dict[str, int],
    run: RunParams,
) -> Iterator[tuple[DataFrame, DataFrame]]:
    """Yield the tables of trials and combinations after each trial; none with too few images."""
    from borderline.pipelines.clustering import search
    from borderline.pipelines.clustering.carrying import limited, too_few
    from borderline.pipelines.clustering.pool import groups_of

    clustering = limited(clustering, embeddings)
    vectors = search.fitted_vectors(embeddings, pool, clustering)
    groups = groups_of(pool, gans) if clustering.together else {}
    tables = search.search(vectors, study_storage, clustering, run, groups)
    if too_few(embeddings, clustering):
        tables = iter([search.no_trials(clustering)])
    for trials in tables:
        yield trials, search.combinations(trials, clustering)


def plot_search(
    embeddings: Embeddings,
    trials_table: DataFrame,
    study_storage: BaseStorage,
    pool: Pool,
    *,
    clustering: ClusteringParams,
    run: RunParams,
) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Draw Optuna's charts of the search: history, importances, and slices of the space."""
    from borderline.pipelines.clustering.carrying import limited
    from borderline.pipelines.clustering.figures import draw_search
    from borderline.pipelines.clustering.search import fitted_vectors, study_of

    clustering = limited(clustering, embeddings)
    if trials_table.empty:
        return draw_search(None, clustering.trials)
    vectors = fitted_vectors(embeddings, pool, clustering)
    study = study_of(vectors, study_storage, clustering, run)
    return draw_search(study, clustering.trials)


def choose_recipe(
    embeddings: Embeddings,
    trials_table: DataFrame,
    pool: Pool,
    *,
    clustering: ClusteringParams,
    gans: dict[str, int],
    run: RunParams,
) -> tuple[dict[str, str], DataFrame, DataFrame]:
    """Fit the best recipes in full, and choose one; a ``note`` says why there is none."""
    from borderline.pipelines.clustering.carrying import limited
    from borderline.pipelines.clustering.finalists import choose, fit_finalists
    from borderline.pipelines.clustering.pool import groups_of
    from borderline.pipelines.clustering.search import fitted_vectors, why_no_recipe

    clustering = limited(clustering, embeddings)
    vectors = fitted_vectors(embeddings, pool, clustering)
    groups = groups_of(pool, gans) if clustering.together else {}
    fitted = fit_finalists(trials_table, vectors, clustering, run, groups)
    recipe, finalists, cluster_stability = choose(fitted, clustering, run)
    if not fitted:
        recipe = {"note": why_no_recipe(embeddings, trials_table, clustering)}
    return recipe, finalists, cluster_stability


def compare_with_noise(
    embeddings: Embeddings,
    finalists_table: DataFrame,
    recipe: Mapping[str, str],
    pool: Pool,
    *,
    clustering: ClusteringParams,
    run: RunParams,
) -> DataFrame:
    """Test the clusters against clouds without clusters; one row, with a ``doubt`` or none.

    The row is empty where the recipe says already that the images are a continuum.
    """
    import pandas as pd

    from borderline.pipelines.clustering.carrying import limited
    from borderline.pipelines.clustering.recipe import Recipe
    from borderline.pipelines.clustering.search import fitted_vectors
    from borderline.pipelines.clustering.structure import STRUCTURE_COLUMNS, compare_with_clouds

    clustering = limited(clustering, embeddings)
    if finalists_table.empty or recipe.get("continuum"):
        return pd.DataFrame([dict.fromkeys(STRUCTURE_COLUMNS)])
    recipes = [Recipe.of_row(row) for _, row in finalists_table.iterrows()]
    vectors = fitted_vectors(embeddings, pool, clustering)
    structure = compare_with_clouds(vectors, recipes, clustering, run)
    return pd.DataFrame([structure.as_row(clustering.structure)])


def cluster_borderline(
    borderline: Part,
    embeddings: Embeddings,
    recipe: Mapping[str, str],
    finalists_table: DataFrame,
    cluster_stability_table: DataFrame,
    structure_table: DataFrame,
    judge: nn.Module,
    pool: Pool,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    clustering: ClusteringParams,
    gans: dict[str, int],
    run: RunParams,
) -> tuple[Clusters, Any, DataFrame, DataFrame, Figure]:
    """Cluster all borderline images with the chosen recipe, or choose exemplars of a continuum."""
    from borderline.measures.class_names import ClassNames
    from borderline.measures.inference import embed
    from borderline.pipelines.clustering import membership
    from borderline.pipelines.clustering.carrying import limited
    from borderline.pipelines.clustering.figures import draw_borderline
    from borderline.pipelines.clustering.search import fitted_vectors

    clustering = limited(clustering, embeddings)

    def features() -> np.ndarray:
        return embed(judge, borderline["images"], run.torch_device()).numpy()

    found = membership.find(
        *(embeddings, features, recipe, finalists_table, structure_table, pool, gans),
        *(clustering, run),
    )
    clusters = membership.label_all(embeddings, found.model, together=clustering.together)
    tables = recipe, finalists_table, structure_table
    fitted = len(fitted_vectors(embeddings, pool, clustering))
    together = clustering.together
    scores = membership.describe(embeddings, clusters, *tables, found, fitted, together=together)
    sizes = membership.sizes(borderline, clusters, cluster_stability_table, found.removed)
    figure = draw_borderline(
        borderline, clusters, sizes, ClassNames.of(pair_names), boundary["threshold"]
    )
    return clusters, found.model, scores, sizes, figure


def cluster_combinations(
    combinations_table: DataFrame,
    embeddings: Embeddings,
    clusters: Clusters,
    recipe: Mapping[str, str],
    pool: Pool,
    *,
    clustering: ClusteringParams,
    gans: dict[str, int],
    run: RunParams,
) -> tuple[CombinationClusters, DataFrame, DataFrame]:
    """Cluster all borderline images by the best recipe of each pair; compare them with the winner.

    Returns their clusters, the table of the pairs, and their adjusted Rand indices.
    """
    from borderline.pipelines.clustering import also
    from borderline.pipelines.clustering.carrying import limited
    from borderline.pipelines.clustering.pool import groups_of
    from borderline.pipelines.clustering.search import fitted_vectors

    clustering = limited(clustering, embeddings)
    vectors = fitted_vectors(embeddings, pool, clustering)
    groups = groups_of(pool, gans) if clustering.together else {}
    models, scores = also.fit_pairs(combinations_table, vectors, clustering, run, groups)
    together = clustering.together
    labelled = also.label_pairs(embeddings, models, clusters, together=together)
    agreements = also.agreement(clusters, labelled)
    stored: CombinationClusters = {
        f"{pair}.{field}": values  # type: ignore[misc]
        for pair, each in labelled.items()
        for field, values in each.items()
    }
    return stored, also.describe_pairs(scores, labelled, agreements, recipe), agreements


def cluster_alone(
    images: Parts,
    boundary: Boundary,
    classifier: nn.Module,
    pair_train: LabelledImages,
    study_storage: BaseStorage,
    *,
    clustering: ClusteringParams,
    run: RunParams,
) -> DataFrame:
    """Search the clusters of one generator's borderline images; the table of the pairs."""
    import pandas as pd

    from borderline.pipelines.clustering import also
    from borderline.sampling import first_borderline

    if not len(images):
        return pd.DataFrame([{"note": "the generator made no images"}])
    borderline = first_borderline(images, boundary, clustering.fit_size)
    embeddings = embed_borderline(
        borderline, classifier, pair_train, clustering=clustering, run=run
    )
    return also.search_alone(embeddings, study_storage, clustering, run)


def assign_real_images(
    pair_test: LabelledImages,
    real_view: RealView,
    cluster_model: ClusterModel | NoClusters,
    cluster_sizes_table: DataFrame,
    pair_names: dict[str, str],
    boundary: Boundary,
) -> tuple[DataFrame, Figure]:
    """Assign each borderline real test image to a cluster."""
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.clustering.exemplars import ExemplarModel
    from borderline.pipelines.clustering.figures import draw_real
    from borderline.pipelines.clustering.membership import assign_borderline

    table = assign_borderline(pair_test["labels"], real_view, cluster_model, boundary)
    figure = draw_real(
        *(pair_test["images"], table, len(cluster_sizes_table), ClassNames.of(pair_names)),
        threshold=boundary["threshold"],
        continuum=isinstance(cluster_model, ExemplarModel),
    )
    return table, figure
