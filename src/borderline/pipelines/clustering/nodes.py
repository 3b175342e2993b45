"""The nodes of stage 4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from optuna.storages import BaseStorage
from torch import Tensor, nn

from borderline.measures.confusion import is_borderline
from borderline.measures.inference import embed, predict
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.clustering.figures import draw_clusters, draw_search
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS, ClusterModel, NoClusters, Recipe
from borderline.pipelines.clustering.scores import SCORES
from borderline.pipelines.clustering.search import (
    TRIAL_COLUMNS,
    best_first,
    combinations,
    finalists,
    neighbours_of,
    search,
    study_of,
)
from borderline.pipelines.clustering.stability import STABILITY_SCORES, Stability, measure_stability
from borderline.pipelines.clustering.structure import compare_with_clouds
from borderline.records import LabelledImages

_FINALIST_COLUMNS = (
    *("recipe", "chosen", "trial", "searched"),
    *SCORES,
    *STABILITY_SCORES,
    *RECIPE_COLUMNS,
)
_SCORE_COLUMNS = (
    *("images", "fitted", "recipe"),
    *SCORES,
    *STABILITY_SCORES,
    *("structure_p", "doubts", "note"),
)
_CLUSTER_COLUMNS = ("cluster", "images", "mean_p", "mean_probability", "stability")
_STABILITY_COLUMNS = ("cluster", "stability")
_STRUCTURE_COLUMNS = ("objective", "clouds", "clouds_mean", "clouds_most", "p_value", "doubt")
_REAL_COLUMNS = ("row", "label", "p", "cluster", "probability", "typicality")


def embed_borderline(
    borderline: dict[str, Tensor],
    classifier: nn.Module,
    clustering: ClusteringParams,
    run: RunParams,
) -> dict[str, Tensor]:
    """What the model's last layer sees of the borderline images.

    Returns:
        ``embeddings`` (n, D), and the rows that are ``fitted`` (m,): all, or a part of very many.
    """
    # A dry pass gives the width even where there is no image at all.
    images = borderline["images"]
    probe = torch.cat([images, images.new_zeros(1, *images.shape[1:])])
    embeddings = embed(classifier, probe, run.torch_device())[:-1]
    drawn = torch.randperm(len(images), generator=run.generator("fitted images"))
    fitted = drawn[: clustering.fit_size].sort().values
    return {"embeddings": embeddings, "fitted": fitted}


def search_clusters(
    embeddings: dict[str, Tensor],
    study_storage: BaseStorage,
    clustering: ClusteringParams,
    run: RunParams,
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """The table of the search's trials and that of the combinations, after each trial.

    Both are without a figure for too few images.
    """
    if _too_few(embeddings, clustering):
        trials = pd.DataFrame(columns=list(TRIAL_COLUMNS))
        yield trials, combinations(trials, clustering)
        return
    for trials in search(_fitted(embeddings), study_storage, clustering, run):
        yield trials, combinations(trials, clustering)


def plot_search(
    embeddings: dict[str, Tensor],
    trials: pd.DataFrame,
    study_storage: BaseStorage,
    clustering: ClusteringParams,
    run: RunParams,
) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Optuna's pictures of the search: its history, what mattered, and slices of the space."""
    study = study_of(_fitted(embeddings), study_storage, clustering, run) if len(trials) else None
    return draw_search(study, clustering.trials)


def choose_recipe(
    embeddings: dict[str, Tensor],
    trials: pd.DataFrame,
    clustering: ClusteringParams,
    run: RunParams,
) -> tuple[dict[str, str], pd.DataFrame, pd.DataFrame]:
    """Fit the best recipes of the search in full, and choose the best that is stable.

    Returns:
        The recipe with a ``doubt`` where it is not stable, or a ``note`` why there is none; the
        table of those that were fitted, the best first; and the stability of each cluster of the
        chosen one.
    """
    limit = clustering.stability.least
    rows: list[dict[str, Any]] = []
    found: list[Stability] = []
    stable = False
    for model, scores in finalists(trials, _fitted(embeddings), clustering, run):
        row: dict[str, Any] = {"recipe": str(model.recipe), "chosen": False, **scores}
        if not stable:
            found.append(measure_stability(model, clustering.stability, run))
            row |= found[-1].as_row()
            stable = limit is None or row["ari_resamples"] >= limit
        rows.append(row | model.recipe.as_row())
    table = pd.DataFrame(rows, columns=list(_FINALIST_COLUMNS))
    if not rows:
        recipe = {"note": _why_none(embeddings, trials, clustering)}
        return recipe, table, pd.DataFrame(columns=list(_STABILITY_COLUMNS))
    chosen = len(found) - 1 if stable else int(table["ari_resamples"].argmax())
    table.loc[chosen, "chosen"] = True
    doubt = (
        ""
        if stable
        else f"none of the {len(rows)} best recipes finds its clusters again with the adjusted "
        f"Rand index of {limit} that clustering.stability.least asks for, and the most stable one "
        f"has {table['ari_resamples'][chosen]:.2f}"
    )
    recipe = {
        **{name: str(table[name][chosen]) for name in RECIPE_COLUMNS},
        "note": "",
        "doubt": doubt,
    }
    each = pd.DataFrame(enumerate(found[chosen].of_clusters), columns=list(_STABILITY_COLUMNS))
    return recipe, table, each


