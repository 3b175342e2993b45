from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from borderline.datasets import StudyStorage
from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.finalists import fit_finalists
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.clustering.search import search
from borderline.pipelines.clustering.structure import Structure, compare_with_clouds
from conftest import blobs, clustering_params

PARAMS = clustering_params(
    clusterings=["gmm", "kmeans"],
    gmm={"n_components": [2, 3]},
    kmeans={"n_clusters": [2, 4]},
    finalists=2,
    structure={"clouds": 19, "images": 200, "level": 0.05},
)


def compared(points: np.ndarray, folder: Path, run: RunParams) -> tuple[Structure, np.ndarray]:
    storage = StudyStorage(filepath=str(folder / "studies.sqlite")).load()
    *_, trials = search(points, storage, PARAMS, run)
    ranked = fit_finalists(trials, points, PARAMS, run)
    structure = compare_with_clouds(points, [model.recipe for model, _ in ranked], PARAMS, run)
    return structure, ranked[0][0].clusters.labels


def test_groups_stand_out_from_every_cloud(tmp_path: Path, run: RunParams) -> None:
    points, truth = blobs(60, 40, 20)
    structure, labels = compared(points, tmp_path, run)
    assert adjusted_rand_score(truth, labels) == 1
    assert structure.p_value == pytest.approx(1 / 20)
    assert len(structure.clouds) == 19
    assert structure.value > max(structure.clouds)


def test_one_cloud_does_not(tmp_path: Path, run: RunParams) -> None:
    random = np.random.default_rng(0)
    values = []
    for number in range(3):
        # Longer in some directions than in others, as embeddings are.
        cloud = (random.normal(size=(120, 10)) * np.linspace(3, 0.3, 10)).astype(np.float32)
        structure, _ = compared(cloud, tmp_path / str(number), run)
        values.append(structure.p_value)
        assert len(structure.clouds) <= 19
    assert min(values) > 0.05
    assert max(values) > 0.2


def test_clouds_have_the_covariance_of_the_images(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    points = (random.normal(size=(300, 4)) @ random.normal(size=(4, 4)) + 3).astype(np.float32)
    seen: list[np.ndarray] = []

    def best(embeddings: np.ndarray, *_: object) -> float:
        seen.append(embeddings)
        return 1.0 if len(seen) == 1 else 0.0

    monkeypatch.setattr("borderline.pipelines.clustering.structure._best", best)
    params = clustering_params(structure={"clouds": 40, "images": 300, "level": 0.05})
    structure = compare_with_clouds(points, [], params, run)
    clouds = np.concatenate(seen[1:])
    assert np.allclose(clouds.mean(0), points.mean(0), atol=0.15)
    assert np.allclose(np.cov(clouds.T), np.cov(points.T), rtol=0.1, atol=0.15)
    assert structure == Structure(1, (0.0,) * 40, 1 / 41)


def test_comparison_ends_once_the_answer_is_clear(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("borderline.pipelines.clustering.structure._best", lambda *_: 0.5)
    structure = compare_with_clouds(blobs(20, 20)[0], [], PARAMS, run)
    assert len(structure.clouds) == 4
    assert structure.p_value == 1
    monkeypatch.setattr("borderline.pipelines.clustering.structure._best", lambda *_: np.nan)
    nothing = compare_with_clouds(blobs(20, 20)[0], [], PARAMS, run)
    assert (nothing.clouds, nothing.p_value) == ((), 1)


def test_a_cloud_counts_by_the_best_of_its_clusterings(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    objectives = {"gmm": 0.2, "kmeans": 0.7}
    monkeypatch.setattr(
        "borderline.pipelines.clustering.structure.cluster_all",
        lambda kind, *_: SimpleNamespace(objective=objectives[kind]),
    )
    recipes = [Recipe(Reduction("none", {}), Clustering(kind, {})) for kind in objectives]
    assert compare_with_clouds(blobs(60, 40)[0], recipes, PARAMS, run).value == 0.7
