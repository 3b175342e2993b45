"""Figures of the generators' images."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.class_names import ClassNames
from borderline.measures.plots import (
    add_probability_scale,
    cell_of,
    draw_image_grid,
    framed_grid,
)
from borderline.records import Part

_SHOWN = 64


def draw_side_by_side(
    strips: list[tuple[str, Tensor, Tensor]],
    names: ClassNames,
    threshold: float,
    columns: int = 14,
) -> Figure:
    """A strip of borderline images for each source, by its name; without images it is a note."""
    wide, high = cell_of(strips[0][1]) if strips else (1, 1)
    columns = max(1, round(columns / wide))
    figure = Figure(figsize=(14, 0.95 * high * len(strips) + 0.6), layout="constrained", dpi=120)
    panels = figure.subplots(len(strips), 1, squeeze=False)[:, 0]
    for axes, (name, images, p) in zip(panels, strips, strict=True):
        axes.text(-0.01, 0.5, name, ha="right", va="center", transform=axes.transAxes, fontsize=9)
        axes.set_axis_off()
        if len(images) == 0:
            axes.text(0.01, 0.5, "none", va="center", transform=axes.transAxes)
            continue
        strip = framed_grid(images[:columns], p[:columns], columns, threshold)
        axes.imshow(strip, interpolation="nearest", aspect="equal")
        axes.set_anchor("W")
    figure.suptitle("Borderline images, real and generated", fontsize=11)
    add_probability_scale(figure, list(panels), names=names, threshold=threshold)
    return figure


def draw_borderline(borderline: Part, chosen: str, names: ClassNames, threshold: float) -> Figure:
    """The first borderline images of the chosen generator."""
    images, p = borderline["images"], borderline["probabilities"]
    note = f", the first {_SHOWN} of them" if len(images) > _SHOWN else ""
    title = f"{len(images)} borderline images of {chosen}{note}"
    shown = images[:_SHOWN], p[:_SHOWN]
    return draw_image_grid(*shown, title, names=names, threshold=threshold)
