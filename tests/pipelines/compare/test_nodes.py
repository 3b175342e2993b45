from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from borderline.committee import Committee
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.params import Pairing, PairParams, RunParams
from borderline.pipelines.compare.nodes import (
    carry_patterns_over,
    compare_models,
    find_disagreements,
    judge_disagreements,
    write_comparison,
)
from borderline.pipelines.metrics.measuring import describe
from compared import COMPARE, PAIRING, side, wired
from conftest import findings_of
from planted import THRESHOLDS

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


@pytest.mark.parametrize(
    ("repaired", "elsewhere", "a_has", "b_has"),
    [
        ({"other": "a"}, False, "2 gone", "2 new"),
        ({"this": "b"}, False, "2 new", "2 gone"),
        ({"other": "a"}, True, "2 of a only", "2 of b of the other run only"),
        ({"other": "c"}, False, "2 of a only", "2 of b only"),
    ],
)
def test_patterns_of_a_repaired_model_are_gone_or_new(
    run: RunParams, repaired: dict[str, str], elsewhere: bool, a_has: str, b_has: str
) -> None:
    pairing = Pairing(this="a", other="b", elsewhere=elsewhere)
    this = side(0, repaired_from=repaired.get("this", ""))
    other = side(3, repaired_from=repaired.get("other", ""))
    settings: dict[str, Any] = {"pairing": pairing, "compare": COMPARE, "run": run}
    sides = wired(this, other)
    patterns = carry_patterns_over(**settings, **sides)
    assert set(patterns["verdict"]) == {"own"}
    measures, errors = compare_models(pairing=pairing, **sides)
    page = write_comparison(measures, errors, patterns, *NONE, **settings, **sides)
    for has, opposite in ((a_has, pairing.names[1]), (b_has, "a")):
        assert f": 0 shared with {opposite}, {has}, 0 open." in page
        badge = has.removeprefix("2 ").removeprefix("of ")
        assert page.count(f'<span class="badge">{badge}</span>') == 2


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


@pytest.mark.parametrize(("number", "words"), [(1, "1 test image"), (2, "2 test images")])
def test_one_image_is_no_images(run: RunParams, number: int, words: str) -> None:
    this, other = side(0), side(3)
    this["pair_test"]["labels"][:number] = 1
    other["pair_test"]["labels"][:number] = 1
    p = other["real_view"]["test_p"].clone()
    p[:number] = 1
    other["real_view"] = {"test_p": p}
    for each in (this, other):
        # A pattern of one image.
        each["clusters"] = {"labels": torch.tensor([0] + [1] * 59)}
    settings: dict[str, Any] = {"pairing": PAIRING, "compare": COMPARE, "run": run}
    sides = wired(this, other)
    patterns = carry_patterns_over(**settings, **sides)
    measures, errors = compare_models(pairing=PAIRING, **sides)
    assert (errors["only_this"], errors["only_other"]) == (number, 0)
    page = write_comparison(measures, errors, patterns, *NONE, **settings, **sides)
    assert f"a alone is wrong on {words}, b alone on 0." in page
    assert page.count("of its only image by rank") == 2
    assert page.count("of the 59 images by rank") == 2


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


class Judge(torch.nn.Module):
    """A judge whose features are the pixels, sure of a 7 where the last one is above 0."""

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        last = 20 * images.flatten(1)[:, 3]
        return torch.stack([-last, last], dim=1)


