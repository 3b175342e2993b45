"""The names of the two classes, and texts with them that fit figures and charts."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from typing import NamedTuple, Self

from borderline.plain_text import in_one_line


class ClassNames(NamedTuple):
    """The names of the negative and of the positive class."""

    negative: str
    positive: str

    @classmethod
    def of(cls, pair_names: Mapping[str, str]) -> Self:
        """The names from the dataset ``pair_names``."""
        return cls(pair_names["negative"], pair_names["positive"])


def p_of(names: ClassNames | None) -> str:
    """The label of p, the probability of the positive class; ``p`` where the names are unknown."""
    return "p" if names is None else f"p({names.positive})"


def in_figure(text: str, width: int) -> str:
    r"""A text for a Matplotlib figure in lines of at most ``width`` characters.

    A longer word goes on in the next line. A dollar sign begins no formula.

    Example:
        >>> in_figure("p(US$ or CA$)", 9)
        'p(US\\$ or\nCA\\$)'
    """
    return "\n".join(_lines(text, width)).replace("$", r"\$")


def in_chart(text: str, width: int) -> str:
    """A text for a Plotly chart, which reads HTML, in lines of at most ``width`` characters.

    Example:
        >>> in_chart("p(<b> bag)", 6)
        'p(&lt;b&gt;<br>bag)'
    """
    return "<br>".join(html.escape(line) for line in _lines(text, width))


def _lines(text: str, width: int) -> list[str]:
    text = in_one_line(text)
    return textwrap.wrap(text, width) or [text]
