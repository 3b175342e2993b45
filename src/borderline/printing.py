"""Displays: none of them can fail a run, and tables break no word if the console is wide enough."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import chain
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from borderline.plain_text import visible

logger = logging.getLogger(__name__)

# Seconds of a wait that a message announces.
_LONG = 60
_BESIDE = 3  # a line and a space at both sides of each column


def log_long_wait(logger: logging.Logger, work: str, seconds: float) -> None:
    """Say how long a work takes, where that is more than a minute."""
    if seconds > _LONG:
        logger.info("%s takes about %s.", work, timedelta(seconds=round(seconds)))


@contextmanager
def harmless(tell: Callable[[BaseException], object]) -> Iterator[None]:
    """Let no error of a display, a tracker or a log handler end a run; interrupts do.

    Some libraries raise ``SystemExit``, for example rich for a closed pipe.

    Args:
        tell: Reports the error.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        with suppress(Exception):
            tell(error)


def not_shown(error: BaseException) -> None:
    """Log that something is not shown."""
    logger.warning("A display failed, and the run goes on: %s: %s", type(error).__name__, error)


def guard_displays() -> None:
    """Let no standard stream and no log handler fail this process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, _Steady):
            setattr(sys, name, _Steady(_nowhere() if stream is None else stream))
    for handler in logging.root.handlers:
        if "emit" not in vars(handler):
            vars(handler)["emit"] = _guarded(handler.emit)


def _guarded(emit: Callable[[logging.LogRecord], None]) -> Callable[[logging.LogRecord], None]:
    def guarded(record: logging.LogRecord) -> None:
        with harmless(lambda _: print(record.getMessage(), file=sys.stderr)):
            emit(record)

    return guarded


def _nowhere() -> Any:
    """A stream for a process without one; no later file gets the number of a standard stream."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    return open(os.devnull, "w")  # noqa: PTH123


class _Steady:
    """A text stream that drops what it cannot write: after a closed pipe, on a full disk.

    It writes letters that the terminal lacks as escapes.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> Any:
        return _Steady(self._stream.buffer)

    def write(self, text: Any) -> int:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:  # a stream that cannot be configured
            return self.write(ascii(text)[1:-1].replace("\\n", "\n"))
        except (OSError, ValueError):
            self._drop()
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._drop()

    def _drop(self) -> None:
        # Python writes the rest of the buffer when it ends; that must succeed too.
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


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