def compare_with_noise(
    embeddings: dict[str, Tensor],
    finalists: pd.DataFrame,
    clustering: ClusteringParams,
    run: RunParams,
) -> pd.DataFrame:
    """Whether the clusters stand out from clouds without any: one row, with a ``doubt`` if not."""
    if finalists.empty:
        return pd.DataFrame([dict.fromkeys(_STRUCTURE_COLUMNS)])
    recipes = [Recipe.of_row(row) for _, row in finalists.iterrows()]
    found = compare_with_clouds(_fitted(embeddings), recipes, clustering, run)
    clouds = np.array(found.clouds)
    reached = clouds[np.isfinite(clouds)]
    doubt = (
        ""
        if found.p_value <= clustering.structure.level
        else "there is no evidence of separate patterns, for clouds without any look as clear (p = "
        f"{found.p_value:.2f}, {len(clouds)} clouds), so they may be pieces of one"
        if len(clouds)
        else f"there is no evidence of separate patterns, for {clustering.structure.images} of the "
        "images show none"
    )
    values = (
        *(found.value, len(clouds), reached.mean() if len(reached) else None),
        *(reached.max() if len(reached) else None, found.p_value, doubt),
    )
    return pd.DataFrame([dict(zip(_STRUCTURE_COLUMNS, values, strict=True))])


def cluster_borderline(
    borderline: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    recipe: dict[str, str],
    finalists: pd.DataFrame,
    cluster_stability: pd.DataFrame,
    structure: pd.DataFrame,
    clustering: ClusteringParams,
    run: RunParams,
) -> tuple[dict[str, Tensor], ClusterModel | NoClusters, pd.DataFrame, pd.DataFrame, Figure]:
    """The clusters that the chosen recipe finds.

    Returns:
        ``labels`` (n,), -1 for noise and where nothing was clustered, their ``probability`` (n,)
        and ``reduced`` (n, d); the model that assigns new images; the scores as one row, with the
        ``doubts`` about the clusters and a ``note`` that says why there are none; one row for
        each cluster; and a figure of the clusters' images.
    """
    images, p = borderline["images"], borderline["probabilities"]
    vectors, fitted = embeddings["embeddings"].numpy(), embeddings["fitted"].numpy()
    model: ClusterModel | NoClusters = NoClusters()
    scores: dict[str, Any] = {}
    if not recipe["note"]:
        neighbours = neighbours_of(vectors[fitted], clustering, run)
        found = Recipe.of_row(recipe).fit(vectors[fitted], neighbours, clustering.epochs, run)
        assert found is not None, "choose_recipe fitted the same"
        model = found
        chosen = finalists[finalists["chosen"]].iloc[0]
        scores = {
            **{name: chosen[name] for name in ("recipe", *SCORES, *STABILITY_SCORES)},
            "structure_p": structure["p_value"].iloc[0],
            "doubts": "; ".join(
                filter(None, (structure["doubt"].fillna("").iloc[0], recipe["doubt"]))
            ),
        }
    labels, probability, reduced = (
        torch.from_numpy(part) for part in _everywhere(model, vectors, fitted)
    )
    row = {"images": len(images), "fitted": len(fitted), "clusters": 0, "recipe": "", "doubts": ""}
    scores_table = pd.DataFrame(
        [row | scores | {"note": recipe["note"]}], columns=list(_SCORE_COLUMNS)
    )
    of_clusters = pd.DataFrame(
        [
            {
                "cluster": cluster,
                "images": int((labels == cluster).sum()),
                "mean_p": p[labels == cluster].double().mean().item(),
                "mean_probability": probability[labels == cluster].mean().item(),
                "stability": stability,
            }
            for cluster, stability in enumerate(cluster_stability["stability"])
        ],
        columns=list(_CLUSTER_COLUMNS),
    )
    captions = [
        f"{row.cluster}: {row.images} images\nstability {row.stability:.2f}"
        for row in of_clusters.itertuples()
    ]
    title = "The patterns: images of each cluster, framed by the model's opinion"
    figure = draw_clusters(images, p, labels, captions, title)
    clusters = {"labels": labels, "probability": probability, "reduced": reduced}
    return clusters, model, scores_table, of_clusters, figure


