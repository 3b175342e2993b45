from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binom

from borderline.params import RunParams
from borderline.pipelines.compare.disagreements import (
    COLUMNS,
    find,
    judged,
    ratio_of_rates,
    search_in_words,
    who_is_right,
)
from borderline.pipelines.compare.nodes import find_disagreements
from borderline.pipelines.compare.sides import Side, sides_of
from borderline.records import Disagreements
from compared import COMPARE, PAIRING, side, wired


class Latents(torch.nn.Module):
    """A decoder of images (B, 1, 2, 2) from as many latents."""

    latent_dim = 4

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return latents.view(-1, 1, 2, 2)


class Given:
    def __init__(self, decoder: torch.nn.Module | None) -> None:
        self.decoder = decoder


def both(first: int = 0, second: int = 3) -> tuple[Side, Side]:
    return sides_of(PAIRING, wired(side(first), side(second)))


def test_the_ratio_is_that_of_two_counts_with_its_exact_interval() -> None:
    ratio = ratio_of_rates(30, 10)
    assert ratio.value == pytest.approx(3)
    # At each end, the tail of the binomial distribution of 30 in 40 is 2.5 %.
    low, high = (end / (1 + end) for end in ratio[1:])
    assert binom.sf(29, 40, low) == pytest.approx(0.025)
    assert binom.cdf(30, 40, high) == pytest.approx(0.025)
    assert np.isnan(ratio_of_rates(0, 0).value)
    assert ratio_of_rates(0, 5)[:2] == (0, 0)


