from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest
import torch

from borderline.findings import Repair
from borderline.pipelines.repair.circumstances import Circumstances, circumstances_of
from borderline.pipelines.repair.comparison import compare_arms
from borderline.pipelines.repair.labels import count_labels, labels_of
from borderline.pipelines.repair.words import describe
from repairs import compared, fresh_of, repair_params

BAD, GOOD = [range(10, 22), range(20, 33), range(30, 41)], [range(4), range(5), range(4)]
VERDICT = ["positive", "negative", "verdict"]
LEFT_OUT = {"random": "no labelled images"}


def repaired(
    wrong: Mapping[str, Sequence[Sequence[int]]],
    *,
    keep: str | None = None,
    about: Mapping[str, object] | None = None,
    **images: Any,
) -> Repair:
    known: dict[str, Any] = {
        "added": ["3 of 5 images have the label of the committee."],
        "left_out": {},
        "diverged": [],
        "kept": "boundary",
        "selection_loss": 0.02,
        "kept_error": 0.0125,
    }
    circumstances = Circumstances(**known | dict(about or {}))
    table = compare_arms(*compared(wrong, images=200, **images))
    return describe(table, circumstances, repair_params(*wrong, seeds=3, keep=keep), "digest")


@pytest.mark.parametrize(
    ("arms", "begins", "holds"),
    [
        (
            {"again": BAD, "boundary": GOOD, "random": BAD[::-1]},
            "Borderline images help here: the error on 200 test images falls from 6.00 % to 2.17 % "
            "(difference -3.83 [",
            "further than with random generated images (difference between both -3.83 [-4.",
        ),
        (
            {"again": BAD, "boundary": GOOD, "random": GOOD[::-1]},
            "Borderline images lower the error here, but so do random generated images: ",
            "with random generated images it is 2.17 %",
        ),
        (
            {"again": GOOD, "boundary": BAD, "random": GOOD[::-1]},
            "Borderline images make it worse here: the error on 200 test images rises from 2.17 %",
            "corrected p = 0.0",
        ),
        (
            {"again": BAD, "boundary": BAD[::-1], "random": GOOD},
            "Borderline images do not help here: the error on 200 test images is 6.00 % with them "
            "and 6.00 % without (difference +0.00 [",
            "corrected p = 1.00), no significant difference.",
        ),
        (
            {"again": BAD, "boundary": BAD, "random": GOOD},
            "Borderline images do not help here: ",
            "(difference +0.00 points), no significant difference.",
        ),
        (
            {"again": BAD, "boundary": [range(11), range(12), range(10)]},
            "Whether borderline images help here cannot be tested: ",
            "is 5.50 % with them and 6.00 % without, but the difference does not vary",
        ),
        (
            {"again": BAD, "boundary": GOOD},
            "Borderline images lower the error here: ",
            "unknown, because their arm has no labelled images.",
        ),
        (
            {"again": BAD, "boundary": GOOD, "random": [range(1)] * 3},
            "Borderline images lower the error here, but random generated images more: ",
            "with random generated images it is 0.50 % (difference +1.67 [",
        ),
        (
            {"again": BAD, "soft": GOOD},
            "Borderline images with soft labels lower the error",
            "p = ",
        ),
    ],
)
def test_first_sentence_claims_what_the_tests_show(
    arms: dict[str, Any], begins: str, holds: str
) -> None:
    first = repaired(arms, about={"left_out": LEFT_OUT}).says[0]
    assert first.startswith(begins)
    assert holds in first


def test_a_difference_to_chance_is_claimed_only_if_significant() -> None:
    arms = {"again": BAD, "boundary": GOOD, "random": [range(1), range(9), range(20)]}
    assert "but not significantly further than random" in repaired(arms).says[0]


def test_corrected_p_decides_where_the_interval_excludes_0() -> None:
    some = [range(10, 17), range(10, 16), range(10, 14)]
    same = dict.fromkeys(("random", "uncertain", "augmented"), BAD[::-1])
    first = repaired({"again": [range(10, 22)] * 3, "boundary": some, **same}).says[0]
    assert first.startswith("Borderline images do not help here: ")
    assert "[-5.06, -1.27] points, corrected p = 0.075, which decides, because the int" in first


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        (30, "are the same images here, because no others have a label."),
        (50, "are mostly the same images here (60 % on average), because only 50 have a label."),
        (60, None),
    ],
)
def test_arms_that_add_the_same_images_are_named(pool: int, says: str | None) -> None:
    pools = {f"{arm}.images": torch.zeros(pool, 1, 2, 2) for arm in ("boundary", "prototypes")}
    settings = repair_params("again", "boundary", "prototypes", images=30)
    about = circumstances_of([], "boundary", pools, count_labels({}), SCORES, settings)
    begins = "Borderline images and borderline images near prototypes "
    assert list(about.added[1:]) == ([begins + says] if says else [])


