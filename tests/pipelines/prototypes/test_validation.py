"""Planted structure is found, and random labels give none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from borderline.params import RunParams
from borderline.pipelines.prototypes.candidates import Candidates
from borderline.pipelines.prototypes.measures import BETTER, Audience
from borderline.pipelines.prototypes.params import ValidationParams
from borderline.pipelines.prototypes.selection import SELECTIONS, Selection, select
from borderline.pipelines.prototypes.validation import (
    BASELINES,
    COLUMNS,
    MOST_AMBIGUOUS,
    RANDOM_BORDERLINE,
    REAL_BORDERLINE,
    Draws,
    Evidence,
    Real,
    most_ambiguous,
    stability,
    validate,
)
from borderline.pipelines.prototypes.verdicts import NAMES, doubts, say
from conftest import candidates_of

CLUSTERS, MEMBERS = 7, 18
LABELS = np.repeat(np.arange(CLUSTERS), MEMBERS)
PARAMS = ValidationParams(
    draws=199, resamples=40, resample_images=500, repeats=3, repeat_images=500, level=0.05
)


def planted(seed: int, *, shuffled: bool = False) -> Candidates:
    found = candidates_of(LABELS, spread=0.15, seed=seed)
    if not shuffled:
        return found
    labels = np.random.default_rng(seed).permutation(LABELS)
    return Candidates(found.embeddings, found.reduced, labels, found.distances)


def evidence(
    selections: tuple[Selection, ...] = SELECTIONS, *, shuffled: bool = False, real: int = 20
) -> Evidence:
    own = planted(0, shuffled=shuffled)
    random = np.random.default_rng(9)
    rows = random.choice(len(own), real, replace=False)
    return Evidence(
        Audience.of(own, own.reduced),
        {name: select(name, own, 0) for name in selections},
        [planted(seed, shuffled=shuffled) for seed in (1, 2, 3)],
        Real(own.embeddings[rows], own.labels[rows], own.reduced[rows]),
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return validate(evidence(), PARAMS, RunParams(seed=0, device="cpu"))


def row_of(table: pd.DataFrame, name: str, measure: str) -> pd.Series:
    return table[(table["chosen_by"] == name) & (table["measure"] == measure)].iloc[0]


def test_table_has_a_row_for_each_selection_baseline_and_measure(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == (len(SELECTIONS) + len(BASELINES)) * len(BETTER)
    assert set(table["chosen_by"]) == {*SELECTIONS, *BASELINES} == set(NAMES)
    assert (table["prototypes"] == CLUSTERS).all()
    known = table[table["low"].notna()]
    assert (known["low"] <= known["value"] + 1e-12).all()
    assert (known["value"] <= known["high"] + 1e-12).all()


def test_planted_blobs_are_covered_found_again_and_told_from_chance(table: pd.DataFrame) -> None:
    for name in ("medoid", "medoid_embedding", "centroid", "density", "k_medoids", "mmd_critic"):
        for measure in ("coverage_area", "facility_location", "precision", "stability"):
            row = row_of(table, name, measure)
            assert row["p_value"] <= 0.02, (name, measure)
            assert row["q_value"] <= 0.05
            assert row["value"] > row["random"]
        assert row_of(table, name, "precision")["value"] == 1
    for name in ("medoid", "medoid_embedding", "centroid", "k_medoids"):
        assert row_of(table, name, "stability")["value"] > 0.9
    # A random image of each blob has the blobs, but is not the best of its blob.
    assert row_of(table, "random", "precision")["p_value"] <= 0.02
    medoid = row_of(table, "medoid_embedding", "coverage_area")
    assert medoid["p_of_cluster"] <= 0.02
    assert medoid["value"] > medoid["random_of_cluster"] > medoid["random"]


def test_random_labels_give_no_evidence() -> None:
    # What is chosen by labels alone; ways over all images know none.
    ways: tuple[Selection, ...] = ("medoid", "medoid_embedding", "centroid", "density", "random")
    found = validate(evidence(ways, shuffled=True), PARAMS, RunParams(seed=0, device="cpu"))
    own = found[found["chosen_by"].isin(ways)]
    assert own["q_value"].min() > PARAMS.level
    assert own[own["measure"] == "precision"]["value"].max() < 0.45


def test_baselines_are_chance(table: pd.DataFrame) -> None:
    for measure in BETTER:
        random = row_of(table, RANDOM_BORDERLINE, measure)
        assert random["low"] < random["value"] < random["high"]
        assert math.isnan(random["p_value"])
        others = table[(table["measure"] == measure) & table["random"].notna()]
        assert others["random"].to_numpy() == pytest.approx(random["value"])
        assert row_of(table, REAL_BORDERLINE, measure)["p_value"] > 0.05
    assert row_of(table, MOST_AMBIGUOUS, "coverage_area")["q_value"] > 0.05


def test_too_few_real_images_are_said() -> None:
    few = validate(evidence(("medoid",), real=3), PARAMS, RunParams(seed=0, device="cpu"))
    own = few[few["chosen_by"] == REAL_BORDERLINE]
    assert own["value"].isna().all()
    assert set(own["note"]) == {"the test set has only 3 borderline images"}
    some = validate(evidence(("medoid",), real=9), PARAMS, RunParams(seed=0, device="cpu"))
    own = some[some["chosen_by"] == REAL_BORDERLINE].set_index("measure")["value"]
    # Enough to be chosen from, not enough to be matched with others.
    assert own.isna().to_dict() == {measure: measure == "stability" for measure in BETTER}


def test_same_seed_gives_the_same_table(table: pd.DataFrame) -> None:
    again = validate(evidence(), PARAMS, RunParams(seed=0, device="cpu"))
    pd.testing.assert_frame_equal(table, again)
    other = validate(evidence(), PARAMS, RunParams(seed=1, device="cpu"))
    assert not table["low"].equals(other["low"])


def test_interval_is_that_of_fresh_images() -> None:
    """The bootstrap's width against the spread over images that were drawn anew."""
    fresh = []
    for seed in range(60):
        own = planted(100 + seed)
        audience = Audience.of(own, own.reduced)
        found = Evidence(
            audience, {"medoid_embedding": select("medoid_embedding", own, 0)}, [], _none()
        )
        fresh.append(found)
    values, widths = [], []
    for number, each in enumerate(fresh):
        few = PARAMS.model_copy(update={"draws": 19, "resamples": 60})
        row = row_of(
            validate(each, few, RunParams(seed=number, device="cpu")),
            "medoid_embedding",
            "facility_location",
        )
        values.append(row["value"])
        widths.append(row["high"] - row["low"])
    spread = 2 * 1.96 * float(np.std(values))
    assert 0.6 < float(np.mean(widths)) / spread < 1.7


