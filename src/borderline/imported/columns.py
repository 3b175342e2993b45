"""The columns of a model's outputs, and the classes that they may stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from borderline.datasets.class_names import class_orders
from borderline.imported.outputs import Outputs, log_probabilities, pair_logits


class Pair(NamedTuple):
    """The two classes of a model among all classes of the images.

    Attributes:
        classes: The names of all classes in the order of their labels.
        positive: The label of the positive class.
        negative: The label of the negative class.
    """

    classes: tuple[str, ...]
    positive: int
    negative: int


class Assignment(NamedTuple):
    """An assignment of output columns to the two classes.

    Attributes:
        columns: Those of the positive and of the negative class; None for one number per image.
        pair: The two classes.
        exchanged: Whether the columns of another assignment are exchanged; for one number, whether
            it is high for the negative class.
        elsewhere: Whether no order of the classes gives these columns.
    """

    columns: tuple[int, int] | None
    pair: Pair
    exchanged: bool = False
    elsewhere: bool = False

    def __str__(self) -> str:
        classes, positive, negative = self.pair
        if self.columns is None:
            high, low = (negative, positive) if self.exchanged else (positive, negative)
            return f"one output: high for {classes[high]}, low for {classes[low]}"
        first, second = self.columns
        return (
            f"column {first}: {classes[positive]} (positive), "
            f"column {second}: {classes[negative]} (negative)"
        )

    def logits(self, outputs: Tensor, kind: Outputs) -> Tensor:
        """The logits (N,) of the positive against the negative class, from outputs (N, K)."""
        if self.columns is None:
            logits = pair_logits(outputs, kind, ())
            return -logits if self.exchanged else logits
        return pair_logits(outputs, kind, self.columns)

    def log_likelihood(self, outputs: Tensor, kind: Outputs, labels: Tensor) -> Tensor:
        """The log-probability of each label among all columns, shape (N,).

        The probability of the pair alone is also high for two wrong columns that happen to differ.
        """
        if self.columns is None:
            logits = self.logits(outputs, kind).double()
            return (logits * (labels * 2 - 1)).sigmoid().clamp(min=1e-300).log()
        logs = log_probabilities(outputs.double(), kind)
        positive, negative = self.columns
        return logs[:, positive].where(labels == 1, logs[:, negative])


def assignments(
    width: int, pair: Pair, columns: Sequence[int] | None, others: bool = False
) -> list[Assignment]:
    """The possible assignments of ``width`` columns, the usual ones first.

    A model of all classes may have them in the order of their labels, or in another usual order of
    their names. Each pair of columns may also be exchanged.

    Args:
        width: The number of outputs per image.
        pair: The two classes.
        columns: The columns that the user names; None for unknown ones.
        others: Whether to add the other orders to the columns that the user names.
    """
    if width == 1:
        return [Assignment(None, pair), Assignment(None, pair, exchanged=True)]
    known = [(columns[0], columns[1])] if columns else []
    if not columns or others:
        known += _by_order(width, pair)
    known = list(dict.fromkeys(known))
    swapped = [(second, first) for first, second in known]
    return [
        *(Assignment(both, pair) for both in known),
        *(Assignment(both, pair, exchanged=True) for both in swapped if both not in known),
    ]


def fitting_columns(
    outputs: Tensor, kind: Outputs, labels: Tensor, pair: Pair
) -> Assignment | None:
    """The columns that are most probable for the images of each class, in whatever order.

    Returns:
        None for one column, and where one column is the most probable for both classes.
    """
    if outputs.shape[1] < 2:
        return None
    logs = log_probabilities(outputs.double(), kind)
    first, second = (int(logs[labels == label].mean(0).argmax()) for label in (1, 0))
    return None if first == second else Assignment((first, second), pair, elsewhere=True)


def _by_order(width: int, pair: Pair) -> Iterator[tuple[int, int]]:
    classes, positive, negative = pair
    if width == 2:
        yield 1, 0
    if width == len(classes):
        for order in (classes, *class_orders(classes)):
            yield order.index(classes[positive]), order.index(classes[negative])
