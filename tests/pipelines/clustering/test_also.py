from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from borderline import grid
from borderline.datasets import StudyStorage
from borderline.params import GeneratorParams, RunParams
from borderline.pipelines import clustering, prototypes, report
from borderline.pipelines.clustering.also import numbered_like, search_alone
from borderline.pipelines.clustering.nodes import cluster_combinations
from borderline.pipelines.clustering.search import COMBINATION_COLUMNS
from borderline.records import Clusters, Embeddings, clusters_of_pairs
from conftest import blobs, clustering_params

POINTS, TRUTH = blobs(30, 20, 15)
EMBEDDINGS: Embeddings = {"embeddings": torch.from_numpy(POINTS), "fitted": torch.arange(65)}
# The winner numbers the groups in another order, and leaves images out.
WINNER = torch.from_numpy(np.array([1, 2, 0])[TRUTH])
WINNER[:5] = -1
RECIPE = {
    "reduction": "none",
    "clustering": "kmeans",
    "reduction_settings": "{}",
    "clustering_settings": '{"n_clusters": 3}',
}


def combinations() -> pd.DataFrame:
    rows = [
        {"objective": 0.9, **RECIPE},
        {
            **{"objective": 0.8, "reduction": "pca", "clustering": "ward"},
            **{"reduction_settings": '{"variance": 0.9}'},
            **{"clustering_settings": '{"n_clusters": 4}'},
        },
        {
            **{"objective": 0.7, "reduction": "none", "clustering": "gmm"},
            **{"reduction_settings": "{}", "clustering_settings": '{"n_components": 20}'},
        },
        {"reduction": "none", "clustering": "hdbscan", "note": "57% noise"},
    ]
    return pd.DataFrame(rows, columns=list(COMBINATION_COLUMNS)).fillna({"note": ""})


def compare(run: RunParams, also: int) -> tuple[dict[str, Clusters], pd.DataFrame, pd.DataFrame]:
    none = torch.zeros(65)
    winner: Clusters = {"labels": WINNER, "probability": none, "reduced": none[:, None]}
    stored, table, agreement = cluster_combinations(
        *(combinations(), EMBEDDINGS, winner, RECIPE, {}),
        clustering=clustering_params(also=also),
        gans={},
        run=run,
    )
    return clusters_of_pairs(stored), table.set_index("combination"), agreement


def test_the_best_of_each_pair_is_compared_with_the_winner(run: RunParams) -> None:
    pairs, table, agreement = compare(run, also=True)
    assert list(pairs) == ["none_kmeans", "pca_ward"]
    kmeans, ward = (pairs[name] for name in pairs)
    assert torch.equal(kmeans["labels"][5:], WINNER[5:]), "the numbers are those of the winner"
    assert kmeans["labels"].unique().tolist() == [0, 1, 2]
    assert ward["labels"].unique().tolist() == [0, 1, 2, 3], "a further cluster has the next number"
    assert kmeans["reduced"].shape == (65, 10)
    assert table["chosen"].tolist() == [True, False, False, False]
    assert table["sizes"]["none_kmeans"] == "15 30 20"
    assert table["clusters"].tolist()[:2] == [3, 4]
    assert 0.8 < table["ari_winner"]["none_kmeans"] < 1, "noise is a cluster"
    assert agreement.set_index("combination").to_numpy().diagonal().tolist() == [1, 1, 1]
    assert agreement["winner"][1] == table["ari_winner"]["none_kmeans"]
    assert table["note"]["none_hdbscan"] == "57% noise"
    assert table["note"]["none_gmm"].startswith("fitted with clustering.epochs: more clusters than")


def test_a_number_keeps_the_best_pairs(run: RunParams) -> None:
    pairs, table, _ = compare(run, also=1)
    assert list(pairs) == list(table.index) == ["none_kmeans"]


@pytest.mark.parametrize(
    ("winner", "labels", "expected"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]),
        ([0, 0, 1, 1], [0, 1, 2, 3], [0, 2, 1, 3]),
        ([0, 0, 0, 1], [0, 0, -1, -1], [0, 0, -1, -1]),
        ([-1, -1], [0, 1], [0, 1]),
        ([], [], []),
    ],
)
def test_clusters_are_numbered_like_the_winner(
    winner: list[int], labels: list[int], expected: list[int]
) -> None:
    numbered = numbered_like(torch.tensor(winner).long(), torch.tensor(labels).long())
    assert numbered.tolist() == expected


@pytest.mark.parametrize("also", [False, True])
def test_nodes_and_pages_are_there_only_where_they_are_asked_for(
    also: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "_current", grid.Layout(models=("a",), also=also))
    stages = (clustering, prototypes, report)
    outputs = set().union(*(stage.create_pipeline().all_outputs() for stage in stages))
    assert {name for name in outputs if "combination" in name} == {
        "a.combinations_table",
        *(
            f"a.combination_{name}"
            for name in ("clusters", "scores_table", "agreement_table", "prototypes")
            if also
        ),
        *(f"a.{name}" for name in ("combination_prototypes_table", "combinations_page") if also),
        *(["a.combination_maps_figure"] if also else []),
    }


def test_the_images_of_one_generator_are_searched_alone(tmp_path: Path, run: RunParams) -> None:
    storage = StudyStorage(filepath=str(tmp_path / "studies.sqlite")).load()
    params = clustering_params(trials=1, reductions=["none"], clusterings=["kmeans", "gmm"])
    table = search_alone(EMBEDDINGS, storage, params, run)
    assert set(table["combination"]) == {"none_kmeans", "none_gmm"}
    assert table["objective"].is_monotonic_decreasing
    assert table["objective"].tolist() == table["silhouette"].tolist()
    assert (table["images"] == 65).all()
    few: Embeddings = {"embeddings": EMBEDDINGS["embeddings"][:9], "fitted": torch.arange(9)}
    (row,) = search_alone(few, storage, params, run).to_dict("records")
    assert row == {
        "images": 9,
        "note": "only 9 borderline images (clustering.fewest_images is 10)",
    }


def test_only_generators_of_the_grid_are_clustered_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = GeneratorParams.model_construct()
    layout = grid.Layout(
        models=("a",),
        generators={name: grid.Placed(settings, 1) for name in ("x", "x_run_2", "y")},
        alone=("x", "z"),
    )
    monkeypatch.setattr(grid, "_current", layout)
    outputs = clustering.create_pipeline().all_outputs()
    assert {name for name in outputs if "alone" in name} == {
        "a.x.alone_table",
        "a.x_run_2.alone_table",
    }
