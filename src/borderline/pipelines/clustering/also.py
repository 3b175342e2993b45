"""The best recipe of each pair of a reduction and a clustering, beside the winner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from optuna.storages import BaseStorage
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits
from torch import Tensor

from borderline.params import RunParams
from borderline.pipelines.clustering.carrying import limited, too_few
from borderline.pipelines.clustering.clusterings import NOISE
from borderline.pipelines.clustering.membership import label_all
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import Groups, find_artefacts
from borderline.pipelines.clustering.recipe import RECIPE_COLUMNS, ClusterModel, Recipe
from borderline.pipelines.clustering.reductions import neighbours_of
from borderline.pipelines.clustering.scores import SCORES, Scorer, degenerate, more_scores
from borderline.pipelines.clustering.search import combinations, fitted_vectors, search
from borderline.records import WINNER, Clusters, Embeddings


def fit_pairs(
    combinations: pd.DataFrame,
    vectors: np.ndarray,
    params: ClusteringParams,
    run: RunParams,
    groups: Groups,
) -> tuple[dict[str, ClusterModel], pd.DataFrame]:
    """Fit the best recipe of each pair in full.

    Args:
        combinations: The best trial of each pair, best first; those without clusters come last.
        vectors: The embeddings that clusterings are fitted on, (m, D).
        params: The settings; ``also`` limits the number of pairs.
        run: Gives the seeds.
        groups: The rows of each generator and GAN, whose artefacts are no clusters.

    Returns:
        The models by pair, ``<reduction>_<clustering>``, and a row for each pair: its recipe and
        its scores, or a ``note`` why it has no clusters.
    """
    models: dict[str, ClusterModel] = {}
    rows: list[dict[str, Any]] = []
    neighbours = neighbours_of(vectors, params) if len(vectors) else None
    scorer = Scorer(vectors, params, run.seed_for("scored images"), groups)
    for _, best in combinations[: None if params.also is True else params.also].iterrows():
        name = f"{best['reduction']}_{best['clustering']}"
        rows.append({"combination": name, "note": best["note"]})
        if pd.isna(best["objective"]):
            continue
        recipe = Recipe.of_row(best)
        rows[-1] |= {"recipe": str(recipe), **recipe.as_row()}
        model = recipe.fit(vectors, neighbours, params, run)
        reason = "no fit" if model is None else degenerate(model.clusters.labels, params)
        if model is None or reason:
            rows[-1]["note"] = f"fitted with clustering.epochs: {reason}"
            continue
        with threadpool_limits(1):
            rows[-1] |= scorer.in_space(model.points).all(model.clusters)
        in_pool, share = model.assign(vectors)[0], params.reproducibility.artefact
        models[name] = replace(model, artefacts=find_artefacts(in_pool, groups, share))
    columns = ["combination", "recipe", *SCORES, *more_scores(params), *RECIPE_COLUMNS, "note"]
    return models, pd.DataFrame(rows, columns=columns)


def search_alone(
    embeddings: Embeddings, storage: BaseStorage, params: ClusteringParams, run: RunParams
) -> pd.DataFrame:
    """Search the clusters of one generator's borderline images, and fit the best of each pair.

    Returns:
        The table of ``fit_pairs``, the best objective first, with the number of ``images``; one row
        with a ``note`` where there are too few of them.
    """
    params = limited(params.model_copy(update={"together": False, "also": True}), embeddings)
    count, note = len(embeddings["embeddings"]), too_few(embeddings, params)
    if note:
        return pd.DataFrame([{"images": count, "note": note}])
    vectors = fitted_vectors(embeddings, {}, params)
    *_, trials = search(vectors, storage, params, run)
    _, table = fit_pairs(combinations(trials, params), vectors, params, run, {})
    return table.assign(images=count).sort_values("objective", ascending=False, kind="stable")


def label_pairs(
    embeddings: Embeddings,
    models: Mapping[str, ClusterModel],
    winner: Clusters,
    *,
    together: bool,
) -> dict[str, Clusters]:
    """The clusters of all borderline images by each pair.

    They have the numbers of the winner's clusters that they share most images with, so that equal
    patterns have equal numbers and colours.
    """
    labelled = {}
    for name, model in models.items():
        clusters = label_all(embeddings, model, together=together)
        clusters["labels"] = numbered_like(winner["labels"], clusters["labels"])
        labelled[name] = clusters
    return labelled


def numbered_like(winner: Tensor, labels: Tensor) -> Tensor:
    """Labels (n,) with the numbers of the best matching clusters of the winner (n,).

    The matching shares most images (Kuhn 1955). Further clusters have the numbers after all of the
    winner's; -1 stays.
    """
    names, others = (values.unique() for values in (labels[labels >= 0], winner[winner >= 0]))
    shared = (labels[:, None] == names).double().T @ (winner[:, None] == others).double()
    rows, columns = linear_sum_assignment(shared.numpy(), maximize=True)
    numbers = dict(zip(names[rows].tolist(), others[columns].tolist(), strict=True))
    after = int(winner.max()) + 1 if len(winner) else 0
    for name in names.tolist():
        numbers.setdefault(name, after + sum(number >= after for number in numbers.values()))
    return torch.tensor([numbers.get(label, NOISE) for label in labels.tolist()]).long()


def agreement(winner: Clusters, labelled: Mapping[str, Clusters]) -> pd.DataFrame:
    """The adjusted Rand indices of the winner and all pairs, in [-1, 1]; noise is a cluster."""
    labels = {WINNER: winner["labels"], **{n: each["labels"] for n, each in labelled.items()}}
    table = {
        name: [adjusted_rand_score(one.numpy(), other.numpy()) for other in labels.values()]
        for name, one in labels.items()
    }
    return pd.DataFrame({"combination": list(labels), **table})


def describe_pairs(
    scores: pd.DataFrame,
    labelled: Mapping[str, Clusters],
    agreements: pd.DataFrame,
    recipe: Mapping[str, str],
) -> pd.DataFrame:
    """The table of the pairs: number, sizes and noise are of all borderline images, without
    artefacts; ``chosen`` is the winner's recipe, ``ari_winner`` the agreement with it."""
    table = scores.copy()
    table["chosen"] = [
        all(row[name] == recipe.get(name) for name in RECIPE_COLUMNS) for _, row in table.iterrows()
    ]
    with_winner = dict(zip(agreements["combination"], agreements[WINNER], strict=True))
    table["ari_winner"] = table["combination"].map(with_winner)
    table = table.astype({"sizes": object})
    for row, name in enumerate(table["combination"]):
        if name in labelled:
            labels = labelled[name]["labels"]
            counts = labels[labels >= 0].unique(return_counts=True)[1].tolist()
            table.loc[row, "clusters"] = len(counts)
            table.loc[row, "noise"] = (labels < 0).double().mean().item()
            table.loc[row, "sizes"] = " ".join(map(str, counts))
    first = ["combination", "chosen", "ari_winner"]
    return table[[*first, *(name for name in table if name not in first)]]
