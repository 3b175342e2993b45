"""Disagreements of two models: their search against random sampling, and who is right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from borderline.findings import number_of, written
from borderline.measures.confusion import is_positive
from borderline.measures.inference import embed, most_other_mass
from borderline.measures.intervals import Estimate, estimate_of_share
from borderline.measures.realism import Reference, is_realistic
from borderline.pages.verdicts import NO_OPINION
from borderline.params import RunParams
from borderline.pipelines.compare.search import (
    Rivals,
    Search,
    nothing_found,
    sample_at_random,
    search,
)
from borderline.pipelines.compare.sides import Side
from borderline.records import Disagreements, References
from borderline.verdicts.rule import UNREALISTIC, WEAKNESS

COLUMNS = [
    *("image", "this_p", "other_p", "width", "angle"),
    *("verdict", "positive", "negative", "beside", "top_class"),
    *("feature_neighbour", "realistic", "committee", "right"),
]
# From this share of random images on, a search can save little.
_OFTEN = 0.1
_NO_LATENTS = (
    "No search for disagreements: the chosen generator makes its images without latents, as blends "
    "of real images: set metrics.choose to a generator with latents, such as latent_search."
)


def find(
    this: Side, other: Side, decoder: nn.Module | None, count: int, run: RunParams
) -> tuple[Disagreements, dict[str, Any]]:
    """Search for disagreements, and sample at random with as many evaluations of the models.

    Args:
        this: A side of the comparison.
        other: The other side.
        decoder: Latents (B, Z) to images; None where the generator has none.
        count: The number of disagreements to search for; 0 for no search.
        run: The seed and the device.

    Returns:
        The disagreements, and the counts: ``found`` with ``evaluations``, ``random_found`` among
        ``random_images``, and the ``ratio`` of both rates with its interval, None where a number is
        not finite. The ``note`` says why there are fewer than ``wanted``, else it is empty. With a
        model of more than two classes, ``left_out`` and ``random_left_out`` count the images of
        both that lie beside the pair.
    """
    if decoder is None or count == 0:
        note = _NO_LATENTS if decoder is None and count else ""
        found = nothing_found(this.pair_test["images"][:0].clone())
        return found, _counts(count, 0, 0, 0, 0, note)
    sides = this, other
    rivals = Rivals(
        decoder,
        [side.classifier for side in sides],
        [side.findings.boundary for side in sides],
        run.torch_device(),
    )
    result = search(rivals, count, run.generator("disagreements"))
    spent, left_out, number = rivals.evaluations, rivals.left_out, len(result.found["images"])
    # Random sampling gets one evaluation more where the number is odd.
    images = math.ceil(spent / 2)
    random_found = sample_at_random(rivals, images, run.generator("random disagreements"))
    note = _note(result, count, this, other, left_out)
    counts = _counts(count, number, spent, images, random_found, note)
    if _have_other_classes(this, other):
        counts |= {"left_out": left_out, "random_left_out": rivals.left_out - left_out}
    return result.found, counts


def _have_other_classes(*sides: Side) -> bool:
    """Whether a model of the sides has classes beside the pair, with a bound on them."""
    return any(most_other_mass(side.classifier) is not None for side in sides)


def _counts(
    wanted: int, found: int, evaluations: int, images: int, random_found: int, note: str
) -> dict[str, Any]:
    ends = map(number_of, ratio_of_rates(found, random_found))
    return {
        **{"wanted": wanted, "found": found, "evaluations": evaluations},
        **{"random_images": images, "random_found": random_found},
        **dict(zip(("ratio", "low", "high"), ends, strict=True)),
        "note": note,
    }


def _note(result: Search, count: int, this: Side, other: Side, left_out: int) -> str:
    found, classes = len(result.found["images"]), (this.findings.negative, this.findings.positive)
    if found == count:
        return ""
    beside = " within the pair" if _have_other_classes(this, other) else ""
    for side, name in zip(result.sides, classes, strict=True):
        if side == 0:
            return (
                f"No search for disagreements: {this.name} and {other.name} never agree on {name} "
                f"among {result.latents} images of the generator{beside}, so no arc leads from "
                "one class to the other."
            )
    if result.arcs == 0:
        return (
            f"No search for disagreements: {this.name} and {other.name} agree on one class only "
            "for each label of the generator, and no arc leads from label to label."
        )
    arcs = "1 arc" if result.arcs == 1 else f"{result.arcs:,} arcs"
    if found == 0 and left_out:
        return f"No disagreement within the pair was found on {arcs}."
    if found == 0:
        return (
            f"No disagreement was found on {arcs}: {this.name} and {other.name} change their "
            "decision at the same place on each."
        )
    return (
        f"The search ended after {found} of {count} images: {arcs} between {result.latents:,} "
        "latents led to no others."
    )


def ratio_of_rates(found: int, random_found: int) -> Estimate:
    """The ratio of two rates of disagreements at equal numbers of evaluations.

    The interval is the exact one of two Poisson rates, conditional on their sum (Przyborowski and
    Wilenski 1940). Unlike the normal interval of a relative risk it also holds for a count of 0,
    which rare disagreements have at random.

    Example:
        >>> [round(value, 1) for value in ratio_of_rates(40, 8)]
        [5.0, 2.3, 12.4]
        >>> [round(value, 1) for value in ratio_of_rates(40, 0)]
        [inf, 10.4, inf]
    """
    if found + random_found == 0:
        return Estimate.none()
    interval = binomtest(found, found + random_found).proportion_ci(method="exact")
    shares = found / (found + random_found), float(interval.low), float(interval.high)
    return Estimate(*(share / (1 - share) if share < 1 else math.inf for share in shares))


def are_realistic(
    images: Tensor,
    judge: nn.Module,
    real_reference: References,
    device: torch.device,
) -> np.ndarray:
    """Whether the features of images (N, C, H, W) are as of real ones: ``is_realistic``, (N,)."""
    if len(images) == 0:
        return np.zeros(0, dtype=bool)
    real = Reference.of_record(real_reference, "lenet")
    features = embed(judge, images, device)
    return is_realistic(features, real, real_reference["lenet.test_features"]).numpy()


def judged(
    found: Disagreements,
    verdicts: pd.DataFrame,
    realistic: np.ndarray,
    this: Side,
    other: Side,
) -> pd.DataFrame:
    """A row a disagreement by ``COLUMNS``: both p, the stretch, realism, and who is right.

    An image is ``realistic`` if its features are and its verdict is not *unrealistic*: the features
    of images unlike any real one may lie amid those of real ones.

    The ``committee`` names the class that it is sure of, and ``right`` the model that decides for
    this class. Both are empty where the committee is not sure of a class.

    Args:
        found: N disagreements.
        verdicts: The committee's verdicts on them, as ``rule.decide`` makes them.
        realistic: Whether each has the features of real images, (N,).
        this: A side of the comparison.
        other: The other side.
    """
    table = verdicts.drop(columns="disagreement")
    table["realistic"] = realistic & (table["verdict"] != UNREALISTIC).to_numpy(bool)
    table["image"] = range(1, len(table) + 1)
    for name in ("this_p", "other_p", "width", "angle"):
        table[name] = found[name].double().numpy()
    sure = (table["verdict"] == WEAKNESS).to_numpy(bool)
    positive = table["positive"].gt(table["negative"]).to_numpy(bool)
    for_this = is_positive(found["this_p"], this.findings.boundary).numpy() == positive
    classes = np.where(positive, this.findings.positive, this.findings.negative)
    table["committee"] = np.where(sure, classes, "")
    table["right"] = np.where(sure, np.where(for_this, this.name, other.name), "")
    return table[COLUMNS]


def search_in_words(counts: dict[str, Any], this: str, other: str) -> list[str]:
    """Sentences on random sampling and on the search; only the note where nothing was searched."""
    note = [counts["note"]] if counts["note"] else []
    if counts["evaluations"] == 0:
        return note
    random = estimate_of_share(counts["random_found"], counts["random_images"])
    share, low, high = (written("{:.1%}", value) for value in random)
    within = " and place them within the pair" if counts.get("random_left_out") else ""
    at_random = (
        f"{this} and {other} disagree on {share} [{low}, {high}] of random images of the "
        f"generator{within}."
    )
    left_out = _left_out_in_words(counts)
    if counts["found"] == 0:
        return [*note, at_random, *left_out]
    searched = (
        f"The search found {_images(counts['found'])} with {counts['evaluations']:,} evaluations "
        "(one model on one image); random sampling of the same generator found "
        f"{counts['random_found']:,} with as many: {_times(counts)}."
    )
    limit = []
    if random.value > _OFTEN:
        limit = [
            f"No search can find more than {1 / random.value:.1f} times as many, because each "
            "image takes an evaluation of both models."
        ]
    return [at_random, searched, *left_out, *limit, *note]


def _left_out_in_words(counts: dict[str, Any]) -> list[str]:
    """A sentence on the images beside the pair; none where there are none."""
    searched, at_random = (counts.get(name, 0) for name in ("left_out", "random_left_out"))
    if searched + at_random == 0:
        return []
    images = "1 image" if searched == 1 else f"{searched:,} images"
    return [
        f"{images} of the search and {at_random:,} of random sampling are left out: the models "
        "disagree on them, but one of the models gives the classes beside the pair a "
        "probability above its most_other_mass."
    ]


def _images(count: int) -> str:
    return "1 such image" if count == 1 else f"{count:,} such images"


def _times(counts: dict[str, Any]) -> str:
    if counts["ratio"] is None and counts["low"] < 1:
        return "too few to tell how many times as many"
    if counts["ratio"] is None:
        return f"at least {counts['low']:.1f} times as many (95 % interval)"
    ends = f"[{counts['low']:.1f}, {counts['high']:.1f}]"
    return f"{counts['ratio']:.1f} times as many {ends}"


def who_is_right(table: pd.DataFrame, this: str, other: str, judges: int) -> list[str]:
    """Sentences on the committee's opinion and on realism; none without disagreements."""
    if len(table) == 0:
        return []
    realistic = estimate_of_share(int(table["realistic"].sum()), len(table))
    realism = (
        f"{_share(realistic)} are as realistic as real images: they have the realism score of a "
        "real image in the judge's features, and their verdict is not unrealistic."
    )
    if judges == 0:
        return [NO_OPINION, realism]
    sure, right = int((table["right"] != "").sum()), int((table["right"] == this).sum())
    committee = "The judge" if judges == 1 else "The committee"
    if sure == 0:
        return [f"{committee} is sure of none of these images.", realism]
    # The model that is right more often comes first.
    names = (this, other) if 2 * right >= sure else (other, this)
    right = max(right, sure - right)
    share = _share(estimate_of_share(right, sure))
    others = f", {names[1]} on the others" if right < sure else ""
    return [
        f"{committee} is sure of {sure:,} of {len(table):,} of these images; {names[0]} is right "
        f"on {share} of them{others}.",
        realism,
    ]


def _share(share: Estimate) -> str:
    return f"{written('{:.0%}', share.value)} [{100 * share.low:.0f}, {100 * share.high:.0f}]"
