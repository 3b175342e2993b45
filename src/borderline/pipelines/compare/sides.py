"""The two sides of a comparison, and the differences of their measures and errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import nn

from borderline.errors import BorderlineError
from borderline.findings import MEASURES, MIXED, VERDICTS, Findings, Measured
from borderline.measures.confusion import is_positive
from borderline.measures.intervals import Estimate
from borderline.measures.mcnemar import compare_wrong
from borderline.params import Pairing
from borderline.records import Clusters, LabelledImages, Part, Prototypes, RealView

COLUMNS = [
    *("measure", "this", "this_low", "this_high", "other", "other_low", "other_high"),
    *("difference", "low", "high", "differ"),
]


@dataclass(frozen=True)
class Side:
    """A model with its datasets, under their names in the catalog."""

    name: str
    findings: Findings
    classifier: nn.Module
    borderline: Part
    clusters: Clusters
    prototypes: Prototypes
    pair_test: LabelledImages
    real_view: RealView


def sides_of(pairing: Pairing, datasets: Mapping[str, Any]) -> tuple[Side, Side]:
    """This side and the other one, from datasets called ``this.<name>`` and ``other.<name>``.

    Raises:
        BorderlineError: When the shapes of their images or their classes differ.
    """

    def side(key: str, name: str) -> Side:
        fields = {k.partition(".")[2]: v for k, v in datasets.items() if k.startswith(f"{key}.")}
        return Side(name=name, **fields | {"findings": Findings.read(fields["findings"])})

    this, other = map(side, ("this", "other"), pairing.names)
    for each in (this, other):
        if not _is_whole(each):
            raise BorderlineError(
                f"The results of {each.name} do not fit each other, or one of them is of another "
                "kind than its name says: run all stages of its run again, or set other_run to "
                "another run."
            )
    shapes = [tuple(side.pair_test["images"].shape[1:]) for side in (this, other)]
    if shapes[0] != shapes[1]:
        raise BorderlineError(
            f"{other.name} has test images of shape {shapes[1]}, and {this.name} of {shapes[0]}: "
            "set compare and other_run to models of one dataset."
        )
    classes = [(side.findings.positive, side.findings.negative) for side in (this, other)]
    if classes[0] != classes[1]:
        raise BorderlineError(
            f"{other.name} tells {' from '.join(classes[1])}, and {this.name} "
            f"{' from '.join(classes[0])}: set compare and other_run to models of one pair with "
            "the same positive class."
        )
    return this, other


def _is_whole(side: Side) -> bool:
    """Whether the datasets fit each other: those of another run are as true as their author."""
    try:
        test, labels = side.pair_test, side.clusters["labels"]
        images = [test["images"], side.borderline["images"], side.prototypes["images"]]
        patterns = side.findings.patterns
        verdicts = {pattern.verdict for pattern in patterns}
        return (
            isinstance(side.classifier, nn.Module)
            and all(part.is_floating_point() and part.ndim == 4 for part in images)
            and all(part.shape[1:] == images[0].shape[1:] for part in images)
            and labels.shape == images[1].shape[:1]
            and side.real_view["test_p"].shape == test["labels"].shape == images[0].shape[:1]
            and all(0 <= pattern.prototype < len(images[2]) for pattern in patterns)
            and verdicts <= {None, MIXED, *VERDICTS}
            and side.findings.measures.keys() >= MEASURES.keys()
        )
    except (LookupError, AttributeError):
        return False


def difference(this: Measured, other: Measured) -> Measured:
    """This measure minus the other one, with the interval of Zou and Donner (2008), if both have.

    Their MOVER takes the two measures as independent. For measures of the same images, such as two
    accuracies, the interval is too wide rather than too narrow if both are positively correlated.
    """
    ends = (this.value, this.low, this.high, other.value, other.low, other.high)
    value, low, high, value_2, low_2, high_2 = (math.nan if x is None else x for x in ends)
    apart = value - value_2
    below = math.hypot(value - low, high_2 - value_2)
    above = math.hypot(high - value, value_2 - low_2)
    return Measured.of(Estimate(apart, apart - below, apart + above))


def compare_measures(this: Findings, other: Findings, *, same_judge: bool) -> pd.DataFrame:
    """Compare all measures of two models, a row a measure by ``COLUMNS``.

    They ``differ`` if the interval of their ``difference`` excludes 0; empty where there is no
    interval. Fréchet distances are compared only for the same judge and the same N.
    """
    rows = []
    for name in MEASURES:
        both = this.measures[name], other.measures[name]
        comparable = name != "fd_lenet" or (same_judge and both[0].n == both[1].n)
        apart = difference(*both) if comparable else Measured()
        known = apart.low is not None and apart.high is not None
        differ = (apart.low > 0 or apart.high < 0) if known else None  # type: ignore[operator]
        ends = (end for measure in both for end in (measure.value, measure.low, measure.high))
        rows.append((name, *ends, apart.value, apart.low, apart.high, differ))
    return pd.DataFrame(rows, columns=COLUMNS)


def compare_errors(this: Side, other: Side) -> dict[str, Any]:
    """The images that one model alone gets wrong, and McNemar's p-value; see ``compare_wrong``.

    All are None where the test images or their labels differ. With groups ``by_group`` is True.
    """
    names = ("only_this", "only_other", "p_value")
    tests = this.pair_test, other.pair_test
    if not all(torch.equal(*(test[name] for test in tests)) for name in ("images", "labels")):
        return dict.fromkeys(names)
    labels = this.pair_test["labels"]
    this_wrong, other_wrong = (
        (is_positive(side.real_view["test_p"], side.findings.boundary).long() != labels).numpy()
        for side in (this, other)
    )
    compared = compare_wrong(this_wrong, other_wrong, this.pair_test.get("groups"))
    errors: dict[str, Any] = dict(zip(names, compared, strict=False))
    return errors | {"by_group": True} if compared.by_group else errors
