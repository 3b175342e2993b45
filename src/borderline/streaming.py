"""The progress that a streaming node declares: its growing table, its steps and their total."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Stream:
    """A table that a node yields again and again, longer or further each time.

    Attributes:
        table: The last part of the name of its dataset, ``history_table``.
        step: Its column with the step of each row; ``epoch`` for a node that trains.
        first: The first value of that column, 0 or 1.
        total: Takes parameters of the node's function by name; gives the number of steps.
        best: The column whose maximum stands beside the progress bar; None for the last row.
        warning: The column with a sentence to warn the user about; None for no warnings.
    """

    table: str
    step: str
    first: int
    total: Callable[..., int]
    best: str | None = None
    warning: str | None = None

    @property
    def trains(self) -> bool:
        """Whether the node trains a network."""
        return self.step == "epoch"

    def total_of(self, arguments: Mapping[str, Any]) -> int:
        """The number of steps, from the arguments of the node's function by parameter."""
        names = inspect.signature(self.total).parameters
        return self.total(**{name: arguments[name] for name in names})

    def is_of(self, dataset_name: str) -> bool:
        """Whether a dataset is the stream's table."""
        return dataset_name.rpartition(".")[-1] == self.table


def streams(
    table: str,
    *,
    step: str,
    total: Callable[..., int],
    first: int = 1,
    best: str | None = None,
    warning: str | None = None,
) -> Callable[[Function], Function]:
    """Declare the progress of a streaming node; see :class:`Stream`.

    Example:
        >>> @streams("history_table", step="epoch", total=lambda gan: gan.epochs)
        ... def train_gan(pair_train, *, gan): ...
        >>> stream_of(train_gan).step
        'epoch'
    """

    def declare(function: Function) -> Function:
        function.stream = Stream(  # type: ignore[attr-defined]
            table, step, first, total, best, warning
        )
        return function

    return declare


def stream_of(function: Callable[..., Any]) -> Stream | None:
    """The progress that a node's function declares; None for one that does not stream."""
    stream: Stream | None = getattr(function, "stream", None)
    return stream
