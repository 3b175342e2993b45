"""References: the real images as each judge sees them, in one flat record."""

from __future__ import annotations

from torch import Tensor

from borderline.measures.realism import Reference
from borderline.records import References


def describe(judge: str, train: Tensor, test: Tensor, neighbours: int) -> References:
    """The reference of one judge.

    Args:
        judge: The name of the judge.
        train: Its features of the real training images, shape (N, D).
        test: Its features of the real test images, shape (M, D).
        neighbours: k of the k-nearest-neighbour manifold.
    """
    reference = Reference.of(train, neighbours)
    tensors = {f"{judge}.{name}": tensor for name, tensor in reference._asdict().items()}
    return tensors | {f"{judge}.test_features": test}


def reference_of(references: References, judge: str) -> Reference:
    """The real training images as a judge sees them."""
    return Reference(*(references[f"{judge}.{name}"] for name in Reference._fields))
