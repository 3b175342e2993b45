from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.metrics import adjusted_rand_score

from borderline.boundary import Boundary
from borderline.datasets import PickleDataset, StudyStorage
from borderline.params import RunParams
from borderline.pipelines.clustering.finalists import Stability
from borderline.pipelines.clustering.nodes import (
    assign_real_images,
    choose_recipe,
    cluster_borderline,
    compare_with_noise,
    embed_borderline,
    plot_search,
    search_clusters,
)
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.recipe import ClusterModel, NoClusters
from borderline.records import LabelledImages, Part, Pool, RealView, generators_in
from conftest import BOUNDARY, blobs, clustering_params

NAMES = {"source": "digits", "negative": "1", "positive": "7"}
PARAMS = clustering_params()
POINTS, TRUTH = blobs(60, 40, 20)


class Sees(torch.nn.Module):
    """A model under test that embeds an image as its first pixels, and is torn by their sum."""

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :10]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, 10]


def pictures(points: np.ndarray) -> torch.Tensor:
    images = torch.zeros(len(points), 1, 4, 4)
    images.view(len(points), 16)[:, :10] = torch.from_numpy(points)
    return images


def borderline(points: np.ndarray) -> Part:
    return {"images": pictures(points), "probabilities": torch.linspace(0.4, 0.6, len(points))}


def stage(
    points: np.ndarray,
    folder: Path,
    params: ClusteringParams,
    run: RunParams,
    pool: Pool | None = None,
    train: np.ndarray | None = None,
) -> dict[str, Any]:
    """The whole stage on these embeddings, up to the clusters; by default they are real ones."""
    images = borderline(points)
    storage = StudyStorage(filepath=str(folder / "studies.sqlite")).load()
    settings: dict[str, Any] = {"clustering": params, "run": run}
    pool = pool or {}
    gans = {"gans": {name: 1 for name in generators_in(pool)}}
    real = pictures(points if train is None else train)
    pair_train: LabelledImages = {"images": real, "labels": torch.zeros(len(real))}
    embeddings = embed_borderline(images, Sees(), pair_train, **settings)
    *_, (trials, combinations) = search_clusters(embeddings, storage, pool, **settings, **gans)
    recipe, finalists, stability = choose_recipe(embeddings, trials, pool, **settings, **gans)
    structure = compare_with_noise(embeddings, finalists, recipe, pool, **settings)
    clusters, model, scores, sizes, figure = cluster_borderline(
        *(
            images,
            embeddings,
            recipe,
            finalists,
            stability,
            structure,
            Sees(),
            pool,
            NAMES,
            BOUNDARY,
        ),
        **settings,
        **gans,
    )
    plots = plot_search(embeddings, trials, storage, pool, **settings)
    return locals()


def view_of(images: torch.Tensor) -> RealView:
    """The real view of these test images, as the classifier stage leaves it."""
    p, embeddings = torch.sigmoid(Sees()(images)), Sees().embed(images)
    return {
        "train_p": p,
        "test_p": p,
        "train_embeddings": embeddings,
        "test_embeddings": embeddings,
    }


def assign(
    images: torch.Tensor, made: dict[str, Any], model: ClusterModel | NoClusters, band: float
) -> tuple[pd.DataFrame, Figure]:
    real: LabelledImages = {"images": images, "labels": torch.arange(len(images)) % 2}
    boundary: Boundary = {**BOUNDARY, "band": band}
    sizes = made["sizes"]
    return assign_real_images(real, view_of(images), model, sizes, NAMES, boundary)


def test_planted_groups_are_found_and_described(tmp_path: Path, run: RunParams) -> None:
    made = stage(POINTS, tmp_path, PARAMS, run)
    labels = made["clusters"]["labels"]
    assert adjusted_rand_score(TRUTH, labels) == 1
    assert made["clusters"]["probability"].min() > 0.9
    scores = made["scores"].iloc[0]
    assert (scores["images"], scores["fitted"], scores["clusters"]) == (120, 120, 3)
    assert (scores["note"], scores["doubts"]) == ("", "")
    assert scores["structure_p"] == 0.1
    assert scores["ari_resamples"] == 1
    assert scores["silhouette"] == made["finalists"]["silhouette"].max()
    assert made["finalists"]["chosen"].tolist() == [True, False, False]
    sizes = made["sizes"]
    assert sizes["images"].tolist() == [60, 40, 20]
    assert sizes["stability"].tolist() == [1, 1, 1]
    assert "stability 1.00" in made["figure"].axes[0].texts[0].get_text()
    assert len(made["combinations"]) == 6


