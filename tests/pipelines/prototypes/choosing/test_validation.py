"""Planted structure is found, and random labels give none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.choosing.measures import Audience, Chosen
from borderline.pipelines.prototypes.choosing.names import (
    BASELINES,
    BETTER,
    MOST_AMBIGUOUS,
    NAMES,
    RANDOM_BORDERLINE,
    REAL_BORDERLINE,
    SELECTIONS,
    Selection,
)
from borderline.pipelines.prototypes.choosing.selection import select
from borderline.pipelines.prototypes.choosing.validation import (
    COLUMNS,
    Evidence,
    _part_of_each,
    validate,
)
from borderline.pipelines.prototypes.choosing.verdicts import say
from borderline.pipelines.prototypes.params import ValidationParams
from borderline.pipelines.report.gathering import doubts_about
from conftest import candidates_of

CLUSTERS, MEMBERS = 7, 18
LABELS = np.repeat(np.arange(CLUSTERS), MEMBERS)
PARAMS = ValidationParams(
    draws=99,
    label_draws=99,
    resamples=30,
    resample_images=500,
    repeats=3,
    repeat_images=500,
    level=0.05,
)


def planted(seed: int, *, shuffled: bool = False) -> Candidates:
    result = candidates_of(LABELS, spread=0.15, seed=seed)
    if not shuffled:
        return result
    labels = np.random.default_rng(seed).permutation(LABELS)
    return Candidates(result.embeddings, result.reduced, labels, result.distances)


def evidence(
    selections: tuple[Selection, ...] = SELECTIONS, *, shuffled: bool = False, real: int = 20
) -> Evidence:
    images = planted(0, shuffled=shuffled)
    random = np.random.default_rng(9)
    rows = random.choice(len(images), real, replace=False)
    return Evidence(
        Audience.of(images, images.reduced),
        {name: select(name, images, 0) for name in selections},
        [planted(seed, shuffled=shuffled) for seed in (1, 2, 3)],
        3,
        Chosen(images.embeddings[rows], images.labels[rows], images.reduced[rows], None),
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
    assert medoid["p_value_of_cluster"] <= 0.02
    assert medoid["value"] > medoid["random_of_cluster"] > medoid["random"]


BY_LABELS: tuple[Selection, ...] = ("medoid", "medoid_embedding", "centroid", "density", "random")


def test_random_labels_of_blobs_give_no_evidence() -> None:
    result = validate(evidence(BY_LABELS, shuffled=True), PARAMS, RunParams(seed=0, device="cpu"))
    images = result[result["chosen_by"].isin(BY_LABELS)]
    for q_value in ("q_value", "q_value_of_cluster", "q_value_of_labels"):
        assert images[q_value].min() > PARAMS.level
    assert images[images["measure"] == "precision"]["value"].max() < 0.45


def test_random_labels_of_one_cloud_give_no_evidence() -> None:
    """Central images of one cloud cover much whatever the labels are: it is not for the labels."""

    def cloud(seed: int) -> Candidates:
        random = np.random.default_rng(seed)
        points = random.normal(size=(200, 30)) + 1
        return Candidates(points, points, random.integers(0, 5, 200), np.zeros(200))

    images = cloud(0)
    given = Evidence(
        Audience.of(images, images.reduced),
        {name: select(name, images, 0) for name in BY_LABELS},
        [cloud(1), cloud(2)],
        2,
        _none(),
    )
    result = validate(given, PARAMS, RunParams(seed=0, device="cpu"))
    by_random = result[result["chosen_by"] == "medoid_embedding"].set_index("measure")
    assert by_random["q_value"]["facility_location"] <= PARAMS.level, "the trap is there"
    assert result["q_value_of_labels"].min() > PARAMS.level
    assert "not significantly better than prototypes of shuffled clusters in" in doubts(
        result, "medoid_embedding", PARAMS.level
    )


def test_planted_blobs_beat_shuffled_labels(table: pd.DataFrame) -> None:
    for name in ("medoid", "medoid_embedding", "centroid"):
        for measure in ("coverage_area", "facility_location", "precision", "stability"):
            assert row_of(table, name, measure)["q_value_of_labels"] <= 0.05, (name, measure)


def test_baselines_are_chance(table: pd.DataFrame) -> None:
    for measure in BETTER:
        random = row_of(table, RANDOM_BORDERLINE, measure)
        assert random["low"] < random["value"] < random["high"]
        others = table[(table["measure"] == measure) & table["random"].notna()]
        assert others["random"].to_numpy() == pytest.approx(random["value"])
        real = row_of(table, REAL_BORDERLINE, measure)
        # Drawn from the same images, but a few of them.
        assert abs(real["value"] - random["value"]) < random["high"] - random["low"]
        assert math.isnan(random["p_value"])
        assert math.isnan(real["p_value"])
    assert row_of(table, MOST_AMBIGUOUS, "coverage_area")["q_value"] > 0.05


def test_too_few_real_images_are_said() -> None:
    few = validate(evidence(("medoid",), real=3), PARAMS, RunParams(seed=0, device="cpu"))
    images = few[few["chosen_by"] == REAL_BORDERLINE]
    assert images["value"].isna().all()
    assert set(images["note"]) == {"the test set has only 3 borderline images"}
    some = validate(evidence(("medoid",), real=9), PARAMS, RunParams(seed=0, device="cpu"))
    images = some[some["chosen_by"] == REAL_BORDERLINE].set_index("measure")["value"]
    # Enough to be chosen from, not enough to be matched with others.
    assert images.isna().to_dict() == {measure: measure == "stability" for measure in BETTER}


def test_same_seed_gives_the_same_table() -> None:
    one, again, other = (
        validate(evidence(("medoid", "random")), PARAMS, RunParams(seed=seed, device="cpu"))
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(one, again)
    assert not one["low"].equals(other["low"])


@pytest.fixture(scope="module")
def fresh_images() -> list[pd.DataFrame]:
    """Validations of images that are drawn anew each time."""
    few = PARAMS.model_copy(update={"draws": 19, "label_draws": 19, "resamples": 40})
    ways: tuple[Selection, ...] = ("medoid_embedding", "density")
    tables = []
    for seed in range(30):
        images = planted(100 + seed)
        audience = Audience.of(images, images.reduced)
        given = Evidence(audience, {way: select(way, images, 0) for way in ways}, [], 0, _none())
        tables.append(validate(given, few, RunParams(seed=seed, device="cpu")))
    return tables


@pytest.mark.parametrize("name", ["medoid_embedding", "density", MOST_AMBIGUOUS])
def test_interval_is_that_of_fresh_images(name: str, fresh_images: list[pd.DataFrame]) -> None:
    """The width of the intervals against the spread over images that were drawn anew."""
    rows = [row_of(table, name, "facility_location") for table in fresh_images]
    spread = 2 * 1.96 * float(np.std([row["value"] for row in rows]))
    width = float(np.mean([row["high"] - row["low"] for row in rows]))
    assert 0.6 < width / spread < 1.7


def _none() -> Chosen:
    return Chosen(np.zeros((0, 2)), np.zeros(0, dtype=int), np.zeros((0, 2)), None)


def test_smaller_parts_make_wider_intervals() -> None:
    images = evidence(("medoid_embedding",))
    run = RunParams(seed=0, device="cpu")
    widths = []
    for size in (20, 63):
        few = PARAMS.model_copy(update={"resample_images": size})
        row = row_of(validate(images, few, run), "medoid_embedding", "facility_location")
        widths.append(row["high"] - row["low"])
    assert widths[0] > widths[1]


def test_parts_hold_half_of_each_cluster_and_no_cluster_is_lost() -> None:
    labels = np.repeat([-1, 0, 1, 2], [10, 40, 7, 1])
    random = np.random.default_rng(0)
    for share, counts in ((0.5, [5, 20, 4, 1]), (0.1, [1, 4, 1, 1])):
        rows = _part_of_each(labels, share, random)
        assert np.unique(labels[rows], return_counts=True)[1].tolist() == counts
        assert len(set(rows.tolist())) == len(rows)


def test_chance_is_right_about_itself() -> None:
    """Random choices have p-values that are spread evenly."""
    images = planted(0)
    audience = Audience.of(images, images.reduced)
    random = np.random.default_rng(0)
    p_values = []
    for seed in range(40):
        rows = random.choice(len(images), CLUSTERS, replace=False)
        given = Evidence(audience, {"k_medoids": rows}, [], 0, _none())
        few = PARAMS.model_copy(update={"label_draws": 19, "resamples": 2})
        result = validate(given, few, RunParams(seed=seed, device="cpu"))
        p_values.append(row_of(result, "k_medoids", "facility_location")["p_value"])
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15


def test_no_clusters_have_an_empty_table() -> None:
    images = candidates_of(np.full(30, -1))
    empty = Evidence(Audience.of(images, images.reduced), {}, [], 0, _none())
    assert len(validate(empty, PARAMS, RunParams(seed=0, device="cpu"))) == 0


def test_sentences_say_the_numbers(table: pd.DataFrame) -> None:
    of_medoids = say(row_of(table, "medoid", "precision"), 0.05)
    assert of_medoids.startswith("Medoids separate the clusters better than random images (1.00")
    assert ", and are better than prototypes of shuffled clusters" in of_medoids
    for _, row in table.iterrows():
        sentence = say(row, 0.05)
        assert sentence.endswith(".")
        assert "nan" not in sentence


ROW = {
    "chosen_by": "medoid",
    "measure": "stability",
    "value": 0.5,
    "low": 0.4,
    "high": 0.6,
    "random": 0.9,
    "q_value": 1.0,
    "q_worse": 0.01,
    "q_value_of_cluster": math.nan,
    "random_of_cluster": math.nan,
    "q_value_of_labels": math.nan,
    "shuffled_labels": math.nan,
    "note": "",
}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {},
            "Medoids are less stable across seeds than random images (0.50 [0.40, 0.60] against "
            "0.90, corrected p = 0.010).",
        ),
        (
            {"q_worse": 0.5, "note": "only 3 of 5 repeats gave clusters"},
            "Medoids are not significantly better or worse than random images in stability across "
            "seeds (0.50 [0.40, 0.60] against 0.90, corrected p = 1.000); only 3 of 5 repeats gave "
            "clusters.",
        ),
        (
            {"q_value": 0.02, "random": 0.4987, "q_value_of_labels": 0.3, "shuffled_labels": 0.4},
            "Medoids are more stable across seeds than random images (0.5000 [0.4000, 0.6000] "
            "against 0.4987, corrected p = 0.020), and are not significantly better than "
            "prototypes of shuffled clusters (0.4000, corrected p = 0.300).",
        ),
        (
            {"value": math.nan, "note": "it needs at least two prototypes"},
            "Medoids have no stability across seeds: it needs at least two prototypes.",
        ),
        (
            {"q_value": math.nan, "low": math.nan},
            "Medoids have a stability across seeds of 0.50.",
        ),
    ],
)
def test_sentence(changed: dict[str, object], sentence: str) -> None:
    assert say(pd.Series(ROW | changed), 0.05) == sentence


def doubts(table: pd.DataFrame, shown: str, level: float) -> str:
    return "; ".join(doubts_about(table[table["chosen_by"] == shown], level))


def test_run_doubts_prototypes_that_do_not_beat_chance(table: pd.DataFrame) -> None:
    fragments = doubts(table, "random", 0.05).split("; ")
    assert fragments[0].startswith(
        "the prototypes are not significantly better than random images in:"
    )
    assert "precision" not in fragments[0]
    assert doubts(table[table["measure"] == "precision"], "k_medoids", 0.05) == ""


def test_repeats_without_clusters_are_said() -> None:
    images = planted(0)
    rows = {"medoid": select("medoid", images, 0)}
    some = Evidence(Audience.of(images, images.reduced), rows, [planted(1)], 3, _none())
    none = Evidence(Audience.of(images, images.reduced), rows, [], 3, _none())
    run = RunParams(seed=0, device="cpu")
    for given, note in ((some, "only 1 of 3"), (none, "only 0 of 3")):
        result = validate(given, PARAMS, run)
        assert row_of(result, "medoid", "stability")["note"].startswith(note)
        assert note in doubts(result, "medoid", 0.05)
        assert row_of(result, REAL_BORDERLINE, "coverage_area")["note"].startswith("the test set")
    assert "stability across seeds" in doubts(validate(none, PARAMS, run), "medoid", 0.05)


def test_other_numbers_of_clusters_elsewhere_are_no_disadvantage() -> None:
    """Ambiguity that means nothing is found again as often as chance, whatever K' is."""
    random = np.random.default_rng(0)

    def noise(clusters: int, seed: int) -> Candidates:
        points = np.random.default_rng(seed).normal(size=(120, 6))
        return Candidates(points, points, np.arange(120) % clusters, random.uniform(size=120))

    images = noise(4, 0)
    given = Evidence(
        Audience.of(images, images.reduced),
        {"random": select("random", images, 0)},
        [noise(12, seed) for seed in range(1, 6)],
        5,
        Chosen(noise(4, 9).embeddings[:60], images.labels[:60], images.reduced[:60], None),
    )
    result = validate(given, PARAMS, RunParams(seed=0, device="cpu"))
    chance = row_of(result, RANDOM_BORDERLINE, "stability")
    for name in (MOST_AMBIGUOUS, REAL_BORDERLINE):
        value = row_of(result, name, "stability")["value"]
        assert chance["low"] - 0.05 < value < chance["high"] + 0.05


def test_notes_of_real_images_and_of_small_repeats_say_the_reason() -> None:
    images = planted(0)
    real = Chosen(images.embeddings, images.labels, images.reduced, None)
    rows = {"medoid": select("medoid", images, 0)}
    audience, run = Audience.of(images, images.reduced), RunParams(seed=0, device="cpu")
    none = validate(Evidence(audience, rows, [], 5, real), PARAMS, run)
    sentence = say(row_of(none, REAL_BORDERLINE, "stability"), 0.05)
    assert sentence.endswith("no stability across seeds: only 0 of 5 repeats gave clusters.")
    small = planted(1).rows(np.arange(0, len(images), 2))
    given = Evidence(audience, rows, [small, planted(2)], 3, real, wanted=len(images))
    note = row_of(validate(given, PARAMS, run), "medoid", "stability")["note"]
    assert note == "only 2 of 3 repeats gave clusters, 1 of 3 repeats gave fewer images"
