from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch

from borderline.errors import BorderlineError
from borderline.findings import Pattern, digest_of_patterns
from borderline.params import CallParams, RunParams
from borderline.pipelines.suite.freezing import Found, freeze, patterns_of
from borderline.pipelines.suite.nodes import freeze_suite
from borderline.pipelines.suite.params import SuiteParams
from borderline.suites.folder import files_of, suite_of
from borderline.suites.suite import Suite, digests_of_images
from borderline.verdicts.people import ANSWERS
from conftest import findings_of
from frozen import item, suite

W, A = "weakness", "ambiguous"
MADE = {"borderline": "0.1.0", "seed": 0, "settings": "0" * 16, "license": None}


def found(verdicts: Sequence[str], labels: Sequence[int], prototypes: Sequence[int] = ()) -> Found:
    """The findings about images in clusters; q of the positive class is above one half if even."""
    n = len(verdicts)
    positive = np.where(np.arange(n) % 2 == 0, 0.9, 0.1)
    table = pd.DataFrame({"verdict": verdicts, "positive": positive, "negative": 0.95 - positive})
    clusters = {"labels": torch.tensor(labels)}
    patterns = [
        Pattern(prototype=i, cluster=labels[row], p=0.5, words=f"words {i}")
        for i, row in enumerate(prototypes)
    ]
    findings = findings_of().model_copy(update={"patterns": tuple(patterns)})
    images = torch.linspace(-1, 1, n * 64).reshape(n, 1, 8, 8)
    part = {"images": images, "probabilities": torch.linspace(0.45, 0.55, n)}
    rows = {"rows": torch.tensor(prototypes, dtype=torch.int64)}
    return Found("cnn_2", part, table, clusters, rows, findings)  # type: ignore[arg-type]


def frozen(here: Found, images: int = 100, people: dict[int, str] | None = None) -> Suite:
    answers = {row: [answer == a for a in ANSWERS] for row, answer in (people or {}).items()}
    generator = torch.Generator().manual_seed(0)
    return freeze(here, answers, images, "digits", generator, **MADE)  # type: ignore[arg-type]


def rows_of(suite: Suite, here: Found) -> list[int]:
    digests = digests_of_images(here.borderline["images"])
    return [digests.index(one.digest) for one in suite.items]


def test_only_weaknesses_and_ambiguous_images_are_frozen() -> None:
    verdicts = ["memorised", "unrealistic", "another_class", W, A, "undecided", W, W]
    here = found(verdicts, [0] * 8)
    made = frozen(here, 2)
    everything = frozen(here)
    assert sorted(rows_of(everything, here)) == [3, 4, 6, 7]
    assert made.about.made_with[0].left_out == {
        "Another class": 1,
        "Memorised": 1,
        "More than suite.images": 2,
        "Undecided": 1,
        "Unrealistic": 1,
    }
    assert len(made.items) == 2
    by_row = dict(zip(rows_of(everything, here), everything.items, strict=True))
    assert [by_row[row].label for row in (3, 4, 6, 7)] == [0, None, 1, 0]
    assert [by_row[row].label_source for row in (3, 4)] == ["committee", None]
    assert by_row[6].committee_p == pytest.approx(0.9 / 0.95)
    assert by_row[3].p == float(here.borderline["probabilities"][3])
    assert suite_of(files_of(everything), "").items == everything.items


def test_patterns_have_equal_parts_and_prototypes_come_first() -> None:
    labels = [0] * 20 + [1] * 4 + [-1] * 6
    here = found([W] * 30, labels, [7, 22])
    assert rows_of(frozen(here, 2), here) == [7, 22]
    rows = rows_of(frozen(here, 8), here)
    assert sum(row < 20 for row in rows) == 4
    assert sorted(row for row in rows if row >= 20) == [20, 21, 22, 23]
    # The others of a pattern are no first ones of an order.
    assert [row for row in rows if row < 20] != [7, 0, 1, 2]
    everything = frozen(here)
    assert {one.pattern for one in everything.items[:24]} == {0, 1}
    assert [one.pattern for one in everything.items[24:]] == [None] * 6
    assert everything.items[0].words == "words 0"
    assert everything.items[-1].words == ""


