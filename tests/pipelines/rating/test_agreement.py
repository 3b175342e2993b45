from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from borderline.params import RunParams
from borderline.pipelines.rating.agreement import (
    alpha,
    alpha_with_interval,
    committee_answers,
    effective_answers,
    kappa,
    kappa_with_interval,
    majority,
    table_of_agreement,
)
from raters import ANSWERS, items_of, rated, rating_params


def counted(*raters: list[int]) -> np.ndarray:
    """Answers by image from lists of answers; -1 for none."""
    counts = np.zeros((len(raters[0]), len(ANSWERS)), dtype=np.int64)
    for answers in raters:
        for image, answer in enumerate(answers):
            if answer >= 0:
                counts[image, answer] += 1
    return counts


def alpha_by_pairs(*raters: list[int]) -> float:
    """Krippendorff's definition: observed over expected disagreement of pairs of answers."""
    images = [[a for a in answers if a >= 0] for answers in zip(*raters, strict=True)]
    images = [answers for answers in images if len(answers) > 1]
    every = [a for answers in images for a in answers]
    observed = sum(
        sum(a != b for a, b in itertools.permutations(answers, 2)) / (len(answers) - 1)
        for answers in images
    ) / len(every)
    pairs = list(itertools.permutations(every, 2))
    return 1 - observed / (sum(a != b for a, b in pairs) / len(pairs))


def random_raters(raters: int, images: int, missing: float = 0.0) -> list[list[int]]:
    random = np.random.default_rng(3)
    answers = random.integers(0, 4, (raters, images))
    answers[random.random(answers.shape) < missing] = -1
    return answers.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("raters", "missing"), [(2, 0.0), (3, 0.3), (5, 0.6)])
def test_alpha_is_that_of_its_definition(raters: int, missing: float) -> None:
    answers = random_raters(raters, 30, missing)
    answers[1] = [a if i % 3 else b for i, (a, b) in enumerate(zip(*answers[:2], strict=True))]
    assert alpha(counted(*answers)) == pytest.approx(alpha_by_pairs(*answers))


def test_alpha_of_published_data() -> None:
    """Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, part C: .743 (nominal)."""
    none = -1
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, none, none, none],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, none, 3],
        [none, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, none],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, none],
    ]
    counts = np.zeros((12, 5), dtype=np.int64)
    for rater in data:
        for image, value in enumerate(rater):
            if value > 0:
                counts[image, value - 1] += 1
    assert alpha(counts) == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_perfect_and_of_random_answers() -> None:
    (answers,) = random_raters(1, 40)
    assert alpha(counted(answers, answers, answers)) == 1
    assert abs(alpha(counted(*random_raters(3, 2000)))) < 0.03


@pytest.mark.parametrize("raters", [[[0, 1, 2]], [[0, 0, 0], [0, 0, 0]], [[0, -1], [-1, 1]]])
def test_alpha_is_unknown_without_pairs_or_without_variety(raters: list[list[int]]) -> None:
    assert np.isnan(alpha(counted(*raters)))
    assert np.isnan(alpha_with_interval(counted(*raters), 20, 0)).all()


def test_interval_of_alpha_covers_the_truth() -> None:
    """Two raters who agree by knowledge in 60 % of images and guess otherwise: alpha .6."""
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(40):
        truth, *guesses = random.integers(0, 4, (3, 80))
        known = random.random(80) < 0.6
        answers = [np.where(known, truth, guess).tolist() for guess in guesses]
        found = alpha_with_interval(counted(*answers), 100, seed)
        covered += found.low <= 0.6 <= found.high
    assert covered >= 34


def test_kappa_is_that_of_its_definition() -> None:
    people, committee = (np.array(answers) for answers in random_raters(2, 50))
    committee[:30] = people[:30]
    observed = (people == committee).mean()
    chance = sum((people == a).mean() * (committee == a).mean() for a in range(4))
    assert kappa(people, committee) == pytest.approx((observed - chance) / (1 - chance))
    assert kappa(people, people) == 1
    one, other = (np.array(answers) for answers in random_raters(2, 4000))
    assert abs(kappa(one, other)) < 0.03


def test_kappa_is_unknown_without_images_or_variety() -> None:
    same = np.zeros(5, dtype=int)
    assert np.isnan(kappa(same, same))
    assert np.isnan(kappa_with_interval(same[:0], same[:0], 20, 0)).all()


def test_majority_of_split_people_cannot_tell() -> None:
    counts = np.array([[3, 1, 0, 0], [2, 2, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0], [0, 1, 0, 2]])
    assert [ANSWERS[i] for i in majority(counts)] == [
        *("positive", "cannot_tell", "neither", "cannot_tell", "cannot_tell")
    ]


def opinions(*rows: tuple[float, float]) -> pd.DataFrame:
    """The verdicts table of probabilities of the positive and the negative class."""
    table = pd.DataFrame(rows, columns=["positive", "negative"])
    return table.assign(beside=1 - table["positive"] - table["negative"])


def test_committee_answers_by_the_rule() -> None:
    table = opinions((0.95, 0.05), (0.1, 0.8), (0.6, 0.3), (0.15, 0.25), (0.8, 0.2))
    answers = committee_answers(table, beside=0.5, split=0.25)
    assert answers is not None
    assert [ANSWERS[i] for i in answers] == [
        *("positive", "negative", "cannot_tell", "neither", "positive")
    ]
    assert committee_answers(opinions((np.nan, np.nan)), beside=0.5, split=0.25) is None


@pytest.mark.parametrize(
    ("agreement", "answers"), [(1.0, 10), (0.0, 30), (0.5, 15), (np.nan, 10), (-0.2, 30)]
)
def test_answers_of_people_who_agree_count_once(agreement: float, answers: float) -> None:
    assert effective_answers(counted(*random_raters(3, 10)), agreement) == pytest.approx(answers)


def test_answers_of_one_person_are_independent() -> None:
    assert effective_answers(counted(*random_raters(1, 10)), 0.9) == pytest.approx(10)
    assert effective_answers(counted([-1, -1]), 0.9) == 0


def test_table_has_alpha_by_kind_and_kappa_with_a_committee(run: RunParams) -> None:
    items = items_of(rated())
    kinds = items["kind"].numpy()
    counts = np.zeros((len(kinds), 4), dtype=np.int64)
    counts[np.arange(len(kinds)), items["row"].numpy() % 2] = 2
    committee = np.arange(40) % 2
    committee[:20] = 3
    settings: Any = rating_params(), run
    table = table_of_agreement(counts, items, committee, *settings)
    assert table["kind"].tolist() == ["all", "borderline", "real", "blend", "borderline"]
    alphas = table[table["measure"] == "alpha"].set_index("kind")
    assert (alphas["value"].dropna() == 1).all()
    assert alphas["images"].to_dict() == {"all": 19, "borderline": 8, "real": 8, "blend": 3}
    assert np.isnan(alphas["value"]["blend"]), "all blends have the same answer"
    row = table[table["measure"] == "kappa"].iloc[0]
    here = items["row"].numpy()[kinds == 0]
    assert row["value"] == pytest.approx(kappa(here % 2, committee[here]))
    assert row["low"] <= row["value"] <= row["high"]
    again = table_of_agreement(counts, items, committee, *settings)
    assert again.equals(table), "the same seed gives the same table"
    assert "kappa" not in set(table_of_agreement(counts, items, None, *settings)["measure"])
