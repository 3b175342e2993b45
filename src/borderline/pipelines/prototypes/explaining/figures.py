"""Figures of the prototypes' attributions, of the faithfulness of these, and of the walks."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.class_names import ClassNames, in_figure, p_of
from borderline.measures.plots import (
    PROBABILITY_COLOURS,
    PUSH_COLOURS,
    add_probability_scale,
    as_picture,
    bare,
    cell_of,
    colours_of_p,
    draw_note,
    framed_grid,
    overlay,
    scale_of,
)
from borderline.pipelines.prototypes.choosing.candidates import NOISE
from borderline.pipelines.prototypes.explaining.attribution import UNITS
from borderline.pipelines.prototypes.explaining.faithfulness import Curves, shares
from borderline.records import RealBorderline, Tipping

_COLUMNS = 8
_CHARACTERS_AN_INCH = 11  # of a title
# Characters of a line above an image, at an axis, and above a column of a strip.
_CAPTION, _AXIS, _HEAD = 20, 30, 13
_LINE = 0.15  # inches
_FRAME = 4


def captions_of(table: pd.DataFrame) -> list[str]:
    """The size and, where it is known, the stability of each prototype's cluster."""
    captions = []
    for row in table.to_dict("records"):
        stability = "" if pd.isna(row["stability"]) else f"\nstability {row['stability']:.2f}"
        size = "no cluster" if row["cluster"] == NOISE else f"{row['images']:.0f} images"
        captions.append(size if row["cluster"] == NOISE else size + stability)
    return captions


def captions_of_real(real: RealBorderline, names: ClassNames) -> list[str]:
    """The row and the class of each real test image."""
    shown = [in_figure(name, _CAPTION) for name in names]
    rows = zip(real["rows"].tolist(), real["labels"].tolist(), strict=True)
    return [f"test image {row}\n{shown[label]}" for row, label in rows]


