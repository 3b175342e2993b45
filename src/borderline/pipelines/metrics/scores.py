"""Scores of confusion: of p from the model, and of its calibrated p."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from borderline.measures.confusion import Confusion, at_temperature
from borderline.measures.intervals import Estimate
from borderline.params import ConfusionParams
from borderline.pipelines.metrics.params import MetricsParams


def confusion_sums(
    p: Tensor, temperature: float, metrics: MetricsParams, confusion: ConfusionParams
) -> list[Confusion]:
    """The sums over p (N,), and over calibrated p unless the temperature is NaN."""
    versions = [p] if math.isnan(temperature) else [p, at_temperature(p, temperature)]
    return [Confusion.of(q, confusion.band, metrics.histogram_bins) for q in versions]


def confusion_columns(sums: Sequence[Confusion]) -> dict[str, float]:
    """Scores with the ends of their intervals, by column of the leaderboard."""
    raw, *calibrated = sums
    scores = raw.estimates()
    after = calibrated[0].estimates() if calibrated else dict.fromkeys(scores, Estimate.none())
    scores |= {f"{name}_calibrated": estimate for name, estimate in after.items()}
    columns: dict[str, float] = {"images": raw.images, "borderline": raw.borderline}
    for name, (value, low, high) in scores.items():
        columns |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return columns


def histogram_table(sums: Sequence[Confusion]) -> pd.DataFrame:
    """The histogram of p: edges ``from`` and ``to``, ``images``, and ``calibrated`` images."""
    raw, *calibrated = sums
    edges = torch.linspace(0, 1, len(raw.histogram) + 1, dtype=torch.float64).numpy()
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "images": raw.histogram.numpy(),
            "calibrated": calibrated[0].histogram.numpy() if calibrated else math.nan,
        }
    )
