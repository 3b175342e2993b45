from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch

from borderline.errors import BorderlineError
from borderline.params import RunParams
from borderline.pipelines.compare.nodes import carry_patterns_over, compare_models, write_comparison
from compared import COMPARE, PAIRING, side, wired
from conftest import findings_of

# Without a search for disagreements.
NONE: tuple[Any, ...] = ({}, {"wanted": 0}, pd.DataFrame())


def test_each_side_is_seen_by_the_other_model(run: RunParams) -> None:
    this, other = side(0), side(3)
    # The other model is sure of the images of this side, and this model is unsure of both.
    other["borderline"]["images"].view(60, 4)[:, 0] = 0
    settings: dict[str, Any] = {"pairing": PAIRING, "compare": COMPARE, "run": run}
    sides = wired(this, other)
    patterns = carry_patterns_over(**settings, **sides)
    assert patterns["model"].tolist() == ["a", "a", "b", "b"]
    assert patterns["verdict"].tolist() == ["own", "own", "shared", "shared"]
    swapped = carry_patterns_over(**settings, **wired(other, this))
    assert swapped["verdict"].tolist() == ["shared", "shared", "own", "own"]
    measures, errors = compare_models(pairing=PAIRING, **sides)
    page = write_comparison(measures, errors, patterns, *NONE, **settings, **sides)
    assert "a has 2 patterns: 0 shared with b, 2 of a only, 0 open." in page
    assert "b has 2 patterns: 2 shared with a, 0 of b only, 0 open." in page
    assert page.count("p = 0.99 for b") == 6, "prototype and two members of two patterns"


def test_errors_are_those_of_the_real_views() -> None:
    this, other = side(0), side(3)
    other["real_view"] = {"test_p": 1 - this["real_view"]["test_p"]}
    _, errors = compare_models(pairing=PAIRING, **wired(this, other))
    assert (errors["only_this"], errors["only_other"]) == (0, 40)
    other["pair_test"] = other["pair_test"] | {"images": torch.zeros(40, 1, 2, 2)}
    _, errors = compare_models(pairing=PAIRING, **wired(this, other))
    assert errors == {"only_this": None, "only_other": None, "p_value": None}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("classifier", "os.system"),
        ("borderline", {}),
        ("borderline", {"images": torch.zeros(60, 1, 2, 2, dtype=torch.int64)}),
        ("clusters", {}),
        ("clusters", {"labels": torch.zeros(3)}),
        ("prototypes", {"images": torch.zeros(0, 1, 2, 2)}),
        ("prototypes", {"images": torch.zeros(2, 1, 3, 3)}),
        ("real_view", {"test_p": torch.zeros(2)}),
        ("pair_test", {"images": torch.zeros(40, 1, 2, 2)}),
        ("findings", findings_of(2).model_dump(mode="json") | {"measures": {}}),
    ],
)
def test_results_of_others_that_do_not_fit_each_other(name: str, changed: Any) -> None:
    sides = wired(side(0), side(3) | {name: changed})
    with pytest.raises(BorderlineError, match="The results of b do not fit each other"):
        compare_models(pairing=PAIRING, **sides)


def test_other_images_or_classes_are_not_compared() -> None:
    other = side(3)
    for name in ("pair_test", "borderline", "prototypes"):
        images = torch.zeros(len(other[name]["images"]), 1, 3, 3)
        other[name] = other[name] | {"images": images}
    with pytest.raises(BorderlineError, match=r"b has test images of shape \(1, 3, 3\)"):
        compare_models(pairing=PAIRING, **wired(side(0), other))
    swapped = side(3, positive="1", negative="7")
    with pytest.raises(BorderlineError, match="b tells 1 from 7, and a 7 from 1"):
        compare_models(pairing=PAIRING, **wired(side(0), swapped))


def test_a_side_with_blends_or_a_quick_look_marks_the_page(run: RunParams) -> None:
    blends = {"generator": "pixels", "baseline": "blends of two real images"}
    settings: dict[str, Any] = {"pairing": PAIRING, "compare": COMPARE, "run": run}
    sides = wired(side(0), side(3, quick=True, **blends))
    patterns = carry_patterns_over(**settings, **sides)
    measures, errors = compare_models(pairing=PAIRING, **sides)
    page = write_comparison(measures, errors, patterns, *NONE, **settings, **sides)
    assert "Quick look: reduced settings" in page
    assert "<h2>Patterns of a</h2>" in page
    assert "<h2>Patterns of b: blends of two real images</h2>" in page
