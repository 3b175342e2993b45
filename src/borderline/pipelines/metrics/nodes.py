"""The nodes of stage 3."""

from __future__ import annotations

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.image_source import LabelledImages
from borderline.grid import Grid
from borderline.measures.confusion import is_borderline, probability_histogram
from borderline.measures.inference import embed
from borderline.measures.plots import draw_image_grid
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.metrics.figures import draw_probability_histogram
from borderline.pipelines.metrics.leaderboard import choose, score_generator
from borderline.pipelines.metrics.params import MetricsParams

_SHOWN = 64


def measure_real_images(
    judge: nn.Module, pair_train: LabelledImages, pair_test: LabelledImages, run: RunParams
) -> dict[str, Tensor]:
    """The judge's ``features`` (M, D) of all real images of the pair."""
    images = torch.cat([pair_train["images"], pair_test["images"]])
    return {"features": embed(judge, images, run.torch_device())}


def measure_generator(
    images: dict[str, Tensor],
    judge: nn.Module,
    real_features: dict[str, Tensor],
    metrics: MetricsParams,
    confusion: ConfusionParams,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Scores of a generator's images as one row, the histogram of p as a table and as a figure."""
    p = images["probabilities"]
    features = embed(judge, images["images"], run.torch_device())
    scores = score_generator(p, features, real_features["features"], confusion.band)
    counts = probability_histogram(p, metrics.histogram_bins)
    edges = torch.linspace(0, 1, len(counts) + 1, dtype=torch.float64).numpy()
    histogram = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "images": counts.numpy()})
    return (
        pd.DataFrame([scores]),
        histogram,
        draw_probability_histogram(counts, scores, confusion.band),
    )


def choose_generator(grid: Grid, metrics: MetricsParams, *scores: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard of a model's generators, with the chosen one and the rule marked.

    Args:
        grid: Names the generators, in the order of their scores.
        metrics: Names the rule.
        scores: One row for each generator.
    """
    leaderboard = pd.concat(scores, ignore_index=True)
    leaderboard.insert(0, "generator", grid.generators)
    chosen, rule = choose(leaderboard, metrics.choose)
    return leaderboard.assign(chosen=leaderboard["generator"] == chosen, rule=rule)


def select_borderline(
    leaderboard: pd.DataFrame, confusion: ConfusionParams, *images: dict[str, Tensor]
) -> tuple[dict[str, Tensor], Figure]:
    """The borderline images of the chosen generator, and a picture of the first of them."""
    best = int(leaderboard["chosen"].to_numpy().argmax())
    chosen = images[best]
    rows = is_borderline(chosen["probabilities"], confusion.band)
    borderline = {name: tensor[rows] for name, tensor in chosen.items()}
    title = f"{int(rows.sum())} borderline images of {leaderboard['generator'][best]}"
    return borderline, draw_image_grid(
        borderline["images"][:_SHOWN], borderline["probabilities"][:_SHOWN], title
    )