def pool_of(**groups: np.ndarray) -> Pool:
    """The embeddings of each generator, which its features equal."""
    fields = ("embeddings", "features")
    return {f"{n}.{field}": torch.from_numpy(x) for n, x in groups.items() for field in fields}


PATTERNS = clustering_params(
    **{"together": True, "objective": "reproducibility", "clusterings": ["kmeans"]},
    **{"reductions": ["pca"], "trials": 1, "pca": {"n_components": [10, 10]}},
    reproducibility={"splits": 2, "least": 0.8, "valley": 0.65, "artefact": 0.95},
    structure={"clouds": 3, "images": 200, "level": 0.25},
)


def test_a_cluster_that_only_one_generator_fills_is_an_artefact_and_no_pattern(
    tmp_path: Path, run: RunParams
) -> None:
    own, truth = blobs(60, 60, 60, 60)
    others = {name: blobs(60, 60, 60, seed=n)[0] for n, name in enumerate(("other", "third"), 1)}
    made = stage(own, tmp_path, PATTERNS, run, pool_of(own=own, **others))
    assert made["finalists"]["clusters"].iloc[0] == 4
    labels, scores = made["clusters"]["labels"].numpy(), made["scores"].iloc[0]
    assert adjusted_rand_score(truth[:180], labels[:180]) == 1
    assert set(labels[180:]) == {-1}
    assert made["sizes"]["images"].tolist() == [60] * 3
    assert made["sizes"]["stability"].tolist() == [1] * 3
    assert (scores["clusters"], scores["sizes"], scores["noise"]) == (3, "60 60 60", 0.25)
    assert scores["artefacts"] == (
        "60 of 240 borderline images are an artefact of own, which makes at least 95 % of the "
        "images like them. They are no pattern"
    )
    assert scores["doubts"] == scores["continuum"] == ""
    assert set(made["model"].assign(own)[0][180:]) == {-1}

    assert (scores["images"], scores["fitted"]) == (240, 600)

    params = PATTERNS.model_copy(update={"together": False})
    alone = stage(own, tmp_path, params, run, pool_of(own=own, **others))
    assert set(alone["clusters"]["labels"].tolist()) == {0, 1, 2, 3}
    assert "artefact of own" in alone["scores"]["doubts"].iloc[0]


def test_artefacts_alone_are_no_clusters_and_have_no_exemplar(
    tmp_path: Path, run: RunParams
) -> None:
    own, _ = blobs(150, 60)
    others = {name: blobs(150, seed=n)[0] for n, name in enumerate(("other", "third"), 1)}
    made = stage(own, tmp_path, PATTERNS, run, pool_of(own=own, **others))
    scores = made["scores"].iloc[0]
    assert "at most one of them is not an artefact of one generator" in scores["continuum"]
    assert scores["artefacts"].startswith("60 of 210 borderline images are an artefact of own")
    labels = made["clusters"]["labels"].numpy()
    assert (labels[150:] == -1).all()
    assert (labels[:150] >= 0).all()
    assert (made["clusters"]["exemplars"] < 150).all()


def test_images_that_are_all_artefacts_are_no_pattern_and_the_note_says_so(
    tmp_path: Path, run: RunParams
) -> None:
    everything, truth = blobs(100, 100, 100, 100)
    own, rest = everything[truth == 3], everything[truth < 3]
    others = {"other": rest[::2], "third": rest[1::2]}
    made = stage(own, tmp_path, PATTERNS, run, pool_of(own=own, **others))
    scores = made["scores"].iloc[0]
    assert scores["note"].startswith("100 of 100 borderline images are an artefact of own")
    assert (scores["clusters"], len(made["sizes"])) == (0, 0)
    assert set(made["clusters"]["labels"].tolist()) == {-1}


def test_a_cluster_without_an_image_of_the_generator_is_said(
    tmp_path: Path, run: RunParams
) -> None:
    everything, truth = blobs(100, 100, 100)
    own, others = everything[truth < 2], {"other": everything[::2], "third": everything[1::2]}
    made = stage(own, tmp_path, PATTERNS, run, pool_of(own=own, **others))
    scores = made["scores"].iloc[0]
    assert sorted(made["sizes"]["images"]) == [0, 100, 100]
    assert sorted(scores["sizes"].split()) == ["0", "100", "100"]
    (empty,) = made["sizes"]["cluster"][made["sizes"]["images"] == 0]
    assert scores["artefacts"] == (
        f"Only other generators make images of cluster {empty}, so this generator has no pattern "
        "there"
    )


