"""The outputs of an imported model: what its settings say of them, and whether it is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from borderline.errors import BorderlineError

Outputs = Literal["logit", "probability", "logits", "probabilities"]

_SMALLEST_P = 1e-7
_SUM_MAY_DIFFER = 1e-3
_OUTSIDE = 1e-4
# Fewer different numbers are labels, or probabilities that are rounded to labels.
_FEWEST_NUMBERS = 4
# No logits happen to fill the range from 0 to 1 and to stay within it.
_FILLS_UNIT_RANGE = 0.9
_SHOWN = 4
_WAY_TO_SCORES = (
    "export its probabilities or logits (scikit-learn: predict_proba; otherwise the values before "
    "argmax, round or a threshold)"
)


def pair_logits(outputs: Tensor, kind: Outputs, columns: Sequence[int]) -> Tensor:
    """The logits (N,) of the positive against the negative class.

    Args:
        outputs: One number, or one per class, for each of N images.
        kind: What they are.
        columns: The columns of the positive and of the negative class; unused for one number.
    """
    if kind == "logit":
        return outputs.flatten()
    if kind == "probability":
        return torch.logit(outputs.flatten(), eps=_SMALLEST_P)
    positive, negative = columns
    if kind == "logits":
        return outputs[:, positive] - outputs[:, negative]
    # The logit of p(positive) / (p(positive) + p(negative)).
    logs = log_probabilities(outputs, kind)
    return logs[:, positive] - logs[:, negative]


def log_probabilities(outputs: Tensor, kind: Outputs) -> Tensor:
    """The log-probability of each class (N, K) from ``logits`` or ``probabilities`` (N, K)."""
    if kind == "logits":
        return outputs.log_softmax(1)
    return outputs.clamp(min=torch.finfo(outputs.dtype).tiny).log()


def kind_of_outputs(outputs: Tensor) -> Outputs:
    """The kind of outputs (N, K), from their range and their sums.

    Raises:
        BorderlineError: When they are percentages, or between 0 and 1 but no probabilities of
            exclusive classes.
    """
    shares = bool((outputs >= -_OUTSIDE).all() and (outputs <= 1 + _OUTSIDE).all())
    if outputs.shape[1] == 1:
        return "probability" if shares else "logit"
    if bool((outputs >= 0).all()) and _sum_to(100, outputs):
        raise BorderlineError(
            "model gives percentages, which sum to 100 for each image: divide them by 100 in it."
        )
    if not shares:
        return "logits"
    if not _sum_to(1, outputs):
        raise BorderlineError(
            f"model gives {outputs.shape[1]} numbers from 0 to 1 that do not sum to 1, as one "
            "sigmoid per class does: end it with a softmax, or return the logits."
        )
    return "probabilities"


def check_scores(setting: str, kind: Outputs, outputs: Tensor) -> None:
    """Check that outputs (N, ...) have the values of their kind, and are no labels.

    Args:
        setting: The setting that says the kind, for messages: ``models.<name>.outputs``.

    Raises:
        BorderlineError: When they are labels, percentages, or of another kind.
    """
    if not torch.isfinite(outputs).all():
        return
    check_no_labels(f"{setting} is {kind!r}, but the model gives", outputs)
    if kind in ("probability", "probabilities"):
        _check_probabilities(setting, kind, outputs)
    elif kind == "logits":
        _check_logits(setting, outputs)


def check_no_labels(subject: str, outputs: Tensor) -> None:
    """Check that outputs (N, ...) are graded, so that there is a boundary to look for.

    Args:
        subject: The beginning of the sentence, up to "the model gives".

    Raises:
        BorderlineError: When they are labels: whole numbers, or very few different ones.
    """
    rows = outputs.reshape(len(outputs), -1)
    if bool((rows == rows[0]).all()):  # An error of its own.
        return
    values = rows.unique().tolist()
    whole = bool((rows == rows.round()).all())
    if not whole and len(values) >= _FEWEST_NUMBERS:
        return
    more = ", ..." if len(values) > _SHOWN else ""
    numbers = "whole numbers" if whole else f"{len(values)} different numbers"
    raise BorderlineError(
        f"{subject} only {numbers} ({', '.join(f'{value:g}' for value in values[:_SHOWN])}{more}) "
        f"for {len(rows)} real images, which are labels and no scores: {_WAY_TO_SCORES}."
    )


def hint_at_one_sign(kind: Outputs, logits: Tensor) -> str:
    """A hint for a sentence where all single logits, shape (N,), have the same sign."""
    low, high = float(logits.min()), float(logits.max())
    if kind == "logit" and low < high <= 0:
        return (
            f" (its logits are from {low:.3g} to {high:.3g}; they may be logarithms of "
            "probabilities, whose exponential must be returned)"
        )
    if kind != "logit" or not 0 <= low < high <= 100:
        return ""
    meant = "probabilities" if high <= 1 else "percentages, which must be divided by 100"
    return f" (its logits are from {low:.3g} to {high:.3g}; they may be {meant})"


def _check_probabilities(setting: str, kind: Outputs, outputs: Tensor) -> None:
    low, high = float(outputs.min()), float(outputs.max())
    if kind == "probabilities" and low >= 0 and _sum_to(100, outputs):
        raise BorderlineError(_percent(setting, kind))
    if low < -_OUTSIDE or high > 1 + _OUTSIDE:
        logit = "logit" if kind == "probability" else "logits"
        percent = ", or divide it by 100 if it is a percentage" if 0 <= low < high <= 100 else ""
        raise BorderlineError(
            f"{setting} is {kind!r}, but the model gives numbers from {low:.3g} to "
            f"{high:.3g}: set it to {logit!r}{percent}."
        )
    sums = outputs.sum(1) if kind == "probabilities" else torch.ones(1)
    if float((sums - 1).abs().max()) > _SUM_MAY_DIFFER:
        raise BorderlineError(
            f"{setting} is 'probabilities', but for one image they sum to "
            f"{float(sums[(sums - 1).abs().argmax()]):.3f} and not to 1: set it to 'logits', "
            "or end the model with a softmax."
        )


def _check_logits(setting: str, outputs: Tensor) -> None:
    low, high = float(outputs.min()), float(outputs.max())
    if low >= 0 and _sum_to(100, outputs):
        raise BorderlineError(_percent(setting, "logits"))
    if low < 0 or high > 1:
        return
    if _sum_to(1, outputs):
        raise BorderlineError(
            f"{setting} is 'logits', but the outputs are from 0 to 1 and sum to 1: set it to "
            "'probabilities'."
        )
    if high - low > _FILLS_UNIT_RANGE:
        raise BorderlineError(
            f"{setting} is 'logits', but the model gives numbers from {low:.3g} to {high:.3g}, as "
            "one sigmoid per class does: end it with a softmax, or return the logits."
        )


def _percent(setting: str, kind: Outputs) -> str:
    return (
        f"{setting} is {kind!r}, but for each image the outputs sum to 100, so they are "
        "percentages: divide them by 100 in the model, and set it to 'probabilities'."
    )


def _sum_to(total: float, outputs: Tensor) -> bool:
    return bool(((outputs.sum(1) / total - 1).abs() < _SUM_MAY_DIFFER).all())