def assign_real_images(
    pair_test: LabelledImages,
    classifier: nn.Module,
    cluster_model: ClusterModel | NoClusters,
    cluster_sizes: pd.DataFrame,
    confusion: ConfusionParams,
    run: RunParams,
) -> tuple[pd.DataFrame, Figure]:
    """Which pattern each real test image in the band falls into.

    Returns:
        One row an image, the surest first in each cluster: its ``row`` among the test images, its
        ``label``, the model's ``p``, its ``cluster`` (-1 for none), the ``probability`` of that,
        and its ``typicality`` among the images that were clustered; and a figure of them.
    """
    device = run.torch_device()
    p = predict(classifier, pair_test["images"], device)
    rows = is_borderline(p, confusion.band).nonzero()[:, 0]
    images = pair_test["images"][rows]
    if len(rows):
        vectors = embed(classifier, images, device).numpy()
        labels, probability, _ = cluster_model.assign(vectors)
        typicality = cluster_model.typicality(vectors)
    else:
        labels, probability = np.zeros(0, dtype=np.int64), np.zeros(0)
        typicality = np.zeros(0)
    order = np.lexsort((-probability, labels))
    told = (rows.numpy(), pair_test["labels"][rows].numpy(), p[rows].numpy())
    values = (*told, labels, probability, typicality)
    table = pd.DataFrame(
        dict(zip(_REAL_COLUMNS, (value[order] for value in values), strict=True)),
    )
    counts = np.bincount(labels[labels >= 0], minlength=len(cluster_sizes))
    captions = [f"{cluster}: {count} images" for cluster, count in enumerate(counts)]
    shown = torch.from_numpy(labels[order])
    title = "Real test images in the band, by the pattern that they fall into"
    return table, draw_clusters(images[order], p[rows][order], shown, captions, title)


def _fitted(embeddings: dict[str, Tensor]) -> np.ndarray:
    vectors: np.ndarray = embeddings["embeddings"][embeddings["fitted"]].numpy()
    return vectors


def _everywhere(
    model: ClusterModel | NoClusters, vectors: np.ndarray, fitted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and places of all images: as fitted, the others as assigned."""
    if isinstance(model, NoClusters):
        return model.assign(vectors)
    others = np.setdiff1d(np.arange(len(vectors)), fitted)
    own = model.clusters.labels, model.clusters.probabilities(model.points), model.points
    every = []
    for mine, theirs in zip(own, model.assign(vectors[others]), strict=True):
        whole = np.empty((len(vectors), *mine.shape[1:]), dtype=mine.dtype)
        whole[fitted], whole[others] = mine, theirs
        every.append(whole)
    labels, probability, reduced = every
    return labels, probability, reduced


def _why_none(
    embeddings: dict[str, Tensor], trials: pd.DataFrame, clustering: ClusteringParams
) -> str:
    few = _too_few(embeddings, clustering)
    if few or len(best_first(trials)):
        return few or "none of the recipes holds when it is fitted in full"
    reasons = trials["state"][trials["reduction"].notna()].value_counts()
    return (
        f"none of the {clustering.trials} trials found clusters that can be used (most often: "
        f"{reasons.index[0]})"
    )


def _too_few(embeddings: dict[str, Tensor], clustering: ClusteringParams) -> str:
    count, least = len(embeddings["embeddings"]), clustering.fewest_images
    if count < least:
        return (
            f"only {count} of the {least} borderline images that clustering.fewest_images asks for"
        )
    distinct = len(np.unique(_fitted(embeddings), axis=0))
    if distinct < least:
        return (
            f"the model tells only {distinct} of its borderline images apart, and "
            f"clustering.fewest_images asks for {least}"
        )
    return ""
