"""The levels of reproducibility on planted images."""

from __future__ import annotations

from dataclasses import replace
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
from borderline.pipelines.prototypes.choosing.repetition import (
    Seen,
    Settled,
    agreement,
    cluster_again,
)
from borderline.pipelines.prototypes.choosing.reproducibility import Run
from borderline.pipelines.prototypes.choosing.selection import select
from borderline.pipelines.report.words import reproducibility_in_words
from borderline.records import Pool, Repeat, generators_in
from conftest import blobs, clustering_params

GANS = {"hybrid": 1, "latent_search": 1, "hybrid_run_2": 2, "latent_search_run_2": 2}
ONE_GAN = "there is only one, because grid.runs is 1 or step 1 was given"
TOGETHER = clustering_params(
    **{"together": True, "objective": "reproducibility", "clusterings": ["kmeans"]}
)
RECIPE = Recipe(Reduction("pca", {"n_components": 5}), Clustering("kmeans", {"n_clusters": 3}))


def pool_of(**images: np.ndarray) -> Pool:
    """The images of each generator, half of them for the run, as model and judge see them."""
    fields = ("embeddings", "features")
    pool = {}
    for name, x in images.items():
        pool |= {f"{name}.{field}": torch.from_numpy(x[::2]) for field in fields}
        pool |= {f"{name}.other_{field}": torch.from_numpy(x[1::2]) for field in fields}
    return pool


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
    model, seen = this.settled.model, Seen(repeat, repeat)
    side = this.settled.side(seen, this.settled.others_with(seen))
    again = cluster_again(side, this.settled, run, 1)
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
    number = model.choose_number(side, run)
    known = {"images": len(repeat), "mode": number.mode, "number": number.number, "note": ""}
    known["ari"] = agreement(this.settled, again.model, repeat)
    comparisons = reproducibility.compare_all(
        this, {"part_00000": lambda: record}, pd.DataFrame([known]), 2, run
    )
    mode = "clusters" if this.settled.model.exemplars is None else "continuum"
    return reproducibility.by_level(comparisons, mode, this.settled.gans), comparisons


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
        "The prototypes are found again with other seeds, in resamples of the images, in other "
        "images of the generators, with other generators and with other GANs. Found again means: "
        "most comparisons have clusters too, and their mean adjusted Rand index is at least 0.8."
    )


def test_patterns_that_another_gan_does_not_make_are_not_found_again(run: RunParams) -> None:
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(GANS)}
    images |= {name: blobs(0, 0, 0, 50, 40, 30, seed=5)[0] for name in GANS if GANS[name] == 2}
    this = this_run(images["hybrid"], pool_of(**images), run)
    (other,) = [o for o in reproducibility.others(this, 0, run) if o.level == "gans"]
    row = reproducibility.compare(this, other, run)
    assert row["closed"] < 0.3
    levels = reproducibility.by_level(table([row]), "clusters", GANS)
    assert levels.set_index("level")["reproducible"]["gans"] == "no"


def test_exemplars_of_a_continuum_are_compared_without_seeds(run: RunParams) -> None:
    images = {name: cloud(n) for n, name in enumerate(GANS)}
    pool = pool_of(**images)
    own = images["hybrid"]
    joint = own / np.linalg.norm(own, axis=1, keepdims=True)
    model = ExemplarModel.of(RECIPE, TOGETHER, own, joint, joint)
    settled = Settled(model, own, pool, "hybrid", GANS)
    this = Run(settled, Seen(own, own), model.exemplars, partial(select, "exemplars", seed=0))
    levels, comparisons = tables_of(this, run, cloud(7))
    by = levels.set_index("level")
    assert by["compared"].tolist() == [0, 2, 1, 1, 1]
    assert by["note"]["seeds"] == "the choice of exemplars has no random part"
    assert (comparisons["mode"] == "continuum").all()
    assert set(by["reproducible"][1:]) == {"yes"}
    assert comparisons["similarity"].min() > comparisons["similarity_random"].max()