def test_a_generator_with_few_images_does_not_decide(tmp_path: Path, run: RunParams) -> None:
    own, truth = blobs(100, 100, 100)
    for count in (2, 7, 12):
        few = own[truth == 0][:count]
        made = stage(own, tmp_path, PATTERNS, run, pool_of(own=own, few=few))
        assert made["scores"]["clusters"].iloc[0] == 3, count
        assert made["scores"]["continuum"].iloc[0] == made["scores"]["artefacts"].iloc[0] == ""


def test_clusters_that_the_other_generators_do_not_give_are_a_continuum(
    tmp_path: Path, run: RunParams
) -> None:
    own, _ = blobs(80, 80, 80)
    # The others fill the gap between two of the clusters.
    steps = np.linspace(0, 1, 120)[:, None].astype(np.float32)
    between = own[:1] * (1 - steps) + own[80:81] * steps
    noise = np.random.default_rng(0).normal(0, 0.3, (2, 120, 10)).astype(np.float32)
    others = {"other": between + noise[0], "third": between + noise[1]}
    made = stage(own, tmp_path, PATTERNS, run, pool_of(own=own, **others))
    assert made["scores"]["continuum"].iloc[0] != ""
    assert made["scores"]["artefacts"].iloc[0] == ""


def test_same_seed_same_labels_and_another_seed_the_same_groups(
    tmp_path: Path, run: RunParams
) -> None:
    params = clustering_params(reductions=["umap"], trials=2, clusterings=["gmm", "kmeans"])
    seeds = [run, run, run.model_copy(update={"seed": 5})]
    one, again, other = (
        stage(POINTS, tmp_path / str(number), params, seed)["clusters"]
        for number, seed in enumerate(seeds)
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["reduced"], other["reduced"])
    assert adjusted_rand_score(one["labels"], other["labels"]) == 1


def test_one_cloud_is_said_to_hold_no_patterns(tmp_path: Path, run: RunParams) -> None:
    cloud = np.random.default_rng(0).normal(size=(120, 10)).astype(np.float32)
    params = clustering_params(stability={"resamples": 4, "seeds": 2, "images": 500, "least": 0.9})
    made = stage(cloud, tmp_path, params, run)
    scores = made["scores"].iloc[0]
    assert scores["structure_p"] > 0.1
    assert "there is no evidence of separate patterns" in scores["doubts"]
    assert "none of the 3 best recipes is stable" in scores["doubts"]
    most_stable = made["finalists"]["ari_resamples"].argmax()
    assert made["finalists"]["chosen"].argmax() == most_stable
    assert made["finalists"]["ari_resamples"].notna().all(), "all were measured"


