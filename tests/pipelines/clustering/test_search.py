from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from borderline.datasets import StudyStorage
from borderline.params import RunParams
from borderline.pipelines.clustering import search as search_module
from borderline.pipelines.clustering.nodes import (
    cluster_borderline,
    embed_borderline,
    search_clusters,
)
from borderline.pipelines.clustering.params import ClusteringParams, GmmSpace, UmapSpace
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.search import TRIAL_COLUMNS, best_recipe, search

PARAMS = ClusteringParams(
    fewest_images=10,
    trials=4,
    umap=UmapSpace(n_neighbors=(5, 8), min_dist=(0.01, 0.25), n_components=(2, 4)),
    gmm=GmmSpace(n_components=(2, 4)),
)
POINTS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """UMAP is tested elsewhere; here every recipe is scored by a formula, and counted."""
    tried: list[Recipe] = []

    def reduce(recipe: Recipe, embeddings: np.ndarray, seed: int) -> np.ndarray:
        tried.append(recipe)
        return embeddings[:, : recipe.n_components].astype(np.float64)

    monkeypatch.setattr(Recipe, "reduce", reduce)
    return tried


def last(tables: object) -> pd.DataFrame:
    return list(tables)[-1]  # type: ignore[call-overload]


def storage(folder: Path) -> StudyStorage:
    return StudyStorage(filepath=str(folder / "studies.sqlite"))


def test_search_streams_a_table_a_trial(
    tmp_path: Path, run: RunParams, quick: list[Recipe]
) -> None:
    tables = list(search(POINTS, storage(tmp_path).load(), PARAMS, run))
    assert [len(table) for table in tables] == [0, 1, 2, 3, 4]
    assert list(tables[-1].columns) == list(TRIAL_COLUMNS)
    for recipe in quick:
        assert 5 <= recipe.n_neighbors <= 8
        assert 2 <= recipe.n_clusters <= 4


def test_stopped_search_finds_what_it_would_have_found(
    tmp_path: Path, run: RunParams, quick: list[Recipe]
) -> None:
    whole = last(search(POINTS, storage(tmp_path / "a").load(), PARAMS, run))
    stopped = search(POINTS, storage(tmp_path / "b").load(), PARAMS, run)
    for _ in range(3):
        next(stopped)
    stopped.close()
    # A kill in mid-trial leaves a trial that nobody will ever finish.
    store = storage(tmp_path / "b").load()
    study = search_module.optuna.load_study(
        storage=store, study_name=store.get_all_studies()[0].study_name
    )
    study.ask()
    resumed = last(search(POINTS, storage(tmp_path / "b").load(), PARAMS, run))
    pd.testing.assert_frame_equal(resumed, whole)


def test_finished_search_is_not_searched_again(
    tmp_path: Path, run: RunParams, quick: list[Recipe]
) -> None:
    first = last(search(POINTS, storage(tmp_path).load(), PARAMS, run))
    quick.clear()
    again = list(search(POINTS, storage(tmp_path).load(), PARAMS, run))
    assert quick == []
    assert len(again) == 1
    pd.testing.assert_frame_equal(again[0], first)


def test_other_embeddings_or_space_are_another_study(
    tmp_path: Path, run: RunParams, quick: list[Recipe]
) -> None:
    store = storage(tmp_path).load()
    last(search(POINTS, store, PARAMS, run))
    last(search(POINTS + 1, store, PARAMS, run))
    narrower = PARAMS.model_copy(update={"gmm": GmmSpace(n_components=(2, 3))})
    last(search(POINTS, store, narrower, run))
    assert len(store.get_all_studies()) == 3
    more = PARAMS.model_copy(update={"trials": 6})
    assert len(last(search(POINTS, store, more, run))) == 6
    fewer = last(search(POINTS, store, PARAMS, run))
    assert len(fewer) == 4, "fewer trials are as if the others had never been"
    assert len(store.get_all_studies()) == 3, "more trials go on with the same study"


def test_best_recipe_is_the_first_of_the_highest() -> None:
    table = pd.DataFrame(
        [(0, None, None, 5, 0.1, 2, 3), (1, 0.4, 1.0, 6, 0.2, 3, 4), (2, 0.4, 1.0, 7, 0.2, 3, 4)],
        columns=list(TRIAL_COLUMNS),
    )
    assert best_recipe(table) == Recipe(6, 0.2, 3, 4)
    assert best_recipe(table[:1]) is None
    assert best_recipe(table[:0]) is None


def borderline(n: int) -> dict[str, torch.Tensor]:
    return {
        "images": torch.rand(n, 1, 12, 12) * 2 - 1,
        "probabilities": torch.linspace(0.4, 0.6, n),
    }


@pytest.mark.parametrize("n", [0, 3, 9])
def test_too_few_images_are_said_and_not_searched(
    tmp_path: Path, run: RunParams, quick: list[Recipe], n: int
) -> None:
    model = torch.nn.Module()
    model.embed = lambda images: images.flatten(1)[:, :7]
    embeddings = embed_borderline(borderline(n), model, run)
    assert embeddings["embeddings"].shape == (n, 7)
    (trials,) = search_clusters(embeddings, storage(tmp_path).load(), PARAMS, run)
    clusters, scores, sizes, _ = cluster_borderline(borderline(n), embeddings, trials, PARAMS, run)
    assert quick == []
    assert clusters["labels"].tolist() == [-1] * n
    assert scores["clusters"].item() == 0
    assert f"only {n} of the 10 borderline images" in scores["note"].item()
    assert sizes.empty


def test_clusters_cover_every_image(tmp_path: Path, run: RunParams, quick: list[Recipe]) -> None:
    embeddings = {"embeddings": torch.from_numpy(POINTS)}
    trials = last(search_clusters(embeddings, storage(tmp_path).load(), PARAMS, run))
    images = borderline(len(POINTS))
    clusters, scores, sizes, figure = cluster_borderline(images, embeddings, trials, PARAMS, run)
    labels = clusters["labels"]
    assert labels.min() == 0
    assert sizes["images"].tolist() == labels.bincount().tolist()
    assert sizes["images"].is_monotonic_decreasing
    assert scores["silhouette"].item() == pytest.approx(trials["silhouette"].max())
    assert len(figure.axes) > len(sizes)
