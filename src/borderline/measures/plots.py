"""Pictures of images, coloured by the probabilities of the model under test."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure, SubFigure
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from borderline.measures.class_names import ClassNames, in_figure, p_of

# Blue, yellow, red: the boundary is the bright middle; colour-blind people can tell the ends apart.
PROBABILITY_COLOURS = matplotlib.colormaps["RdYlBu_r"]
CLASS_COLOURS = ("#4575b4", "#d73027")
"""Colours of the negative and of the positive class: the ends of the scale of p."""
PUSH_COLOURS = matplotlib.colormaps["RdBu_r"]
"""Colours of attributions: red pushes towards the positive class, as in the scale of p."""
CHANGE_COLOURS = matplotlib.colormaps["PuOr_r"]
"""Colours of the difference of two images: orange is brighter, purple is darker."""

# Most of Okabe and Ito's colours, without the blue and red of the classes.
_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9", "#8C6D1F", "#7B3FA0")
_MARKERS = ("x", "+", "^", "s")
CLUSTER_COLOURS = len(_COLOURS)
"""With more clusters than this, colours repeat."""
CHANCE_COLOUR = "#777777"

_LABEL = 18  # characters of a line beside a row of images
_SHORTEST_SIDE = 56
_LONGEST_SIDE = 1024
_MOST_STRETCHED = 4.0  # a cell, of images 16 times as long as they are narrow
_FRAME = 6
_GAP = 4
_LONGEST_COLUMN = 20  # images


def as_picture(images: Tensor) -> np.ndarray:
    """Images in [-1, 1], (N, C, H, W), as colours in [0, 1], (N, H, W, 3), for ``imshow``."""
    pictures: np.ndarray = ((images.double().clamp(-1, 1) + 1) / 2).movedim(1, -1).numpy()
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3))


def colours_of_p(threshold: float = 0.5) -> Normalize:
    """The scale from p in [0, 1] to ``PROBABILITY_COLOURS``, with the threshold in the middle."""
    return Normalize(0, 1) if threshold == 0.5 else TwoSlopeNorm(threshold, 0, 1)


def framed_grid(
    images: Tensor,
    p: Tensor | None,
    columns: int,
    threshold: float = 0.5,
    cells: Sequence[int] | None = None,
) -> np.ndarray:
    """Images on white, each framed in the colour of its p if given: (height, width, 3).

    ``cells`` are their places, counted row by row; None for one after the other.
    """
    scale = colours_of_p(threshold)
    cells = range(len(images)) if cells is None else cells
    short, long = sorted(images.shape[-2:])
    factor = max(1, min(-(-_SHORTEST_SIDE // short), _LONGEST_SIDE // long))
    pictures = as_picture(F.interpolate(images, scale_factor=factor, mode="nearest"))
    high, wide = (length + 2 * _FRAME + _GAP for length in pictures.shape[1:3])
    rows = max(cells, default=-1) // columns + 1
    grid = np.ones((rows * high, columns * wide, 3))
    for i, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
        top, left = high * (cell // columns), wide * (cell % columns)
        framed = grid[top : top + high - _GAP, left : left + wide - _GAP]
        if p is not None:
            framed[:] = PROBABILITY_COLOURS(float(scale(float(p[i]))))[:3]
        framed[_FRAME:-_FRAME, _FRAME:-_FRAME] = picture
    return grid[:-_GAP, :-_GAP]


def cell_of(images: Tensor) -> tuple[float, float]:
    """Width and height of an image's cell in figures: 1 and 1 for a square, else the same area.

    No side is shorter than a half, since text stands beside it, and none longer than four.
    """
    stretch = float(np.sqrt(images.shape[-1] / images.shape[-2]))
    wide, high = np.clip([stretch, 1 / stretch], 0.5, _MOST_STRETCHED).tolist()
    return wide, high


def add_probability_scale(
    figure: Figure | SubFigure,
    axes: Axes | list[Axes],
    location: str = "right",
    names: ClassNames | None = None,
    threshold: float = 0.5,
) -> None:
    """Draw the colour scale of the frames beside the axes, with the positive class if given."""
    scale = ScalarMappable(colours_of_p(threshold), PROBABILITY_COLOURS)
    bar = figure.colorbar(scale, ax=axes, location=location, fraction=0.04, pad=0.02)
    # Two lines on the right: a single row of images leaves no room for a longer one.
    separator = "\n" if location == "right" else " "
    p = in_figure(f"{p_of(names)},", _LABEL)
    bar.set_label(f"{p}{separator}boundary at {threshold:.3g}", fontsize=9)


def draw_image_grid(
    images: Tensor,
    p: Tensor | None,
    title: str,
    columns: int = 8,
    names: ClassNames | None = None,
    threshold: float = 0.5,
) -> Figure:
    """A figure of :func:`framed_grid`, with a scale if p is given; a note for no images.

    The ``columns`` are those of square images; of wide images there are fewer.
    """
    wide, high = cell_of(images)
    columns = max(1, round(columns / wide))
    rows = max(1, -(-len(images) // columns))
    figsize = (0.9 * wide * columns + 1.5, 0.9 * high * rows + 0.8)
    figure = Figure(figsize=figsize, layout="constrained", dpi=120)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_title(title, fontsize=11)
    if len(images) == 0:
        axes.text(0.5, 0.5, "no images", ha="center", va="center")
        return figure
    axes.imshow(framed_grid(images, p, columns, threshold), interpolation="nearest")
    if p is not None:
        add_probability_scale(figure, axes, names=names, threshold=threshold)
    return figure


def draw_by_tenths(images: Tensor, p: Tensor, title: str, threshold: float = 0.5) -> Figure:
    """A figure of framed images: a column for each tenth of p, sorted by p from top to bottom.

    Above each column stands the number of its images; a longer column shows some, evenly spread.
    """
    tenths = (10 * p).long().clamp(0, 9)
    columns = [(tenths == i).nonzero()[:, 0] for i in range(10)]
    columns = [rows[p[rows].argsort(stable=True)] for rows in columns]
    shown = [rows[_evenly(len(rows), _LONGEST_COLUMN)] for rows in columns]
    cells = [10 * row + i for i, rows in enumerate(shown) for row in range(len(rows))]
    order = torch.cat(shown)
    grid = framed_grid(images[order], p[order], 10, threshold, cells)
    wide, high = cell_of(images)
    figsize = (5.5 * wide + 1.5, 0.55 * high * (max(cells) // 10 + 1) + 1.4)
    figure = Figure(figsize=figsize, layout="constrained", dpi=120)
    axes = figure.subplots()
    axes.imshow(grid, interpolation="nearest")
    bare(axes)
    width = (grid.shape[1] + _GAP) / 10
    axes.set_xticks([width * i - _GAP / 2 for i in range(11)], [f"{i / 10:g}" for i in range(11)])
    axes.tick_params(length=3, labelsize=9)
    for i, rows in enumerate(columns):
        axes.text(width * (i + 0.5), -_GAP, str(len(rows)), ha="center", va="bottom", fontsize=8)
    axes.set_title(title, fontsize=11, pad=18)
    axes.set_xlabel(
        f"p; number of images above each column, at most {_LONGEST_COLUMN} shown", fontsize=9
    )
    return figure


def _evenly(count: int, most: int) -> Tensor:
    """At most so many rows of a count, evenly spread, with the first and the last one."""
    return torch.linspace(0, max(count - 1, 0), min(count, most)).round().long()


def as_data_uris(images: Tensor) -> list[str]:
    """Each image (C, H, W), in [-1, 1], as an address ``data:image/png;base64,...``."""
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(1, -1).numpy()
    grey = pixels.shape[-1] == 1
    addresses = []
    for picture in pixels:
        buffer = BytesIO()
        Image.fromarray(picture[..., 0] if grey else picture).save(buffer, "PNG", optimize=True)
        content = base64.b64encode(buffer.getvalue()).decode()
        addresses.append(f"data:image/png;base64,{content}")
    return addresses


def scale_of(attributions: Tensor) -> float:
    """The end of the colour scale of attributions (K, H, W), nearly their largest strength."""
    return float(np.quantile(attributions.abs().numpy(), 0.995)) or 1.0


def overlay(picture: np.ndarray, push: np.ndarray) -> np.ndarray:
    """An attribution (H, W), cut to [-1, 1], over a picture (H, W, 3); a strong push is opaque."""
    strength = np.clip(np.abs(push), 0, 1)[..., None]
    # Bright strokes become grey on white, so that both colours stand out on them.
    pale = 1 - 0.35 * picture.mean(-1, keepdims=True)
    colours = PUSH_COLOURS(np.clip(push, -1, 1) / 2 + 0.5)[..., :3]
    blend: np.ndarray = (1 - strength) * pale + strength * colours
    return blend.clip(0, 1)


def as_change(before: Tensor, after: Tensor) -> tuple[np.ndarray, float]:
    """The differences of images, (N, C, H, W), in ``CHANGE_COLOURS``, (N, H, W, 3).

    All have one scale; the second value is its end, in shares of the range from black to white.
    """
    change = (after - before).mean(1) / 2
    limit = scale_of(change)
    pictures: np.ndarray = CHANGE_COLOURS(np.clip(change.numpy() / limit, -1, 1) / 2 + 0.5)
    return pictures[..., :3], limit


def cluster_colour(cluster: int) -> str:
    """A colour that colour-blind people tell apart from the others (Okabe and Ito 2008)."""
    return _COLOURS[cluster % len(_COLOURS)]


def cluster_marker(cluster: int) -> str:
    """A marker that tells clusters of the same colour apart."""
    return _MARKERS[cluster // len(_COLOURS) % len(_MARKERS)]


def draw_note(text: str) -> Figure:
    """A figure with a text instead of a picture."""
    figure = Figure(figsize=(8, 2), layout="constrained")
    figure.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    return figure


def bare(axes: Axes) -> None:
    """Remove ticks and spines from axes that show an image."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
