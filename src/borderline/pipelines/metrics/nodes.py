"""The nodes of stage 3."""

from __future__ import annotations

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.image_source import LabelledImages
from borderline.datasets.tensors import Parts
from borderline.grid import Grid
from borderline.measures.confusion import is_borderline, probability_histogram
from borderline.measures.inference import embed, predict
from borderline.measures.plots import draw_image_grid
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.metrics.figures import draw_probability_histogram, draw_side_by_side
from borderline.pipelines.metrics.leaderboard import choose, score_generator
from borderline.pipelines.metrics.params import MetricsParams

_SHOWN = 64


def measure_generator(
    parts: Parts,
    outcome: pd.DataFrame,
    judge: nn.Module,
    real_features: dict[str, Tensor],
    metrics: MetricsParams,
    confusion: ConfusionParams,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Scores of a generator's images as one row, the histogram of p as a table and as a figure."""
    device = run.torch_device()
    loaded = (parts[name]() for name in sorted(parts))
    measured = [(part["probabilities"], embed(judge, part["images"], device)) for part in loaded]
    p, features = (torch.cat(tensors) for tensors in zip(*measured, strict=True))
    scores = score_generator(p, features, real_features["features"], confusion.band)
    counts = probability_histogram(p, metrics.histogram_bins)
    edges = torch.linspace(0, 1, len(counts) + 1, dtype=torch.float64).numpy()
    histogram = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "images": counts.numpy()})
    return (
        pd.DataFrame([scores]).assign(seconds=outcome["seconds"], note=outcome["note"].fillna("")),
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


def compare_generators(
    leaderboard: pd.DataFrame,
    pair_train: LabelledImages,
    classifier: nn.Module,
    confusion: ConfusionParams,
    run: RunParams,
    *images: Parts,
) -> Figure:
    """The real borderline images and each generator's, side by side."""
    real = pair_train["images"]
    p = predict(classifier, real, run.torch_device())
    rows = is_borderline(p, confusion.band)
    strips = [(f"real training images\n{int(rows.sum())} borderline", real[rows], p[rows])]
    for (_, row), parts in zip(leaderboard.iterrows(), images, strict=True):
        part = parts[min(parts)]()
        rows = is_borderline(part["probabilities"], confusion.band)
        figures = (
            f"yield {row['yield']:.1%}, ACD {row['acd']:.3f}" if row["images"] else "no images"
        )
        name = f"{row['generator']}\n{figures}"
        strips.append((name, part["images"][rows], part["probabilities"][rows]))
    return draw_side_by_side(strips)


def select_borderline(
    leaderboard: pd.DataFrame, confusion: ConfusionParams, metrics: MetricsParams, *images: Parts
) -> tuple[dict[str, Tensor], Figure]:
    """The borderline images of the chosen generator, and a picture of the first of them.

    Where there are more than ``most_borderline``, the first are kept: images come in no order.
    """
    best = int(leaderboard["chosen"].to_numpy().argmax())
    found: list[dict[str, Tensor]] = []
    for name in sorted(images[best]):
        part = images[best][name]()
        rows = is_borderline(part["probabilities"], confusion.band)
        found.append({name: tensor[rows] for name, tensor in part.items()})
        if sum(len(part["images"]) for part in found) >= metrics.most_borderline:
            break
    borderline = {
        name: torch.cat([part[name] for part in found])[: metrics.most_borderline]
        for name in found[0]
    }
    title = (
        f"{len(borderline['images'])} borderline images of {leaderboard['generator'][best]}"
        f"{', the first of them' if len(borderline['images']) > _SHOWN else ''}"
    )
    return borderline, draw_image_grid(
        borderline["images"][:_SHOWN], borderline["probabilities"][:_SHOWN], title
    )