def test_all_trainings_of_an_arm_may_diverge() -> None:
    outcomes, scored = compared({"again": BAD, "boundary": GOOD}, images=200)
    outcomes[4:] = [each._replace(test_p=each.test_p * float("nan")) for each in outcomes[4:]]
    about = Circumstances(
        [], {}, ["borderline images (seed 1)"], "boundary", float("nan"), float("nan")
    )
    settings = repair_params("again", "boundary", seeds=3)
    repair = describe(compare_arms(outcomes, scored), about, settings, "digest")
    assert repair.says[0] == (
        "Whether borderline images help is unknown: all trainings of an arm diverged."
    )
    assert "Diverged, and therefore without scores: borderline images (seed 1)." in repair.says
    assert repair.arms[2].error.value is None


def test_circumstances_are_said() -> None:
    says = repaired(
        {"again": BAD, "boundary": GOOD, "uncertain": GOOD[::-1]}, about={"left_out": LEFT_OUT}
    ).says
    text = "\n".join(says)
    # The majority gets images 20 and 30 of the control wrong, and the first 4 with the arm.
    assert "only with borderline images, and " in says[1]
    assert "McNemar's test, corrected p = " in says[1]
    for sentence in (
        "3 of 5 images have the label of the committee.",
        "Arms that are left out: random generated images. Each of them has no labelled images.",
        "lower the error: uncertain real images (difference -3.83",
        "it has the lowest mean loss on the selection images, 0.0200.",
        "are over 3 training seeds, paired, on these 200 test images: they do not cover the choice "
        "of the test images.",
        "There are no patterns to compare. There are no fresh images that the committee is sure of",
    ):
        assert sentence in text
    assert "The kept model has an error of 1.25 % on the test images, the model as it is " in text
    kept = repaired({"again": BAD, "boundary": GOOD}, keep="boundary").says
    kept_says = (
        "The model with borderline images is kept, as the setting repair.keep says. The kept"
    )
    assert any(sentence.startswith(kept_says) for sentence in kept)


def test_page_begins_with_an_arm_that_could_not_be_tried() -> None:
    why = {"boundary": "no labelled images", "soft": "no labelled images"}
    says = repaired({"again": BAD, "uncertain": BAD[::-1]}, about={"left_out": why}).says
    assert says[0] == (
        "Whether borderline images help here is unknown: their arm is left out, because it has no "
        "labelled images."
    )
    assert says[1].startswith("Uncertain real images do not help here: ")
    assert (
        "Arms that are left out: borderline images, borderline images with soft labels. Each of "
        "them has no labelled images."
    ) in says


def test_patterns_that_change_are_named() -> None:
    fresh = fresh_of([0] * 20 + [1] * 20)
    fresh_wrong = {"again": [range(20), range(18), range(19)], "boundary": [[], [], [0]]}
    arms = {"again": BAD, "boundary": GOOD}
    text = "\n".join(repaired(arms, fresh=fresh, fresh_wrong=fresh_wrong, patterns=2).says)
    assert "pattern 0: accuracy on fresh images, 5.00 % to 98.33 % (corrected p" in text
    assert "pattern 1" not in text
    same = "\n".join(repaired(arms, fresh=fresh, patterns=2).says)
    assert "No pattern's accuracy on fresh images or error near it changes significantly" in same


def test_rows_of_the_report_are_those_of_the_table() -> None:
    repair = repaired({"again": BAD, "boundary": GOOD, "random": BAD[::-1]})
    assert [arm.name for arm in repair.arms] == ["as_is", "again", "boundary", "random"]
    again, boundary = repair.arms[1:3]
    assert again.to_again.value is None
    assert boundary.to_again.value == pytest.approx(13 / 600 - 0.06)
    assert boundary.to_again_p is not None
    assert boundary.to_random.high is not None
    assert boundary.fresh.value is None
    assert Repair.read(repair.model_dump(mode="json")) == repair


SCORES = pd.DataFrame({"arm": ["boundary"] * 2, "seed": [1, 2], "error": [0.25, 0.5]})


def test_circumstances_are_those_of_the_images_and_trainings() -> None:
    outcomes, _ = compared({"again": BAD, "boundary": GOOD}, images=200)
    outcomes[1] = outcomes[1]._replace(test_p=outcomes[1].test_p * float("nan"))
    labels = labels_of(pd.DataFrame([(0.9, 0.1, "weakness")] * 3, columns=VERDICT))
    counts = count_labels({"borderline images": labels})
    sizes = {"boundary": 30, "random": 0, "soft": 1}
    pools = {f"{arm}.images": torch.zeros(size, 1, 2, 2) for arm, size in sizes.items()}
    pools |= {f"{arm}.targets": torch.arange(size) % 3 / 2 for arm, size in sizes.items()}
    settings = repair_params("again", *sizes, seeds=3)
    about = circumstances_of(outcomes[1:], "boundary", pools, counts, SCORES, settings)
    assert about == Circumstances(
        added=[
            "Each arm with added images adds 30 to the training images, not 400 (repair.images): "
            "the smallest has no more (borderline images).",
            "Of 3 borderline images, 3 have a label by the committee of judges.",
            "Mean label of the added images, where 1 is the positive class: borderline images "
            "0.50.",
        ],
        left_out={
            "random": "no images, because the chosen generator blends real images",
            "soft": "1 labelled image, and at least 20 are needed",
        },
        diverged=["no added images (seed 1)"],
        kept="boundary",
        selection_loss=pytest.approx(0.2),
        kept_error=0.25,
    )
