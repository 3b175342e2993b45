"""A network from elsewhere, whatever it is made of: images in, outputs and embeddings out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from borderline.errors import did_you_mean

_SHOWN = 6


class NoEmbedding(ValueError):
    """A network has no layer to embed with, or none of that name; says why, without a full stop."""


class Network(nn.Module, ABC):
    """What a kind's ``read`` gives.

    Attributes:
        layer: The layer that embeds, once it was found.
    """

    layer: str = ""

    @abstractmethod
    def forward(self, images: Tensor) -> Any:
        """What the network takes (N, ...) to what it gives."""

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """What the network takes to the output of ``layer``, shape (N, ...)."""

    @abstractmethod
    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Find the layer that embeds.

        Args:
            name: Its name; None for what the last linear layer is given.
            images: Some that the network takes.

        Raises:
            NoEmbedding: When there is none.
        """

    def count_weights(self) -> int:
        """How many weights the network has."""
        return sum(weight.numel() for weight in self.parameters())


def no_such_layer(name: str, known: list[str]) -> NoEmbedding:
    """The error that no layer is called so.

    Args:
        name: The name.
        known: Those that there are, in their order.
    """
    hint = did_you_mean(name, known)
    return NoEmbedding(
        f"it has no such layer{hint}; its last ones are {', '.join(known[-_SHOWN:])}"
    )


def the_one_that_counts(found: Any) -> Any:
    """Of what a network gives, or of what stands for it in a graph, that which the outputs are.

    Args:
        found: One thing; or several, of which the first counts, or what is called ``logits``, as
            models of Hugging Face have it.
    """
    if isinstance(found, tuple | list) and found:
        found = found[0]
    if isinstance(found, Mapping):
        found = found.get("logits", found)
    return getattr(found, "logits", found)


def outputs_of(found: Any) -> Tensor:
    """The outputs among what a network gives.

    Args:
        found: A tensor, or several things (:func:`the_one_that_counts`).

    Raises:
        TypeError: When there are none.
    """
    found = the_one_that_counts(found)
    if not isinstance(found, Tensor):
        names = f" with {', '.join(map(str, found))}" if isinstance(found, Mapping) else ""
        raise TypeError(f"it gives a {type(found).__name__}{names}, and no tensor or logits")
    return found