def test_the_same_findings_give_the_same_files() -> None:
    here = found([W] * 9, [0] * 9, [3])
    assert files_of(frozen(here, 5)) == files_of(frozen(here, 5))


def test_images_of_two_prototypes_of_a_cluster_and_of_none() -> None:
    here = found([W] * 5, [0, 0, 1, -1, -1], [1, 0, 3])
    assert patterns_of(here).tolist() == [0, 0, -1, 2, -1]


def test_people_count_before_the_committee() -> None:
    here = found([W, W, W, A, "undecided", W, "unrealistic", "memorised"], [0] * 8)
    people = {0: "negative", 1: "neither", 2: "cannot_tell", 3: "positive", 4: "positive"}
    made = frozen(here, people={**people, 6: "cannot_tell", 7: "positive"})
    by_row = dict(zip(rows_of(made, here), made.items, strict=True))
    assert {row: (one.verdict, one.label, one.label_source) for row, one in by_row.items()} == {
        0: (W, 0, "people"),
        2: (A, None, "people"),
        3: (W, 1, "people"),
        4: (W, 1, "people"),
        5: (W, 0, "committee"),
        6: (A, None, "people"),
    }
    assert made.about.overruled == 5
    assert {row: one.overruled for row, one in by_row.items()} == {
        **dict.fromkeys((0, 2, 3, 4, 6), True),
        5: None,
    }
    agreed = frozen(found([W], [0]), people={0: "positive"})
    assert agreed.items[0].overruled is False
    assert agreed.about.overruled == 0
    assert made.about.made_with[0].left_out == {
        "Memorised": 1,
        "Neither class, as people see it": 1,
    }


def test_equal_images_are_frozen_once() -> None:
    here = found([W] * 3, [0] * 3)
    here.borderline["images"][2] = here.borderline["images"][0]
    made = frozen(here)
    assert len(made.items) == 2
    assert made.about.made_with[0].left_out == {"Equal to another image": 1}


@pytest.mark.parametrize("verdicts", [["undecided", "memorised"], []])
def test_model_without_such_images_is_one_sentence(verdicts: list[str]) -> None:
    with pytest.raises(BorderlineError, match="cnn_2 has no suite, because none of its") as caught:
        frozen(found(verdicts, [0] * len(verdicts)))
    assert ("1 memorised, 1 undecided" in str(caught.value)) == bool(verdicts)


def test_without_a_committee_there_is_no_target() -> None:
    here = found([W], [0])
    here.verdicts[["positive", "negative"]] = np.nan
    made = frozen(here, people={0: "positive"})
    assert made.items[0].committee_p is None


def test_node_merges_other_suites() -> None:
    here = found([W, W], [0, 0], [1])
    made_for = digest_of_patterns(here.borderline, here.clusters, here.prototypes)
    other = suite({5: item(5)}, source="SVHN")
    files = freeze_suite(
        here.borderline,
        here.verdicts,
        {"made_for": made_for, "answers": {"0": dict.fromkeys(ANSWERS, 0) | {"negative": 1}}},
        {},
        here.clusters,
        here.prototypes,
        {"packages": {"borderline": "9.9"}},
        {"run": {"seed": 3}},
        {"theirs": files_of(other)},
        dataset="digits",
        license_name="mit",
        suite=SuiteParams(images=9, merge=("theirs",)),
        call=CallParams(listed=("run",)),
        run=RunParams(seed=3, device="cpu"),
        **{"cnn_9.findings": here.findings.model_dump(mode="json")},
    )
    made = suite_of(files, "")
    assert len(made.items) == 3
    assert {one.model for one in made.items} == {"cnn_9", "cnn_2"}
    assert [one.label_source for one in made.items].count("people") == 1
    assert made.about.made_with[0].borderline == "9.9"
    assert made.about.made_with[0].seed == 3
    assert made.about.source == "digits, SVHN"