def test_random_sampling_gets_as_many_evaluations_and_the_same_decoder(run: RunParams) -> None:
    found, counts = find(*both(), Latents(), 20, run)
    assert len(found["images"]) == counts["found"] == 20
    assert counts["random_images"] == -(-counts["evaluations"] // 2)
    # Two independent pixels disagree in half of all images.
    assert counts["random_found"] == pytest.approx(counts["random_images"] / 2, rel=0.5)
    assert counts["ratio"] == 20 / counts["random_found"]
    again = find(*both(), Latents(), 20, run)
    assert torch.equal(again[0]["images"], found["images"])
    assert again[1] == counts


@pytest.mark.parametrize(
    ("decoders", "count", "note"),
    [
        ((None, None), 5, "makes its images without latents"),
        ((None,), 5, "makes its images without latents"),
        ((Latents(), None), 0, ""),
        ((None, Latents()), 5, None),
        ((Latents(), None), 5, None),
    ],
)
def test_the_decoder_is_that_of_this_model_or_else_of_the_other(
    decoders: tuple[Any, ...], count: int, note: str | None, run: RunParams
) -> None:
    compare = COMPARE.model_copy(update={"disagreements": count})
    samplers: Any = [Given(decoder) for decoder in decoders]
    settings: Any = {"pairing": PAIRING, "compare": compare, "run": run}
    found, counts = find_disagreements(*samplers, **settings, **wired(side(0), side(3)))
    assert (counts["found"] == 5) == (note is None)
    assert len(found["images"]) == counts["found"]
    assert found["images"].shape[1:] == (1, 2, 2)
    assert (note or "") in counts["note"]


def test_models_that_decide_alike_or_for_one_class_only_get_a_sentence(run: RunParams) -> None:
    _, counts = find(*both(0, 0), Latents(), 60, run)
    assert search_in_words(counts, "a", "b") == [
        "No disagreement was found on 60 arcs: a and b change their decision at the same place on "
        "each.",
        "a and b disagree on 0.0 % [0.0 %, 0.7 %] of random images of the generator.",
    ]
    this, other = both()
    other.classifier.forward = lambda images: images.flatten(1)[:, 0] * 0 - 9  # type: ignore[method-assign]
    _, counts = find(this, other, Latents(), 5, run)
    assert counts["note"].startswith(
        "No search for disagreements: a and b never agree on 7 among 640 images of the generator"
    )


def with_other_classes(side: Side, mass: Callable[[torch.Tensor], torch.Tensor]) -> Side:
    """A side whose model has classes beside the pair, of this probability."""
    side.classifier.most_other_mass = 0.5  # type: ignore[assignment]
    side.classifier.other_mass = mass  # type: ignore[assignment]
    return side


def test_images_beside_the_pair_are_left_out_of_both_and_counted(run: RunParams) -> None:
    this, other = both()
    other = with_other_classes(other, lambda images: (images.flatten(1)[:, 1].abs() < 0.5).float())
    found, counts = find(this, other, Latents(), 20, run)
    assert len(found["images"]) == counts["found"] == 20
    assert (found["images"].flatten(1)[:, 1].abs() >= 0.5).all()
    assert counts["left_out"] > 0
    # 38 % of the images lie beside the pair, and the models disagree on half of both.
    assert counts["random_found"] == pytest.approx(0.31 * counts["random_images"], rel=0.5)
    assert counts["random_left_out"] == pytest.approx(0.19 * counts["random_images"], rel=0.5)
    at_random, _, left_out, *_ = search_in_words(counts, "a", "b")
    assert at_random.endswith("of random images of the generator and place them within the pair.")
    assert left_out == (
        f"{counts['left_out']} images of the search and {counts['random_left_out']} of random "
        "sampling are left out: the models disagree on them, but one of the models gives "
        "the classes beside the pair a probability above its most_other_mass."
    )


def test_models_of_two_classes_leave_nothing_out(run: RunParams) -> None:
    _, counts = find(*both(), Latents(), 20, run)
    assert not [name for name in counts if "left_out" in name]
    assert not [
        sentence for sentence in search_in_words(counts, "a", "b") if "left out" in sentence
    ]


def test_notes_of_models_with_other_classes_are_about_the_pair(run: RunParams) -> None:
    this, other = both()
    # Everything on which the models disagree is beside the pair.
    beside = with_other_classes(other, lambda x: (x[:, 0, 0, 0] * x[:, 0, 1, 1] < 0).float())
    _, counts = find(this, beside, Latents(), 60, run)
    note, at_random, left_out = search_in_words(counts, "a", "b")
    assert note.startswith("No disagreement within the pair was found on ")
    assert "on 0.0 % [0.0 %" in at_random
    assert left_out.startswith(f"{counts['left_out']} images of the search and ")
    beside = with_other_classes(other, lambda x: torch.ones(len(x)))
    _, counts = find(this, beside, Latents(), 5, run)
    assert "never agree on 1 among 640 images of the generator within the pair" in counts["note"]


def found_of(this_p: list[float]) -> Disagreements:
    n = len(this_p)
    this = torch.tensor(this_p)
    width = torch.linspace(0.9, 0.1, n).double()
    images, latents = torch.zeros(n, 1, 2, 2), torch.zeros(n, 4)
    widths: Any = {"width": width, "angle": 90 * width}
    return {"images": images, "latents": latents, "this_p": this, "other_p": 1 - this, **widths}


def verdicts_of(rows: list[tuple[str, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["verdict", "positive", "negative"])
    return table.assign(beside=0.0, top_class="7", disagreement=0.0, feature_neighbour=2.0)


def test_the_right_model_decides_for_the_class_that_the_committee_is_sure_of() -> None:
    verdicts = verdicts_of(
        [
            ("weakness", 0.95, 0.05),
            ("weakness", 0.05, 0.95),
            ("weakness", 0.92, 0.02),
            ("ambiguous", 0.5, 0.5),
            ("memorised", 0.99, 0.01),
        ]
    )
    realistic = np.array([True, False, True, True, False])
    this_p = [0.9, 0.8, 0.2, 0.7, 0.7]
    table = judged(found_of(this_p), verdicts, realistic, *both())
    assert list(table.columns) == COLUMNS
    assert table["right"].tolist() == ["a", "b", "b", "", ""]
    assert table["committee"].tolist() == ["7", "1", "7", "", ""]
    assert table["image"].tolist() == [1, 2, 3, 4, 5]
    sentences = who_is_right(table, "a", "b", judges=3)
    assert sentences == [
        "The committee is sure of 3 of 5 of these images; b is right on 67 % [21, 94] of them, a "
        "on the others.",
        "60 % [23, 88] are as realistic as real images: they have the realism score of a real "
        "image in the judge's features, and their verdict is not unrealistic.",
    ]
    only = who_is_right(table.iloc[[0, 3]], "a", "b", judges=1)[0]
    assert (
        only
        == "The judge is sure of 1 of 2 of these images; a is right on 100 % [21, 100] of them."
    )
    assert "has no opinion" in who_is_right(table, "a", "b", judges=0)[0]
    assert who_is_right(table.iloc[:0], "a", "b", judges=3) == []


def test_an_unrealistic_image_is_not_realistic_although_its_features_are() -> None:
    verdicts = verdicts_of([("unrealistic", 0.95, 0.05), ("weakness", 0.95, 0.05)])
    table = judged(found_of([0.9, 0.9]), verdicts, np.ones(2, dtype=bool), *both())
    assert table["realistic"].tolist() == [False, True]
    assert "50 % [9, 91] are as realistic as real images" in who_is_right(table, "a", "b", 3)[1]


def test_the_decision_is_at_the_boundary_of_each_model() -> None:
    this, other = sides_of(PAIRING, wired(side(0, threshold=0.9), side(3, threshold=0.1)))
    found = found_of([0.8])
    table = judged(found, verdicts_of([("weakness", 0.95, 0.01)]), np.ones(1, bool), this, other)
    # This model is negative at 0.8, and the other one is positive at 0.2.
    assert table["right"].tolist() == ["b"]


def test_sentences_give_both_counts_and_the_ratio() -> None:
    counts: dict[str, Any] = {
        **{"wanted": 100, "found": 100, "evaluations": 1188, "note": ""},
        **{"random_images": 594, "random_found": 16, "ratio": 6.25, "low": 3.7, "high": 11.4},
    }
    assert search_in_words(counts, "a", "b") == [
        "a and b disagree on 2.7 % [1.7 %, 4.3 %] of random images of the generator.",
        "The search found 100 such images with 1,188 evaluations (one model on one image); random "
        "sampling of the same generator found 16 with as many: 6.2 times as many [3.7, 11.4].",
    ]
    none = counts | {"random_found": 0, "ratio": None, "low": 26.1, "high": None}
    assert search_in_words(none, "a", "b")[1].endswith(
        "at least 26.1 times as many (95 % interval)."
    )
    often = counts | {"random_found": 297, "ratio": 0.337, "low": 0.27, "high": 0.42}
    assert search_in_words(often, "a", "b")[2:] == [
        "No search can find more than 2.0 times as many, because each image takes an evaluation of "
        "both models."
    ]
    assert search_in_words(counts | {"evaluations": 0}, "a", "b") == []


def test_one_disagreement_alone_tells_no_ratio() -> None:
    counts = {"found": 1, "evaluations": 4, "random_images": 2, "random_found": 0, "note": ""}
    ratio = dict(zip(("ratio", "low", "high"), ratio_of_rates(1, 0), strict=True))
    counts |= {name: value if math.isfinite(value) else None for name, value in ratio.items()}
    assert "too few to tell" in search_in_words(counts, "a", "b")[1]