def draw_prototypes(
    images: Tensor,
    p: Tensor,
    captions: Sequence[str],
    attributions: Mapping[str, Tensor],
    title: str = "Prototypes",
    names: ClassNames | None = None,
    threshold: float = 0.5,
) -> Figure:
    """Each prototype, or another image, above its attributions.

    Args:
        images: Prototypes in [-1, 1], shape (K, C, H, W), K at least 1.
        p: Their probabilities, shape (K,).
        captions: The text above each.
        attributions: By method, shape (K, H, W); each method has one scale for all prototypes.
        title: The name of the images.
        names: The names of the classes, if they are known.
        threshold: The decision threshold, the middle of the colours of p.
    """
    scale = colours_of_p(threshold)
    count, height = len(images), 1 + len(attributions)
    wide, high = cell_of(images)
    columns = min(count, max(1, round(_COLUMNS / wide)))
    blocks = -(-count // columns)
    width = 1.6 * max(wide, 1) * columns + 2.4
    figure = Figure(
        figsize=(width, (1.6 * high * height + 0.7) * blocks + 0.9), layout="constrained", dpi=130
    )
    pushes = (
        f"to {names.positive}, blue: to {names.negative}" if names else "raises p, blue: lowers p"
    )
    characters = round(_CHARACTERS_AN_INCH * width)
    lines = (f"{title} and the attributions of their pixels", f"(red: {pushes})")
    figure.suptitle("\n".join(in_figure(line, characters) for line in lines), fontsize=10)
    axes = figure.subplots(height * blocks, columns, squeeze=False)
    for ax in axes.flat:
        bare(ax)
    limits = {method: scale_of(values) for method, values in attributions.items()}
    for i, picture in enumerate(as_picture(images)):
        column = axes[height * (i // columns) : height * (i // columns + 1), i % columns]
        column[0].imshow(picture, interpolation="nearest")
        column[0].set_title(f"{i}: p = {float(p[i]):.2f}\n{captions[i]}", fontsize=9)
        for spine in column[0].spines.values():
            spine.set(
                visible=True, color=PROBABILITY_COLOURS(float(scale(float(p[i])))), linewidth=_FRAME
            )
        for ax, (method, values) in zip(column[1:], attributions.items(), strict=True):
            ax.imshow(overlay(picture, values[i].numpy() / limits[method]), interpolation="nearest")
    for block in range(blocks):
        for row, method in enumerate(attributions, start=height * block + 1):
            axes[row, 0].set_ylabel(method.replace("_", " "), fontsize=9)
    # Beside the first rows only: over all rows the scales would overlap.
    add_probability_scale(figure, list(axes[0]), names=names, threshold=threshold)
    for row, (method, limit) in enumerate(limits.items(), start=1):
        _add_push_scale(figure, list(axes[row]), limit, UNITS[method])
    return figure


def _add_push_scale(figure: Figure, axes: list[Axes], limit: float, unit: str) -> None:
    scale = ScalarMappable(Normalize(-limit, limit), PUSH_COLOURS)
    bar = figure.colorbar(scale, ax=axes, fraction=0.04, pad=0.02, format="%+.2g")
    bar.set_label(unit, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.set_ticks([-limit, 0, limit])


def draw_faithfulness(
    table: pd.DataFrame,
    curves: Mapping[str, Curves],
    random_orders: Sequence[Curves],
    names: ClassNames,
) -> Figure:
    """The mean p while pixels are deleted or inserted; the arguments come from ``explain``."""
    scores = table.set_index("method")
    width = 3.2 * len(curves) + 1
    figure = Figure(figsize=(width, 6.4), layout="constrained", dpi=110)
    panels = figure.subplots(2, len(curves), sharex=True, sharey=True, squeeze=False)
    for column, (method, of_method) in enumerate(curves.items()):
        for axes, kind, score in zip(
            panels[:, column], ("deleted", "inserted"), ("deletion", "insertion"), strict=True
        ):
            random = np.stack([getattr(order, kind).mean(0) for order in random_orders])
            curve = getattr(of_method, kind).mean(0)
            x = shares(len(curve) - 1)
            low, high = np.quantile(random, [0.025, 0.975], axis=0)
            axes.fill_between(x, low, high, color="#bbbbbb", label="random orders, 95 %")
            axes.plot(x, curve, color="black", label="order of the attribution")
            p = scores[f"{score}_p"][method]
            title = f"{scores[score][method]:+.2f} (p = {p:.2f})" if p == p else "no result"
            axes.set_title(f"{method.replace('_', ' ')}: {title}", fontsize=9)
            axes.set_xlabel(f"share of pixels {kind}", fontsize=9)
            axes.set(ylim=(0, 1), xlim=(0, 1))
    for axes in panels[:, 0]:
        axes.set_ylabel(in_figure(f"mean {p_of(names)}", _AXIS), fontsize=9)
    panels[0, 0].legend(fontsize=8)
    title = (
        "Faithfulness of the attributions (red pixels first, blue pixels last): deletion should "
        "lower p more than random orders do, insertion into a black image should raise it more"
    )
    figure.suptitle(textwrap.fill(title, round(_CHARACTERS_AN_INCH * width)), fontsize=11)
    return figure


def draw_tipping(
    tipping: Tipping,
    real: Tensor,
    table: pd.DataFrame,
    ends: tuple[float, float],
    threshold: float,
    names: ClassNames,
    latent: bool,
) -> Figure:
    """A strip a prototype, from the real images of one class to those of the other.

    Args:
        tipping: The walks; a note stands in for none.
        real: The real training images, shape (N, C, H, W).
        table: One row a prototype and class.
        ends: p of the confident images of both classes.
        threshold: The decision threshold.
        names: The names of the classes.
        latent: Whether the walks are in latent space, not blends.
    """
    if len(tipping["walks"]) == 0:
        return draw_note("There are no prototypes, so there is nothing to tip.")
    count, images = tipping["walks_p"].shape
    neighbours = tipping["real_rows"].shape[2]
    negative, positive = (in_figure(name, _HEAD) for name in names)
    # Long names take room above the strips.
    more = _LINE * max(name.count("\n") for name in (negative, positive))
    wide, high = cell_of(tipping["walks"])
    width = 0.95 * wide * (images + 2 * neighbours) + 1.8
    height = (0.95 * high + 0.25) * count + 1.2 + more
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    figure.suptitle(_title(ends, latent), fontsize=11)
    axes = figure.subplots()
    axes.set_axis_off()
    sheet = []
    for number, (rows, real_p) in enumerate(
        zip(tipping["real_rows"], tipping["real_p"], strict=True)
    ):
        strip = real[rows[0].flip(0)], tipping["walks"][number], real[rows[1]]
        p = real_p[0].flip(0), tipping["walks_p"][number], real_p[1]
        picture, centres = _strip(strip, p, threshold)
        # The side of a square image of the same area, in pixels.
        unit = len(picture) / high
        gap = round(0.3 * unit)
        top = (len(picture) + gap) * number
        bottom = top + len(picture)
        sheet.append(np.pad(picture, ((0, gap), (0, 0), (0, 0)), constant_values=1))
        for x, value in zip(centres, torch.cat(p).tolist(), strict=True):
            axes.text(x, bottom + 2, f"{value:.2f}", fontsize=8, ha="center", va="top")
        sides = [_caption(row) for _, row in table[table["prototype"] == number].iterrows()]
        caption = f"{number}\n{', '.join(sides)}" if any(sides) else f"{number}"
        axes.text(-0.15 * unit, (top + bottom) / 2, caption, fontsize=9, ha="right", va="center")
    axes.imshow(np.concatenate(sheet), interpolation="nearest")
    for column, title in (
        ((neighbours - 1) / 2, f"nearest real\n{negative}"),
        (neighbours, f"confident\n{negative}"),
        (neighbours + images // 2, "prototype"),
        (neighbours + images - 1, f"confident\n{positive}"),
        (neighbours + images - 1 + (neighbours + 1) / 2, f"nearest real\n{positive}"),
    ):
        x = np.interp(column, np.arange(len(centres)), centres)
        axes.text(x, -0.08 * unit, title, fontsize=9, ha="center", va="bottom")
    return figure


def _title(ends: tuple[float, float], latent: bool) -> str:
    goals = " and ".join(f"p = {p:.3g}" for p in ends)
    if not latent:
        return f"What would tip the model: blends with the nearest real images to {goals}"
    return (
        f"What would tip the model: shortest walks in latent space to {goals}\n"
        "(percentages: walk length relative to the distance of two random latents)"
    )


def _strip(
    groups: Sequence[Tensor], p: Sequence[Tensor], threshold: float
) -> tuple[np.ndarray, list[float]]:
    """Groups of images as one picture, and the horizontal centre of each image in it."""
    parts: list[np.ndarray] = []
    centres: list[float] = []
    start = 0.0
    for images, of_images in zip(groups, p, strict=True):
        part = framed_grid(images, of_images, len(images), threshold)
        gap = np.ones((len(part), len(part) // 2, 3))
        centres += [start + part.shape[1] * (i + 0.5) / len(images) for i in range(len(images))]
        start += part.shape[1] + gap.shape[1]
        parts += [part, gap]
    return np.concatenate(parts[:-1], axis=1), centres


def _caption(row: pd.Series) -> str:
    if not row["confident"]:
        return "not reached"
    return f"{row['share']:.0%}" if pd.notna(row["share"]) else ""
