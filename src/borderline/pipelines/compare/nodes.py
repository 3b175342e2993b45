"""The nodes of the comparison."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.findings import Findings
from borderline.measures.inference import embed, predict
from borderline.params import Pairing, RunParams
from borderline.pipelines.compare.differences import compare_figures, only_one_wrong
from borderline.pipelines.compare.page import Side, render
from borderline.pipelines.compare.params import CompareParams
from borderline.pipelines.compare.transfer import COLUMNS, Judge, carry_over
from borderline.records import LabelledImages


class Parts(NamedTuple):
    """What is taken from each of the two models; the datasets of the same names."""

    findings: dict[str, Any]
    classifier: nn.Module
    borderline: dict[str, Tensor]
    clusters: dict[str, Tensor]
    prototypes: dict[str, Tensor]
    pair_test: LabelledImages


def compare_models(pairing: Pairing, run: RunParams, *parts: Any) -> tuple[pd.DataFrame, Any]:
    """The figures of both models, and their errors on the same real test images.

    Args:
        pairing: Their names.
        run: The device.
        parts: The ``Parts`` of this model, then those of the other.

    Returns:
        A row a figure, as ``compare_figures`` gives it; and ``only_this``, ``only_other`` and
        ``p_value`` of McNemar's test, all None where the test images are not the same.

    Raises:
        BorderlineError: When they are of images of different shape, or of other classes.
    """
    this, other = _both(parts)
    shapes = [tuple(side.pair_test["images"].shape[1:]) for side in (this, other)]
    if shapes[0] != shapes[1]:
        raise BorderlineError(
            f"{pairing.names[1]} was tested on images of shape {shapes[1]}, and "
            f"{pairing.names[0]} on {shapes[0]}: compare models of the same images."
        )
    found = Findings.read(this.findings), Findings.read(other.findings)
    classes = [(own.positive, own.negative) for own in found]
    if classes[0] != classes[1]:
        raise BorderlineError(
            f"{pairing.names[1]} tells {' from '.join(classes[1])}, and {pairing.names[0]} "
            f"{' from '.join(classes[0])}: compare models of one pair, the same class positive."
        )
    errors: dict[str, Any] = dict.fromkeys(("only_this", "only_other", "p_value"))
    same = (
        torch.equal(this.pair_test["images"], other.pair_test["images"]),
        torch.equal(this.pair_test["labels"], other.pair_test["labels"]),
    )
    if all(same):
        labels = this.pair_test["labels"]
        wrong = [
            ((_predicted(side, this.pair_test["images"], run) > 0.5).long() != labels).numpy()
            for side in (this, other)
        ]
        errors = dict(zip(errors, only_one_wrong(*wrong), strict=True))
    return compare_figures(*found, same_judge=not pairing.elsewhere), errors


def carry_patterns_over(
    pairing: Pairing, compare: CompareParams, run: RunParams, *parts: Any
) -> pd.DataFrame:
    """What each model says of the patterns of the other, as ``carry_over`` gives it.

    Args:
        pairing: Their names.
        compare: What counts as unsure.
        run: The device.
        parts: The ``Parts`` of this model, then those of the other.
    """
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    for name, own, other in _either(pairing, parts):
        found, images = Findings.read(own.findings), own.borderline["images"]
        if not found.patterns:
            continue
        theirs = other.prototypes["images"]
        device = run.torch_device()
        judge = Judge(
            _predicted(other, images, run).numpy(),
            embed(other.classifier, images, device).numpy(),
            embed(other.classifier, theirs, device).numpy() if len(theirs) else theirs.numpy(),
            _predicted(other, other.pair_test["images"], run).numpy(),
        )
        labels = own.clusters["labels"].numpy()
        tables.append(carry_over(name, found, labels, judge, compare.unsure))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def write_comparison(
    pairing: Pairing,
    compare: CompareParams,
    run: RunParams,
    figures: pd.DataFrame,
    errors: dict[str, Any],
    patterns: pd.DataFrame,
    *parts: Any,
) -> str:
    """The page.

    Args:
        pairing: The names of the models.
        compare: How many images it shows.
        run: The device.
        figures: Of both models.
        errors: Of both on the same images.
        patterns: Carried over.
        parts: The ``Parts`` of this model, then those of the other.
    """
    sides = []
    for name, own, other in _either(pairing, parts):
        found = Findings.read(own.findings)
        rows = patterns[patterns["model"] == name]
        shown = []
        for number in rows["pattern"]:
            here = own.clusters["labels"] == found.patterns[int(number)].cluster
            members = own.borderline["images"][here][: compare.members]
            images = torch.cat([own.prototypes["images"][int(number)][None], members])
            shown.append((images, _predicted(other, images, run)))
        sides.append(Side(name, found, rows, shown))
    return render(sides[0], sides[1], figures, errors, compare.unsure)


def _both(parts: tuple[Any, ...]) -> tuple[Parts, Parts]:
    size = len(Parts._fields)
    return Parts(*parts[:size]), Parts(*parts[size:])


def _either(pairing: Pairing, parts: tuple[Any, ...]) -> list[tuple[str, Parts, Parts]]:
    """Each model by name, with its own parts and those of the other."""
    this, other = _both(parts)
    return [(pairing.names[0], this, other), (pairing.names[1], other, this)]


def _predicted(side: Parts, images: Tensor, run: RunParams) -> Tensor:
    return predict(side.classifier, images, run.torch_device())
