"""The progress that a streaming node declares: its growing table, its steps and their total."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Stream:
    """A decorator: the function of a node yields a table again and again, longer or further.

    Attributes:
        table: The end of the name of its dataset, ``history_table``.
        step: Its column with the step of each row; ``epoch`` or ``training`` for a node that
            trains.
        total: Takes parameters of the node's function by name; gives the number of steps.
        first: The first value of that column, 0 or 1.
        named: The column whose text stands in front of the numbers; None for no text.
        best: The column whose maximum stands beside the progress bar; None for the last row.
        warning: The column with a sentence to warn the user about; None for no warnings.

    Example:
        >>> @streams("history_table", step="epoch", total=lambda gan: gan.epochs)
        ... def train_gan(pair_train, *, gan): ...
        >>> stream_of(train_gan).step
        'epoch'
    """

    table: str
    step: str = field(kw_only=True)
    total: Callable[..., int] = field(kw_only=True)
    first: int = field(default=1, kw_only=True)
    named: str | None = field(default=None, kw_only=True)
    best: str | None = field(default=None, kw_only=True)
    warning: str | None = field(default=None, kw_only=True)

    def __call__(self, function: Function) -> Function:
        """Declare the stream of a function."""
        function.stream = self  # type: ignore[attr-defined]
        return function

    @property
    def trains(self) -> bool:
        """Whether the node trains a network."""
        return self.step in ("epoch", "training")


streams = Stream


def stream_of(function: Callable[..., Any]) -> Stream | None:
    """The progress that a node's function declares; None for one that does not stream."""
    stream: Stream | None = getattr(function, "stream", None)
    return stream
