"""A network from elsewhere, whatever it is made of: images in, outputs and embeddings out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class NoEmbedding(ValueError):
    """A network has no layer to embed with, or none of that name; says why, without a full stop."""


class Network(nn.Module, ABC):
    """What a kind's ``read`` gives.

    Attributes:
        layer: The layer that embeds, once it was found.
    """

    layer: str = ""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """What the network takes (N, ...) to what it gives (N, ...)."""

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
