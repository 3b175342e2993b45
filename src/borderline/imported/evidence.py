"""How well a model fits the labels of real images, and whether one way to use it fits better."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST_DIFFERENCE = 0.01
"""The smallest difference of mean log-likelihoods that counts, in nats per image.

A model is never calibrated exactly. Where all images are classified correctly, larger pixels make
all logits larger, and the log-likelihood a little higher: no reason to prefer them.
"""
_ERRORS = 2.0  # standard errors of a difference that is no coincidence
_SAME_P = 0.01  # mean difference of probabilities below which two contracts are equally good
_MOST_TEMPERATURE = 5.0
_SPREAD = math.log(3)


class Difference(NamedTuple):
    """A difference of two mean log-likelihoods, in nats per image, and its standard error."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.error:.3f}"

    @property
    def is_clear(self) -> bool:
        """Whether the first log-likelihood is surely higher."""
        return self.mean > max(_ERRORS * self.error, SMALLEST_DIFFERENCE)


def difference(first: Tensor, second: Tensor) -> Difference:
    """The difference of the log-likelihoods (N,) of the same images."""
    pairs = first - second
    return Difference(float(pairs.mean()), float(pairs.std() / math.sqrt(len(pairs))))


def log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """The log-probability of each label, 0 or 1 (N,), from logits (N,)."""
    return F.logsigmoid(logits.double() * (labels * 2 - 1))


def is_as_good(rival: Tensor, chosen: Tensor, labels: Tensor) -> bool:
    """Whether a contract cannot be told from the chosen one, from the logits (N,) of both.

    The raw log-likelihood rewards larger pixels of a model that is less sure than it could be, for
    example after a short training: they make it more sure. So a rival whose raw log-likelihood is
    lower is as good where it is not lower after a plausible temperature is fitted to both. Beyond a
    factor of 5 a temperature is no property of a model, but the mark of a wrong range: pixels in
    [0, 255] for [0, 1] multiply all logits by about 255.

    A rival that gives the same probabilities is no rival.
    """
    if float((rival.sigmoid() - chosen.sigmoid()).abs().mean()) <= _SAME_P:
        return False
    if not difference(log_likelihood(chosen, labels), log_likelihood(rival, labels)).is_clear:
        return True
    temperature = _temperature(rival, labels)
    if not 1 / _MOST_TEMPERATURE <= temperature <= _MOST_TEMPERATURE:
        return False
    calibrated = difference(
        log_likelihood(chosen / _temperature(chosen, labels), labels),
        log_likelihood(rival / temperature, labels),
    )
    return calibrated.mean <= calibrated.error


def _temperature(logits: Tensor, labels: Tensor) -> float:
    """The most probable temperature; near 1 where the images do not tell."""
    logs = torch.linspace(-math.log(300), math.log(300), 121, dtype=torch.float64)
    signed = logits.double() * (labels * 2 - 1)
    likelihoods = F.logsigmoid(signed / logs.exp()[:, None]).sum(1)
    return float(logs[(likelihoods - (logs / _SPREAD) ** 2 / 2).argmax()].exp())