def test_each_side_has_the_generators_and_images_of_its_level(run: RunParams) -> None:
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(GANS)}
    this = this_run(images["hybrid"], pool_of(**images), run)
    others = {o.level: o for o in reproducibility.others(this, 1, run)}
    pools = {level: other.pool for level, other in others.items()}
    names = {level: generators_in(pool) for level, pool in pools.items()}
    assert names["resamples"] == sorted(GANS)
    assert names["generators"] == ["latent_search", "latent_search_run_2"]
    assert names["gans"] == ["hybrid_run_2", "latent_search_run_2"]
    assert pools["seeds"] is this.settled.pool
    for name in GANS:
        assert 30 < len(pools["resamples"][f"{name}.embeddings"]) <= 60
    other = others["gans"].seen.embeddings
    assert np.array_equal(other, images["hybrid_run_2"][1::2])
    assert np.array_equal(pools["gans"]["hybrid_run_2.embeddings"], other)
    repeat = Seen(*[blobs(50, 40, 30, seed=9)[0]] * 2)
    pool = this.settled.others_with(repeat)
    assert np.array_equal(pool["hybrid.embeddings"], repeat.embeddings[:60])
    assert np.array_equal(pool["latent_search.embeddings"], images["latent_search"][1::2])


def test_a_generator_without_other_images_gives_the_same_ones(run: RunParams) -> None:
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(GANS)}
    pool = pool_of(**images)
    for field in ("embeddings", "features"):
        pool[f"latent_search.other_{field}"] = pool[f"latent_search.other_{field}"][:29]
    settled = this_run(images["hybrid"], pool, run).settled
    assert np.array_equal(
        settled.of_generator("latent_search").embeddings, images["latent_search"][::2]
    )


def test_generators_without_a_gan_have_no_other_gan(run: RunParams) -> None:
    gans = {"hybrid": 1, "blends": 0, "hybrid_run_2": 2, "blends_run_2": 0}
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(gans)}
    this = this_run(images["hybrid"], pool_of(**images), run)
    for chosen, expected in (
        ("hybrid", {"generators": ["blends", "blends_run_2"], "gans": ["hybrid_run_2"]}),
        ("blends", {"generators": ["hybrid", "hybrid_run_2"]}),
    ):
        settled = this.settled._replace(generator=chosen, gans=gans)
        found: dict[str, list[str]] = {}
        for other in reproducibility.others(this._replace(settled=settled), 0, run):
            found.setdefault(other.level, []).append(other.name)
        assert found == expected


def test_a_network_that_is_trained_once_is_another_generator(run: RunParams) -> None:
    gans = {"flow": -1, "flow_run_2": -2, "hybrid": 1, "hybrid_run_2": 2}
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(gans)}
    this = this_run(images["hybrid"], pool_of(**images), run)
    for chosen, expected in (
        ("hybrid", {("generators", "flow"), ("gans", "hybrid_run_2")}),
        ("flow", {("generators", "hybrid"), ("gans", "flow_run_2")}),
    ):
        settled = this.settled._replace(generator=chosen, gans=gans)
        found = reproducibility.others(this._replace(settled=settled), 0, run)
        sides = {(other.level, other.name): set(other.pool) for other in found}
        assert set(sides) == expected
        # The side of another network has no images of a GAN of the same number.
        alone = sides["gans", f"{chosen}_run_2"]
        assert {name.partition(".")[0] for name in alone} == {f"{chosen}_run_2"}


def test_a_generator_with_few_images_is_left_out_and_named(run: RunParams) -> None:
    images = {name: blobs(50, 40, 30, seed=n)[0] for n, name in enumerate(GANS)}
    images["few"] = images["hybrid"][:9]
    this = this_run(images["hybrid"], pool_of(**images), run)
    this = this._replace(settled=this.settled._replace(gans={**GANS, "few": 1}))
    levels, _ = tables_of(this, run, blobs(40, 40, 40, seed=9)[0])
    row = levels.set_index("level").loc["generators"]
    assert (row["compared"], row["reproducible"]) == (1, "yes")
    assert row["note"] == "few: left out: it has only 4 borderline images"


