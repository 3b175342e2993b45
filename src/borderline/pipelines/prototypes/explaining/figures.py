"""Sheets of images: prototypes with their maps, clusters, ways to tip, prototypes found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from borderline.measures.plots import (
    PROBABILITY_COLOURS,
    PUSH_COLOURS,
    add_probability_scale,
    as_picture,
    bare,
    framed_grid,
    overlay,
    scale_of,
)
from borderline.pipelines.prototypes.explaining.attribution import UNITS
from borderline.pipelines.prototypes.explaining.faithfulness import Curves, Faithfulness, shares
from borderline.pipelines.prototypes.params import Method

_COLUMNS = 8
_MEMBERS = 24


def draw_prototypes(
    images: Tensor, p: Tensor, captions: Sequence[str], maps: Mapping[Method, Tensor]
) -> Figure:
    """Each prototype above its maps: what pushes the model to which class.

    Args:
        images: Prototypes in [-1, 1], shape (K, C, H, W), K at least 1.
        p: Their probabilities, shape (K,).
        captions: What to write above each.
        maps: Of each method, shape (K, H, W); each method has one scale for all prototypes.
    """
    count, height = len(images), 1 + len(maps)
    columns = min(count, _COLUMNS)
    blocks = -(-count // columns)
    figure = Figure(
        figsize=(1.6 * columns + 2.4, (1.6 * height + 0.7) * blocks + 0.9),
        layout="constrained",
        dpi=130,
    )
    figure.suptitle(
        "The prototypes, and below each what pushes the model:\n"
        "red pixels to the positive class, blue ones to the negative"
    )
    axes = figure.subplots(height * blocks, columns, squeeze=False)
    for ax in axes.flat:
        bare(ax)
    limits = {method: scale_of(own) for method, own in maps.items()}
    pictures = as_picture(images)
    for i, picture in enumerate(pictures):
        column = axes[height * (i // columns) : height * (i // columns + 1), i % columns]
        column[0].imshow(picture, interpolation="nearest")
        column[0].set_title(f"{i}: p = {float(p[i]):.2f}\n{captions[i]}", fontsize=9)
        _frame(column[0], float(p[i]))
        for ax, (method, own) in zip(column[1:], maps.items(), strict=True):
            ax.imshow(overlay(picture, own[i].numpy() / limits[method]), interpolation="nearest")
    for block in range(blocks):
        for row, method in enumerate(maps, start=height * block + 1):
            axes[row, 0].set_ylabel(method.replace("_", " "), fontsize=9)
    # Beside the first rows only: over all rows the scales would lie upon each other.
    add_probability_scale(figure, list(axes[0]))
    for row, (method, limit) in enumerate(limits.items(), start=1):
        _add_push_scale(figure, list(axes[row]), limit, UNITS[method])
    return figure


@dataclass(frozen=True)
class Strip:
    """From the real images of one class over the prototype to those of the other.

    Attributes:
        negative: The nearest real images of class 0, shape (k, C, H, W), the nearest last.
        walk: From a confident negative over the prototype to a confident positive, shape
            (2 S + 1, C, H, W).
        positive: The nearest real images of class 1, shape (k, C, H, W), the nearest first.
        p: Of each of them, k + 2 S + 1 + k values.
        said: What to write beside it.
    """

    negative: Tensor
    walk: Tensor
    positive: Tensor
    p: tuple[np.ndarray, np.ndarray, np.ndarray]
    said: str


def draw_tipping(strips: Sequence[Strip], title: str) -> Figure:
    """A strip a prototype, with p under each image.

    Args:
        strips: At least one.
        title: What the ways are.
    """
    width, height = strip_size(strips)
    figure = Figure(figsize=(width, height + 0.7), layout="constrained", dpi=110)
    figure.suptitle(title)
    draw_strips(figure.subplots(), strips)
    return figure


def strip_size(strips: Sequence[Strip]) -> tuple[float, float]:
    """The width and height in inches that suit strips."""
    images = sum(len(p) for p in strips[0].p)
    return 0.95 * images + 1.8, 1.2 * len(strips) + 0.5


def draw_strips(axes: Axes, strips: Sequence[Strip]) -> None:
    """Draw strips below each other."""
    axes.set_axis_off()
    rows, centres = [], []
    for strip in strips:
        parts = []
        for images, p in zip((strip.negative, strip.walk, strip.positive), strip.p, strict=True):
            parts += [framed_grid(images, torch.from_numpy(p), len(p))]
        gap = np.ones((len(parts[0]), len(parts[0]) // 2, 3))
        rows.append(np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1))
        starts = np.cumsum([0, *(part.shape[1] + gap.shape[1] for part in parts[:2])])
        centres = [
            start + part.shape[1] * (i + 0.5) / len(p)
            for start, part, p in zip(starts, parts, strip.p, strict=True)
            for i in range(len(p))
        ]
    side, width = rows[0].shape[:2]
    pitch = round(1.3 * side)
    sheet = np.ones((pitch * len(rows), width, 3))
    for number, (row, strip) in enumerate(zip(rows, strips, strict=True)):
        top = pitch * number
        sheet[top : top + side] = row
        for x, p in zip(centres, np.concatenate(strip.p), strict=True):
            axes.text(x, top + side + 2, f"{p:.2f}", fontsize=8, ha="center", va="top")
        axes.text(-0.15 * side, top + side / 2, strip.said, fontsize=9, ha="right", va="center")
    axes.imshow(sheet, interpolation="nearest")
    ends, middle = (len(strip.p[0]), len(strip.p[0]) + len(strip.p[1]) - 1), len(strip.walk) // 2
    for column, title in (
        ((ends[0] - 1) / 2, "nearest real\nnegatives"),
        (ends[0], "confident\nnegative"),
        (ends[0] + middle, "prototype"),
        (ends[1], "confident\npositive"),
        (ends[1] + (len(strip.p[2]) + 1) / 2, "nearest real\npositives"),
    ):
        x = np.interp(column, np.arange(len(centres)), centres)
        axes.text(x, -0.08 * side, title, fontsize=9, ha="center", va="bottom")


def draw_cluster(
    number: int,
    caption: str,
    prototype: tuple[Tensor, float],
    maps: Mapping[Method, Tensor],
    limits: Mapping[Method, float],
    strip: Strip,
    members: tuple[Tensor, Tensor],
    real: tuple[Tensor, Tensor],
) -> Figure:
    """All about one cluster on one sheet.

    Args:
        number: Of the cluster.
        caption: Its size and stability.
        prototype: Image (C, H, W) and p.
        maps: Of each method, shape (H, W).
        limits: The scale of each, as ``scale_of`` gives it for all prototypes.
        strip: What would tip it.
        members: Images (n, C, H, W) and their p (n,), those most like the prototype first.
        real: The real test images in the band that fall into the cluster, and their p.
    """
    figure = Figure(figsize=(15, 11.5), layout="constrained", dpi=100)
    parts: Any = figure.subfigures(4, 1, height_ratios=[3.6, 1.6, 2.8, 1.7])
    top, middle, below, last = parts
    name = f"Cluster {number}" if number >= 0 else "A prototype"
    top.suptitle(f"{name}: {caption}", fontsize=14)
    axes = top.subplots(1, 1 + len(maps), squeeze=False)[0]
    picture = as_picture(prototype[0][None])[0]
    axes[0].imshow(picture, interpolation="nearest")
    axes[0].set_title(f"prototype, p = {prototype[1]:.2f}")
    bare(axes[0])
    add_probability_scale(top, axes[0], location="bottom")
    _frame(axes[0], prototype[1])
    for ax, (method, own) in zip(axes[1:], maps.items(), strict=True):
        ax.imshow(overlay(picture, own.numpy() / limits[method]), interpolation="nearest")
        ax.set_title(method.replace("_", " "))
        bare(ax)
        _add_push_scale(top, [ax], limits[method], UNITS[method], location="bottom")
    draw_strips(middle.subplots(), [strip])
    shown = len(members[0][:_MEMBERS])
    _draw_framed(below, members, f"{shown} of its images, those most like the prototype first")
    count = len(real[0])
    title = f"{count} real test images in the band fall into it" + (
        f", {_MEMBERS} of them shown" if count > _MEMBERS else ""
    )
    _draw_framed(last, real, title)
    return figure


def _draw_framed(figure: SubFigure, images: tuple[Tensor, Tensor], title: str) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
    pictures, p = (part[:_MEMBERS] for part in images)
    if len(pictures):
        axes.imshow(framed_grid(pictures, p, 12), interpolation="nearest")


def _add_push_scale(
    figure: Figure | SubFigure, axes: list[Axes], limit: float, unit: str, location: str = "right"
) -> None:
    scale = ScalarMappable(Normalize(-limit, limit), PUSH_COLOURS)
    bar = figure.colorbar(
        scale, ax=axes, location=location, fraction=0.04, pad=0.02, format="%+.2g"
    )
    bar.set_label(unit, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.set_ticks([-limit, 0, limit])


def _frame(ax: Axes, p: float, width: float = 4) -> None:
    for spine in ax.spines.values():
        spine.set(visible=True, color=PROBABILITY_COLOURS(p), linewidth=width)


def draw_faithfulness(
    found: Mapping[Method, Curves], chance: list[Curves], scores: Mapping[Method, Faithfulness]
) -> Figure:
    """The mean p as pixels are deleted or inserted in the order of each kind of map.

    Args:
        found: The curves of each method.
        chance: Those of random maps, at least one.
        scores: How each method compares with them.
    """
    figure = Figure(figsize=(3.2 * len(found) + 1, 6.4), layout="constrained", dpi=110)
    panels = figure.subplots(2, len(found), sharex=True, sharey=True, squeeze=False)
    for column, (method, own) in enumerate(found.items()):
        said = scores[method]._asdict()
        for axes, kind, score in zip(
            panels[:, column], ("deleted", "inserted"), ("deletion", "insertion"), strict=True
        ):
            random = np.stack([getattr(each, kind).mean(0) for each in chance])
            curve = getattr(own, kind).mean(0)
            x = shares(len(curve) - 1)
            low, high = np.quantile(random, [0.025, 0.975], axis=0)
            axes.fill_between(x, low, high, color="#bbbbbb", label="random maps, 95 %")
            axes.plot(x, curve, color="black", label="this kind of map")
            axes.set_title(
                f"{method.replace('_', ' ')}: {said[score]:+.2f} (p = {said[f'{score}_p']:.2f})",
                fontsize=9,
            )
            axes.set_xlabel(f"share of pixels {kind}", fontsize=9)
            axes.set(ylim=(0, 1), xlim=(0, 1))
    for axes in panels[:, 0]:
        axes.set_ylabel("mean p(positive)", fontsize=9)
    panels[0, 0].legend(fontsize=8)
    figure.suptitle(
        "Are the maps true? The red pixels go first, the blue ones last: when deleted, p should "
        "stay below\nthat of random maps, and when put back into black, above it",
        fontsize=11,
    )
    return figure
