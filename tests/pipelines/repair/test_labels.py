from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from borderline.pipelines.repair.labels import (
    COUNT_COLUMNS,
    count_labels,
    labels_in_words,
    labels_of,
)
from repairs import repair_params

VERDICTS = pd.DataFrame(
    {
        "verdict": [
            *("weakness", "weakness", "ambiguous", "another_class", "unrealistic", "memorised"),
            "undecided",
        ],
        "positive": [0.9, 0.05, 0.3, 0.1, 0.9, 0.9, 0.5],
        "negative": [0.05, 0.9, 0.6, 0.1, 0.05, 0.05, 0.2],
    }
)


def test_the_committee_labels_what_it_is_sure_of_and_nothing_else_trains() -> None:
    table = labels_of(VERDICTS)
    assert list(table["label_kind"]) == ["hard", "hard", "soft", *["never"] * 4]
    assert table["target"][:2].tolist() == [1, 0]
    assert table["target"][2] == table["mean"][2] == pytest.approx(1 / 3)
    assert table["mean"][0] == pytest.approx(0.9 / 0.95)
    assert table[["target", "mean"]][3:].isna().all(axis=None)


@pytest.mark.parametrize(
    ("counts", "label", "target"),
    [
        ([2, 1, 0, 0], "hard", 1),
        ([0, 3, 0, 2], "hard", 0),
        ([1, 1, 0, 0], "soft", 0.5),
        ([1, 0, 0, 2], "soft", 2 / 3),
        ([0, 0, 0, 2], "soft", 0.5),
        ([0, 1, 1, 0], "soft", 0.25),
        ([1, 0, 2, 0], "never", np.nan),
    ],
)
def test_people_count_before_the_committee(counts: list[int], label: str, target: float) -> None:
    table = labels_of(VERDICTS, {0: counts})
    assert (table["label_source"][0], table["label_kind"][0]) == ("people", label)
    assert table["target"][0] == pytest.approx(target, nan_ok=True)
    assert list(table["label_source"][1:]) == ["committee"] * 6


def test_people_can_label_an_image_that_the_committee_does_not_take_for_one() -> None:
    table = labels_of(VERDICTS, {3: [3, 0, 0, 0]})
    assert (table["label_kind"][3], table["target"][3]) == ("hard", 1)


def test_people_cannot_see_that_an_image_is_a_copy() -> None:
    assert labels_of(VERDICTS, {5: [3, 0, 0, 0]})["label_kind"][5] == "never"


def test_without_an_opinion_nothing_trains() -> None:
    none = VERDICTS.assign(verdict="undecided", positive=np.nan, negative=np.nan)
    assert (labels_of(none)["label_kind"] == "never").all()
    assert len(labels_of(VERDICTS[:0])) == 0


@pytest.mark.parametrize(
    ("arms", "rule", "ambiguous"),
    [
        (["boundary"], "leave_out", "is ambiguous to the committee of judges and left out"),
        (
            ["boundary", "soft"],
            "leave_out",
            "is ambiguous to the committee of judges, left out by all arms but that of soft labels",
        ),
        (["boundary"], "soft", "has a soft label by the committee of judges"),
    ],
)
def test_labels_are_counted_and_said(arms: list[str], rule: str, ambiguous: str) -> None:
    counts = count_labels({"borderline images": labels_of(VERDICTS, {1: [0, 3, 0, 0]})})
    assert list(counts) == COUNT_COLUMNS
    assert counts["images"].sum() == 7
    says = (
        "Of 7 borderline images, 1 has a label by people; 1 has a label by the committee of "
        f"judges; 1 {ambiguous}; 4 never train (1 another class, 1 memorised, 1 undecided, "
        "1 unrealistic)."
    )
    assert labels_in_words(counts, repair_params("again", *arms, ambiguous=rule)) == [says]
    assert list(count_labels({})) == COUNT_COLUMNS