def test_artefacts_of_the_run_are_not_expected_elsewhere(run: RunParams) -> None:
    names = ("hybrid", "latent_search", "third")
    images = {name: blobs(80, 80, 80, seed=n)[0] for n, name in enumerate(names)}
    images["hybrid"] = blobs(80, 80, 80, 80)[0]
    pool, gans = pool_of(**images), dict.fromkeys(names, 1)
    four = RECIPE.of_number(4).fit(
        np.concatenate([pool[f"{name}.embeddings"] for name in sorted(names)]), None, TOGETHER, run
    )
    assert four is not None
    artefact = int(four.assign(images["hybrid"][-1:])[0][0])
    model = replace(four, artefacts={artefact: "hybrid"})
    labels = model.assign(images["hybrid"])[0]
    assert set(labels[240:]) == {-1}
    rows = np.array([np.flatnonzero(labels == c)[0] for c in range(3)])
    settled = Settled(model, images["hybrid"], pool, "hybrid", gans)
    way = partial(select, "medoid", seed=0)
    this = Run(settled, Seen(*[images["hybrid"]] * 2), rows, way)
    repeat = np.random.default_rng(0).permutation(blobs(80, 80, 80, 80, seed=9)[0])
    levels, comparisons = tables_of(this, run, repeat)
    assert (comparisons["number"] == 3).all()
    assert comparisons["ari"].min() > 0.99
    assert set(levels["reproducible"]) == {"yes", ""}


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=reproducibility.NOTHING.columns)


def row(**changed: Any) -> dict[str, Any]:
    values = {"level": "images", "mode": "continuum", "number": 5, "ari": 0.4, "note": ""}
    return {**values, "closed": 0.6, "judge_closed": 0.7, **changed}


@pytest.mark.parametrize(
    ("mode", "rows", "verdict"),
    [
        ("continuum", [row(), row()], "yes"),
        ("continuum", [row(), row(judge_closed=0.1)], "no"),
        ("continuum", [row(), row(mode="clusters")], "no"),
        ("continuum", [row(), row(ari=np.nan, mode="")], "no"),
        ("continuum", [row(), row(), row(ari=np.nan, mode="")], "yes"),
        ("clusters", [row(mode="clusters")], "no"),
        ("clusters", [row(mode="clusters", ari=np.nan)], ""),
        ("clusters", [row(mode="clusters", ari=0.8, closed=0.1)], "yes"),
    ],
)
def test_verdict_on_a_level(mode: str, rows: list[dict[str, Any]], verdict: str) -> None:
    levels = reproducibility.by_level(table(rows), mode, GANS)
    assert levels.set_index("level")["reproducible"]["images"] == verdict


@pytest.mark.parametrize(
    ("gans", "note"),
    [
        (
            {"hybrid": 1, "blends": 0},
            "there is only one, because grid.runs is 1 or step 1 was given",
        ),
        (GANS, "its generators have no borderline images"),
    ],
)
def test_the_reason_for_no_comparison_is_said(gans: dict[str, int], note: str) -> None:
    levels = reproducibility.by_level(table([row()]), "continuum", gans)
    words = reproducibility_in_words(levels, "exemplars")
    assert words.startswith(
        "The exemplars are found again in other images of the generators. Not compared with other "
        "seeds: the choice of exemplars has no random part. "
    )
    assert f" Not compared with other GANs: {note}. Found again means: " in words
    nothing = reproducibility.by_level(reproducibility.NOTHING, "clusters", gans)
    assert set(nothing["reproducible"]) == {""}
    assert set(nothing["note"]) == {"there are no prototypes"}
