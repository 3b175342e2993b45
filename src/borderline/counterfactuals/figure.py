"""The figure of images at the boundary: a row an image, with the change as a map."""

from __future__ import annotations

import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from borderline.counterfactuals.explain import are_blends
from borderline.measures.class_names import ClassNames, in_figure
from borderline.measures.plots import (
    CHANGE_COLOURS,
    PROBABILITY_COLOURS,
    add_probability_scale,
    as_change,
    as_picture,
    bare,
    cell_of,
    colours_of_p,
    draw_note,
)
from borderline.records import Counterfactuals, take_rows

_HEADS = {
    "images": "image",
    "reconstructions": "reconstruction",
    "boundary": "on the boundary",
    "flipped": "decided otherwise",
}
_SIDE = 1.5  # inches
_LINE = 24  # characters beside a row
# The layout of more takes minutes, and a picture has at most 65,536 pixels in height.
_MOST_ROWS = 25


def draw_counterfactuals(
    found: Counterfactuals, table: pd.DataFrame, names: ClassNames, threshold: float, most: int
) -> Figure:
    """The first images with their reconstruction, the boundary, the other decision and the change.

    There are at most 25 rows.

    Args:
        found: The images; a note stands in for none.
        table: The table of :func:`borderline.counterfactuals.explain.explain_images`.
        names: The names of the classes.
        threshold: The decision threshold.
        most: The most rows.
    """
    if len(found["rows"]) == 0:
        return draw_note(_without(table))
    shown = take_rows(found, slice(min(most, _MOST_ROWS)))
    blends = are_blends(table)
    heads = {name: head for name, head in _HEADS.items() if not blends or name != "reconstructions"}
    changes, limit = as_change(shown["reconstructions"], shown["flipped"])
    pictures = [as_picture(shown[name]) for name in heads] + [changes]  # type: ignore[literal-required]
    count, scale = len(shown["rows"]), colours_of_p(threshold)
    wide, high = cell_of(shown["images"])
    size = (_SIDE * wide * len(pictures) + 3.2, (_SIDE * high + 0.15) * count + 0.9)
    figure = Figure(figsize=size, layout="constrained", dpi=110)
    axes = figure.subplots(count, len(pictures), squeeze=False)
    figure.suptitle(_title(len(found["rows"]), count, blends))
    places = [list(_HEADS).index(name) for name in heads]
    for row, of_row in enumerate(axes):
        about = table.iloc[int(shown["rows"][row])]
        for column, ax in enumerate(of_row):
            bare(ax)
            ax.imshow(pictures[column][row], interpolation="nearest")
            title = [*heads.values(), "change"][column] if row == 0 else ""
            if column < len(heads):
                p = float(shown["p"][row, places[column]])
                title = f"{title}\np = {p:.2f}".strip()
                for spine in ax.spines.values():
                    colour = PROBABILITY_COLOURS(float(scale(p)))
                    spine.set(visible=True, color=colour, linewidth=4)
            ax.set_title(title, fontsize=8)
        label = in_figure(_name_of(about), _LINE)
        of_row[0].set_ylabel(label, fontsize=8, rotation=0, ha="right", va="center")
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), CHANGE_COLOURS), ax=list(axes[:, -1])
    )
    bar.set_label("darker, brighter (share of black to white)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    add_probability_scale(figure, list(axes[:, 0]), "left", names, threshold)
    return figure


def _title(found: int, shown: int, blends: bool) -> str:
    what = "a blend" if blends else "the smallest change"
    title = f"Real images, and {what} that the model decides otherwise about"
    return title if shown == found else f"{title}\n(the first {shown} of {found})"


def _name_of(about: pd.Series) -> str:
    known = pd.notna(about["class"]) and about["class"] != ""
    kind = {"error": "error: ", "borderline": "borderline: "}.get(str(about["why"]), "")
    return f"{kind}{about['image']}" + (f", is {about['class']}" if known else "")


def _without(table: pd.DataFrame) -> str:
    if len(table) == 0:
        return "No image: the model has no errors and no borderline images in the test set."
    return "No image has a change to show: the table says why for each."