def test_a_less_good_but_stable_recipe_wins(
    tmp_path: Path, run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter([0.5, 0.7, 0.9])

    def measure(model: ClusterModel, *_: object) -> Stability:
        index = np.array([next(given)])
        return Stability(index, index, np.ones((1, len(model.clusters.order))))

    monkeypatch.setattr("borderline.pipelines.clustering.finalists.measure_stability", measure)
    params = clustering_params(stability={"resamples": 2, "seeds": 1, "images": 500, "least": 0.6})
    fitted = stage(POINTS, tmp_path, params, run)["finalists"]
    assert fitted["objective"].is_monotonic_decreasing
    assert fitted["chosen"].tolist() == [False, True, False]
    assert fitted["ari_resamples"].tolist()[:2] == [0.5, 0.7]
    assert next(given) == 0.9, "what comes after the winner is not measured"


def test_more_images_than_are_fitted_are_assigned(tmp_path: Path, run: RunParams) -> None:
    points, truth = blobs(150, 100, 50)
    made = stage(points, tmp_path, clustering_params(fit_size=100), run)
    scores = made["scores"].iloc[0]
    assert (scores["images"], scores["fitted"]) == (300, 100)
    assert adjusted_rand_score(truth, made["clusters"]["labels"]) == 1
    assert made["sizes"]["images"].sum() == 300
    assert made["clusters"]["reduced"].shape[0] == 300


def test_real_images_fall_into_their_pattern(tmp_path: Path, run: RunParams) -> None:
    made = stage(POINTS, tmp_path, PARAMS, run)
    # The model's file is what later runs assign with.
    saved = PickleDataset(filepath=str(tmp_path / "model.pickle"), trust=True)
    saved.save(made["model"])
    points, truth = blobs(4, 3, 2, seed=5)
    images = pictures(points)
    images.view(9, -1)[0, 10] = 3  # p = .95, not in the band
    table, figure = assign(images, made, saved.load(), 0.1)
    assert sorted(table["row"]) == list(range(1, 9))
    assert table["cluster"].tolist() == truth[table["row"]].tolist()
    assert (table["label"] == table["row"] % 2).all()
    assert table["probability"].min() > 0.5
    assert table["typicality"].between(0, 1).all()
    assert table["typicality"].max() > 0.2
    assert [axes.texts[0].get_text() for axes in figure.axes[:3]] == [
        "0: 3 images",
        "1: 3 images",
        "2: 2 images",
    ]
    on_boundary, _ = assign(images, made, saved.load(), 1e-6)
    assert len(on_boundary) == 8
    images.view(9, -1)[:, 10] = 3
    nobody, _ = assign(images, made, saved.load(), 0.1)
    assert nobody.empty


@pytest.mark.parametrize("n", [0, 3, 9])
def test_too_few_images_are_said_and_not_searched(tmp_path: Path, run: RunParams, n: int) -> None:
    params = clustering_params(reductions=["umap", "pca"])
    made = stage(POINTS[:n], tmp_path, params, run)
    assert made["embeddings"]["embeddings"].shape == (n, 10)
    assert made["trials"].empty
    assert made["clusters"]["labels"].tolist() == [-1] * n
    assert made["clusters"]["reduced"].shape == (n, 0)
    assert made["scores"]["clusters"].item() == 0
    note = f"only {n} borderline images (clustering.fewest_images is 10)"
    assert made["scores"]["note"].item() == note
    assert made["sizes"].empty
    assert made["scores"][["silhouette", "ari_resamples", "structure_p"]].isna().all(axis=None)
    assert isinstance(made["model"], NoClusters)
    table, _ = assign(pictures(POINTS[:5]), made, made["model"], 0.1)
    assert table["cluster"].tolist() == [-1] * 5


def test_nothing_but_degenerate_clusters_is_said(tmp_path: Path, run: RunParams) -> None:
    params = clustering_params(
        clusterings=["hdbscan"],
        hdbscan={
            "min_cluster_size": [100, 101],
            "min_samples": 3,
            "cluster_selection_epsilon": [0],
        },
    )
    made = stage(POINTS, tmp_path, params, run)
    note = made["scores"]["note"].item()
    assert note.startswith("none of the 4 trials gives usable clusters")
    assert "fewer than two clusters" in note
    assert made["clusters"]["labels"].unique().tolist() == [-1]
    assert made["combinations"]["note"].tolist() == ["fewer than two clusters"] * 2


def test_images_that_the_model_does_not_tell_apart_are_said(tmp_path: Path, run: RunParams) -> None:
    same = np.ones((60, 10), dtype=np.float32)
    made = stage(same, tmp_path, clustering_params(reductions=["tsne", "umap"]), run)
    assert "distinguishes only 1 of its borderline images" in made["scores"]["note"].item()
    assert made["trials"].empty


def test_outliers_are_not_typical_however_sure_their_cluster(
    tmp_path: Path, run: RunParams
) -> None:
    params = clustering_params(reductions=["umap"], clusterings=["gmm"], trials=1)
    model = stage(POINTS, tmp_path, params, run)["model"]
    like, _ = blobs(30, 30, 30, seed=8)
    unlike = np.eye(10, dtype=np.float32)[5:] * 5
    assert (model.assign(unlike)[0] >= 0).all()
    assert (model.typicality(unlike) < 0.05).all()
    assert (model.typicality(like) < 0.05).mean() < 0.15
    assert len(model.typicality(like[:0])) == 0


@pytest.mark.parametrize(("images", "train", "clusters"), [(40, 40, 2), (60, 25, 1), (15, 60, 0)])
def test_no_more_patterns_than_the_images_can_carry(
    tmp_path: Path, run: RunParams, images: int, train: int, clusters: int
) -> None:
    params = clustering_params(
        **{"images_per_pattern": 20, "trials": 1, "finalists": 1, "clusterings": ["kmeans"]},
        **{"reductions": ["pca"], "structure": {"clouds": 1, "images": 20, "level": 0.5}},
        stability={"resamples": 2, "seeds": 1, "images": 40, "least": None},
    )
    points, _ = blobs(*[images // 5] * 5)
    made = stage(points, tmp_path, params, run, train=blobs(*[train // 5] * 5)[0])
    scores = made["scores"].iloc[0]
    if clusters == 2:
        assert (scores["clusters"], scores["note"]) == (2, "")
        return
    which = "25 real training" if clusters else "15 borderline"
    assert scores["note"] == (
        f"only {which} images are distinct, too few for two patterns "
        "(clustering.images_per_pattern is 20)"
    )
    assert (scores["clusters"], len(made["sizes"]), len(made["trials"])) == (0, 0, 0)
