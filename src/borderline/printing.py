"""Tables for a console, in which no word is broken as long as it is wide enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from borderline.plain_text import visible

_BESIDE = 3  # a line and a space at both sides of each column


def table_of(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    console: Console,
    *,
    title: str | None = None,
    right: bool = False,
) -> tuple[Table, bool]:
    """A table of texts without markup, and whether it fits the console without breaking a word.

    Args:
        heads: The head of each column.
        rows: The cells of each row.
        console: The console.
        title: The title; None for none.
        right: Whether the texts stand at the right.
    """
    table = Table(title=title)
    for head in heads:
        table.add_column(text_of(head), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(text_of, row))
    columns = list(zip(heads, *rows, strict=True))
    widths = [_longest(text.split() for text in column) for column in columns]
    left = console.width - sum(widths) - _BESIDE * len(widths) - 1
    if left < 0:
        return table, False
    # Rich itself may break the words of one column to keep another one in a line.
    for place, texts in enumerate(columns):
        more = min(left, _longest(text.splitlines() for text in texts) - widths[place])
        table.columns[place].width = widths[place] + more
        left -= more
    return table, True


def text_of(text: str) -> Text:
    """A text for a console, without markup and control characters; its lines stay."""
    return Text(visible(text, "\n"))


def _longest(texts: Iterable[list[str]]) -> int:
    return max(map(cell_len, chain.from_iterable(texts)), default=1)
