"""Names of classes that figures and pages must hold, and whether they do."""

from __future__ import annotations

import re

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from borderline.measures.class_names import ClassNames

LONG = "an elderly patient with a small tumour in the upper left lung"
ODD_NAMES = [
    ClassNames("1", "7"),
    ClassNames(LONG, "healthy/no_finding_at_all_in_any_of_the_three_views_of_2023_x"),
    ClassNames("<b>$x_1$</b> & {p}", "US$ %{x} $"),
]

_ROUNDING = 1.0


def texts_outside(figure: Figure) -> list[str]:
    """The texts of a figure that its edge cuts off."""
    FigureCanvasAgg(figure).draw()
    edge = figure.bbox
    outside = []
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        # Ticks beyond the limits of an axis are not drawn.
        if not text.get_visible() or not re.search("[a-z]{2}", text.get_text()):
            continue
        box = text.get_window_extent()
        low = min(box.x0 - edge.x0, box.y0 - edge.y0)
        high = min(edge.x1 - box.x1, edge.y1 - box.y1)
        if min(low, high) < -_ROUNDING:
            outside.append(text.get_text())
    return outside


def shows(figure: Figure, names: ClassNames) -> bool:
    """Whether a figure has the whole names, and none of the words that they replace."""
    texts = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    joined = re.sub(r"\s", "", " ".join(texts).replace(r"\$", "$"))
    whole = all(re.sub(r"\s", "", name) in joined for name in names)
    return whole and "positive" not in joined and "negative" not in joined