def judged(images: torch.Tensor, this_p: list[float], run: RunParams, pair: PairParams) -> Any:
    """The disagreements and their table; real images lie around 0, and are up to 1 apart."""
    train = torch.linspace(-1, 1, 9).view(9, 1, 1, 1) * torch.ones(9, 1, 2, 2)
    labels = torch.tensor([0, 1] * 4 + [0])
    real = {"images": train, "labels": labels}
    source = SourceImages(name="s", classes=("1", "7"), train=real, test=real)  # type: ignore[arg-type]
    steps = torch.linspace(0.1, 2, 9)
    names = ("pixel_nearest", "pixel_neighbour", "feature_nearest", "feature_neighbour")
    held_out: Any = {**dict.fromkeys(names, steps), "train_features": train.flatten(1)}
    test = side(0)["pair_test"]["images"].flatten(1)
    reference = describe("lenet", train.flatten(1), test, neighbours=1)
    p, number = torch.tensor(this_p), len(this_p)
    found: Any = {"images": images, "latents": images.flatten(1), "this_p": p, "other_p": 1 - p}
    found |= {"width": torch.linspace(0.5, 0.1, number).double(), "angle": torch.ones(number)}
    committee = Committee(members=(Judge(),), classes=("1", "7"), positive=1, negative=0)
    table = judge_disagreements(
        *(found, committee, Judge(), source, held_out, reference),
        **{"pairing": PAIRING, "verdicts": THRESHOLDS, "pair": pair, "run": run},
        **wired(side(0), side(3)),
    )
    return found, table


def test_disagreements_are_judged_and_shown(run: RunParams, pair: PairParams) -> None:
    images = torch.tensor([[1.0, 0.9, 1, 1], [-1, -1, -0.9, -1], [0, 0, 0, 0.001], [8, 8, 8, 8]])
    found, table = judged(images.view(4, 1, 2, 2), [0.9, 0.8, 0.7, 0.6], run, pair)
    assert table["verdict"].tolist() == ["memorised", "memorised", "memorised", "unrealistic"]
    assert table["realistic"].tolist() == [True, True, True, False]
    away = torch.tensor([[0.6, 0.6, 0.2, 0.6], [-0.6, -0.6, -0.2, -0.6]]).view(2, 1, 2, 2)
    found, table = judged(away, [0.9, 0.8], run, pair)
    assert table["right"].tolist() == ["a", "b"]
    counts = {"wanted": 2, "found": 2, "evaluations": 40, "random_images": 20, "note": ""}
    counts |= {"random_found": 1, "ratio": 2.0, "low": 0.1, "high": 118.0}
    settings: dict[str, Any] = {"pairing": PAIRING, "run": run}
    settings["compare"] = COMPARE.model_copy(update={"disagreements": 2, "shown": 1})
    sides = wired(side(0), side(3))
    measures, errors = compare_models(pairing=PAIRING, **sides)
    patterns = carry_patterns_over(**settings, **sides)
    page = write_comparison(measures, errors, patterns, found, counts, table, **settings, **sides)
    for verdict, said in (("unrealistic", 0), ("undecided", 1)):
        other = table.assign(verdict=verdict, right="", realistic=False)
        again = measures, errors, patterns, found, counts, other
        assert write_comparison(*again, **settings, **sides).count("Unlike the real") == said
    assert page.count("<figcaption>") == 1
    assert "Committee: 7, so <strong>a</strong> is right." in page
    assert "a: <strong>7</strong> (0.90)" in page
    assert "b: <strong>1</strong> (0.10)" in page
    assert "50 % of the arc." in page.replace("\N{NO-BREAK SPACE}", " ")
    assert page.count("is sure of 2 of 2 of these images; a is right on 50 % [9, 91] of them") == 2


def test_no_disagreements_leave_an_empty_table_and_a_sentence(
    run: RunParams, pair: PairParams
) -> None:
    found, table = judged(torch.zeros(0, 1, 2, 2), [], run, pair)
    assert len(table) == 0
    settings: dict[str, Any] = {"pairing": PAIRING, "run": run}
    settings["compare"] = COMPARE.model_copy(update={"disagreements": 5})
    sides = wired(side(0), side(3))
    _, counts = find_disagreements(SimpleNamespace(decoder=None), **settings, **sides)
    measures, errors = compare_models(pairing=PAIRING, **sides)
    patterns = carry_patterns_over(**settings, **sides)
    page = write_comparison(measures, errors, patterns, found, counts, table, **settings, **sides)
    assert page.count("makes its images without latents") == 2