def _none() -> Real:
    return Real(np.zeros((0, 2)), np.zeros(0, dtype=int), np.zeros((0, 2)))


def test_resamples_of_fewer_images_are_scaled() -> None:
    own = evidence(("medoid_embedding",))
    run = RunParams(seed=0, device="cpu")
    rows = [
        row_of(
            validate(own, PARAMS.model_copy(update={"resample_images": size}), run),
            "medoid_embedding",
            "facility_location",
        )
        for size in (60, 120)
    ]
    widths = [row["high"] - row["low"] for row in rows]
    assert 0.5 < widths[0] / widths[1] < 2


def test_p_value_counts_the_draws_that_are_as_good() -> None:
    draws = Draws({"precision": np.array([0.1, 0.2, 0.3, 0.4]), "cosine_similarity": np.ones(4)})
    assert draws.p_value("precision", 0.3) == (1 + 2) / 5
    assert draws.p_value("precision", 0.5) == 1 / 5
    assert draws.p_value("cosine_similarity", 0.9) == 1 / 5, "lower is better"
    assert draws.p_value("cosine_similarity", 1 + 1e-15) == 1
    assert math.isnan(draws.p_value("precision", math.nan))
    assert math.isnan(draws.p_value("dispersion", 1.0))


def test_chance_is_right_about_itself() -> None:
    """Random choices have p-values that are spread evenly."""
    own = planted(0)
    audience = Audience.of(own, own.reduced)
    random = np.random.default_rng(0)
    p_values = []
    for seed in range(40):
        rows = random.choice(len(own), CLUSTERS, replace=False)
        given = Evidence(audience, {"k_medoids": rows}, [], _none())
        few = PARAMS.model_copy(update={"draws": 99, "resamples": 2})
        found = validate(given, few, RunParams(seed=seed, device="cpu"))
        p_values.append(row_of(found, "k_medoids", "facility_location")["p_value"])
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15


def test_stability_is_the_mean_match_over_runs() -> None:
    same = stability(np.eye(3), [np.eye(3)[[2, 0, 1]], np.eye(3)])
    assert same == pytest.approx((1, 1, 1))
    half = stability(np.eye(2), [np.eye(2), np.array([[0.0, 0.0, 1.0]])[:, :2] + [[0.0, 1e-9]]])
    assert half.value == pytest.approx(1)
    assert math.isnan(stability(np.eye(2), []).value)


def test_most_ambiguous_are_nearest_to_the_boundary() -> None:
    own = planted(0)
    rows = most_ambiguous(own, 4)
    assert sorted(own.distances)[:4] == own.distances[rows].tolist()


def test_no_clusters_have_an_empty_table() -> None:
    own = candidates_of(np.full(30, -1))
    empty = Evidence(Audience.of(own, own.reduced), {}, [], _none())
    assert len(validate(empty, PARAMS, RunParams(seed=0, device="cpu"))) == 0


def test_sentences_say_what_the_figures_say(table: pd.DataFrame) -> None:
    assert say(row_of(table, "medoid", "precision"), 0.05).startswith(
        "The medoids tell the clusters apart better than random ones (1.00 [1.00, 1.00] against 0."
    )
    for _, row in table.iterrows():
        sentence = say(row, 0.05)
        assert sentence.endswith(".")
        assert "nan" not in sentence
    row = pd.Series(
        {
            "chosen_by": "random",
            "measure": "stability",
            "value": 0.5,
            "low": 0.4,
            "high": 0.6,
            "random": 0.9,
            "p_value": 1.0,
            "q_value": 1.0,
            "p_of_cluster": math.nan,
        }
    )
    assert say(row, 0.05) == (
        "One random image of each cluster is found again with other seeds worse than random ones "
        "(0.50 [0.40, 0.60] against 0.90, p = 1.000)."
    )
    same = say(pd.Series({**row, "p_value": 0.5, "q_value": 0.5}), 0.05)
    assert "is not found again with other seeds better than" in same


def test_run_doubts_prototypes_that_do_not_beat_chance(table: pd.DataFrame) -> None:
    said = doubts(table, "random", 0.05)
    assert said.startswith("as prototypes they are no better than random images in: ")
    assert "precision" not in said
    assert doubts(table[table["measure"] == "precision"], "medoid", 0.05) == ""
