"""The tipping figure: a strip of images for each prototype, from one class to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import draw_note, framed_grid
from borderline.pipelines.prototypes.params import TippingParams
from borderline.records import Tipping


@dataclass(frozen=True)
class Strip:
    """Images from the real images of one class over the prototype to those of the other.

    Attributes:
        negative: The nearest real images of class 0, shape (k, C, H, W), the nearest last.
        walk: From a confident negative over the prototype to a confident positive, shape
            (2 S + 1, C, H, W).
        positive: The nearest real images of class 1, shape (k, C, H, W), the nearest first.
        p: p of the images in each of these, shapes (k,), (2 S + 1,) and (k,).
        caption: The text beside the strip.
    """

    negative: Tensor
    walk: Tensor
    positive: Tensor
    p: tuple[np.ndarray, np.ndarray, np.ndarray]
    caption: str


def strips_of(tipping: Tipping, real: Tensor, table: pd.DataFrame) -> list[Strip]:
    """The strips of all prototypes, from the walks and the real training images (N, C, H, W)."""
    strips = []
    captions = table.assign(caption=[_caption(row) for _, row in table.iterrows()])
    for number, walk in enumerate(tipping["walks"]):
        negative, positive = tipping["real_rows"][number]
        p_negative, p_positive = tipping["real_p"][number].numpy()
        sides = captions["caption"][captions["prototype"] == number]
        caption = f"{number}\n{', '.join(sides)}" if sides.any() else f"{number}"
        p = p_negative[::-1].copy(), tipping["walks_p"][number].numpy(), p_positive
        strips.append(Strip(real[negative.flip(0)], walk, real[positive], p, caption))
    return strips


def title_of(settings: TippingParams, latent: bool) -> str:
    """The title of the figure, of walks in latent space or of blends."""
    goals = f"p = {1 - settings.confident:g} and p = {settings.confident:g}"
    if not latent:
        return f"What would tip the model: blends with the nearest real images to {goals}"
    return (
        f"What would tip the model: shortest walks in latent space to {goals}\n"
        "(percentages: walk length relative to the distance of two random latents)"
    )


def draw_tipping(strips: Sequence[Strip], title: str) -> Figure:
    """A strip a prototype, with p under each image; a note stands in for no strips."""
    if not strips:
        return draw_note("There are no prototypes, so there is nothing to tip.")
    width, height = 0.95 * sum(len(p) for p in strips[0].p) + 1.8, 1.2 * len(strips) + 1.2
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    figure.suptitle(title, fontsize=11)
    axes = figure.subplots()
    axes.set_axis_off()
    rows, centres = zip(*(_picture(strip) for strip in strips), strict=True)
    side, width = rows[0].shape[:2]
    pitch = round(1.3 * side)
    sheet = np.ones((pitch * len(rows), width, 3))
    for number, (row, strip) in enumerate(zip(rows, strips, strict=True)):
        top = pitch * number
        sheet[top : top + side] = row
        for x, p in zip(centres[0], np.concatenate(strip.p), strict=True):
            axes.text(x, top + side + 2, f"{p:.2f}", fontsize=8, ha="center", va="top")
        axes.text(-0.15 * side, top + side / 2, strip.caption, fontsize=9, ha="right", va="center")
    axes.imshow(sheet, interpolation="nearest")
    _draw_titles(axes, strips[0], centres[0], -0.08 * side)
    return figure


def _picture(strip: Strip) -> tuple[np.ndarray, list[float]]:
    """A strip as one picture, and the horizontal centre of each image in it."""
    groups = zip((strip.negative, strip.walk, strip.positive), strip.p, strict=True)
    parts = [framed_grid(images, torch.from_numpy(p), len(p)) for images, p in groups]
    gap = np.ones((len(parts[0]), len(parts[0]) // 2, 3))
    starts = np.cumsum([0, *(part.shape[1] + gap.shape[1] for part in parts[:2])])
    centres = [
        start + part.shape[1] * (i + 0.5) / len(p)
        for start, part, p in zip(starts, parts, strip.p, strict=True)
        for i in range(len(p))
    ]
    return np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1), centres


def _draw_titles(axes: Axes, strip: Strip, centres: Sequence[float], y: float) -> None:
    before, walk, after = (len(p) for p in strip.p)
    for column, title in (
        ((before - 1) / 2, "nearest real\nnegatives"),
        (before, "confident\nnegative"),
        (before + walk // 2, "prototype"),
        (before + walk - 1, "confident\npositive"),
        (before + walk - 1 + (after + 1) / 2, "nearest real\npositives"),
    ):
        x = np.interp(column, np.arange(len(centres)), centres)
        axes.text(x, y, title, fontsize=9, ha="center", va="bottom")


def _caption(row: Any) -> str:
    if not row["confident"]:
        return "not reached"
    return f"{row['share']:.0%}" if pd.notna(row["share"]) else ""
