"""The levels of reproducibility on planted images."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.exemplars import ExemplarModel
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.prototypes.choosing import reproducibility
from borderline.pipelines.prototypes.choosing.names import LEVELS
from borderline.pipelines.prototypes.choosing.repetition import Settled, agreement, cluster_again
from borderline.pipelines.prototypes.choosing.reproducibility import Run, Seen
from borderline.pipelines.prototypes.choosing.selection import select
from borderline.pipelines.report.words import reproducibility_in_words
from borderline.records import Pool, Repeat
from conftest import blobs, clustering_params

GANS = {"hybrid": 1, "latent_search": 1, "hybrid_run_2": 2, "latent_search_run_2": 2}
TOGETHER = clustering_params(
    **{"together": True, "objective": "reproducibility", "clusterings": ["kmeans"]}
)
RECIPE = Recipe(Reduction("pca", {"n_components": 5}), Clustering("kmeans", {"n_clusters": 3}))


def pool_of(**images: np.ndarray) -> Pool:
    fields = ("embeddings", "features")
    return {f"{n}.{field}": torch.from_numpy(x) for n, x in images.items() for field in fields}


def cloud(seed: int) -> np.ndarray:
    """A long cloud, whose ends differ, (120, 10)."""
    random = np.random.default_rng(seed)
    points = random.normal(0, 0.2, (120, 10)) + np.eye(10)[0] * 3
    points[:, 1] += random.uniform(-2, 2, 120)
    return points.astype(np.float32)


def this_run(images: np.ndarray, pool: Pool, run: RunParams, shown: Any = "medoid") -> Run:
    fitted = RECIPE.fit(images, None, TOGETHER, run)
    assert fitted is not None
    rows = np.array([np.flatnonzero(fitted.assign(images)[0] == c)[0] for c in range(3)])
    settled = Settled(fitted, images, pool, "hybrid", GANS)
    return Run(settled, Seen(images, images), rows, partial(select, shown, seed=0))


def tables_of(this: Run, run: RunParams, repeat: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    model, seen = this.settled.model, (repeat, repeat)
    pool = this.settled.pool_with(*seen)
    again = cluster_again(*seen, pool, model, run, 1)
    assert again is not None
    record: Repeat = {
        "embeddings": torch.from_numpy(repeat),
        "features": torch.from_numpy(repeat),
        "reduced": torch.from_numpy(again.points),
        "labels": torch.from_numpy(again.labels),
        "probabilities": torch.full((len(repeat),), 0.5),
    }
    if again.model.exemplars is not None:
        record["exemplars"] = torch.from_numpy(again.model.exemplars)
    number = model.choose_number(*seen, pool, GANS, run)
    known = {"images": len(repeat), "mode": number.mode, "number": number.number, "note": ""}
    known["ari"] = agreement(this.settled, again.model, repeat)
    comparisons = reproducibility.compare_all(
        this, {"part_00000": lambda: record}, pd.DataFrame([known]), 2, run
    )
    mode = "clusters" if this.settled.model.exemplars is None else "continuum"
    return reproducibility.by_level(comparisons, mode, GANS), comparisons


def test_planted_patterns_are_found_again_on_every_level(run: RunParams) -> None:
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(GANS)}
    this = this_run(images["hybrid"], pool_of(**images), run)
    levels, comparisons = tables_of(this, run, blobs(40, 40, 40, seed=9)[0])
    assert levels["level"].tolist() == list(LEVELS)
    assert levels["compared"].tolist() == [2, 2, 1, 1, 1]
    assert set(levels["reproducible"]) == {"yes"}
    assert (comparisons["mode"] == "clusters").all()
    assert (comparisons["number"] == 3).all()
    assert comparisons["ari"].min() == 1
    assert comparisons[["closed", "judge_closed"]].min(axis=None) > 0.8
    named = comparisons.set_index("level")["other"]
    assert (named["generators"], named["gans"]) == ("latent_search", "hybrid_run_2")
    assert np.isnan(levels["ari_low"].iloc[2]), "one comparison has no interval"
    assert reproducibility_in_words(levels, "prototypes") == (
        "The prototypes are found again in other seeds, resamples of the images, other images of "
        "the generator, other generators and other GANs."
    )


def test_patterns_that_another_gan_does_not_make_are_not_found_again(run: RunParams) -> None:
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(GANS)}
    images |= {name: blobs(0, 0, 0, 50, 40, 30, seed=5)[0] for name in GANS if GANS[name] == 2}
    this = this_run(images["hybrid"], pool_of(**images), run)
    levels, comparisons = tables_of(this, run, blobs(40, 40, 40, seed=9)[0])
    verdicts = levels.set_index("level")["reproducible"]
    assert verdicts["gans"] == "no"
    of_gans = comparisons[comparisons["level"] == "gans"].iloc[0]
    assert of_gans["closed"] < 0.3


def test_exemplars_of_a_continuum_are_compared_without_seeds(run: RunParams) -> None:
    images = {name: cloud(n) for n, name in enumerate(GANS)}
    pool = pool_of(**images)
    own = images["hybrid"]
    joint = own / np.linalg.norm(own, axis=1, keepdims=True)
    model = ExemplarModel.of(RECIPE, TOGETHER, own, joint, joint)
    settled = Settled(model, own, pool, "hybrid", GANS)
    this = Run(settled, Seen(own, own), model.rows, partial(select, "exemplars", seed=0))
    levels, comparisons = tables_of(this, run, cloud(7))
    by = levels.set_index("level")
    assert by["compared"].tolist() == [0, 2, 1, 1, 1]
    assert by["note"]["seeds"] == "the choice of exemplars has no random part"
    assert (comparisons["mode"] == "continuum").all()
    assert set(by["reproducible"][1:]) == {"yes"}
    assert comparisons["similarity"].min() > comparisons["similarity_random"].max()


def test_other_images_replace_those_of_the_generator_in_the_pool(run: RunParams) -> None:
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(GANS)}
    this = this_run(images["hybrid"], pool_of(**images), run)
    others = {o.level: o for o in reproducibility.others(this, 1, run)}
    seen = others["resamples"].seen.embeddings
    assert 60 < len(seen) < 90
    pools = {level: other.pool for level, other in others.items()}
    assert np.array_equal(pools["resamples"]["hybrid.embeddings"], seen)
    assert {n.partition(".")[0] for n in pools["generators"]} == set(GANS) - {"hybrid"}
    assert {n.partition(".")[0] for n in pools["gans"]} == {n for n in GANS if GANS[n] == 2}
    assert pools["seeds"].keys() == pools["resamples"].keys() == this.settled.pool.keys()


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=reproducibility.NOTHING.columns)


def row(**changed: Any) -> dict[str, Any]:
    values = {"level": "images", "mode": "continuum", "number": 5, "ari": 0.4}
    return {**values, "closed": 0.6, "judge_closed": 0.7, **changed}


@pytest.mark.parametrize(
    ("mode", "rows", "verdict"),
    [
        ("continuum", [row(), row()], "yes"),
        ("continuum", [row(), row(judge_closed=0.1)], "no"),
        ("continuum", [row(), row(mode="clusters")], "no"),
        ("continuum", [row(), row(ari=np.nan, mode="")], "no"),
        ("clusters", [row(mode="clusters")], "no"),
        ("clusters", [row(mode="clusters", ari=0.8, closed=0.1)], "yes"),
    ],
)
def test_verdict_on_a_level(mode: str, rows: list[dict[str, Any]], verdict: str) -> None:
    levels = reproducibility.by_level(table(rows), mode, GANS)
    assert levels.set_index("level")["reproducible"]["images"] == verdict


@pytest.mark.parametrize(
    ("gans", "note"),
    [({"hybrid": 1}, "grid.runs is 1"), (GANS, "the other GANs have no such images")],
)
def test_the_reason_for_no_comparison_is_said(gans: dict[str, int], note: str) -> None:
    levels = reproducibility.by_level(table([row()]), "continuum", gans)
    words = reproducibility_in_words(levels, "exemplars")
    assert words.startswith(
        "The exemplars are found again in other images of the generator. Not compared: other seeds "
        "(the choice of exemplars has no random part), "
    )
    assert words.endswith(f" and other GANs ({note}).")
    nothing = reproducibility.by_level(reproducibility.NOTHING, "clusters", gans)
    assert set(nothing["reproducible"]) == {""}
    assert set(nothing["note"]) == {"there are no prototypes"}
