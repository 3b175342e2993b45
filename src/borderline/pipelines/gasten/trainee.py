"""A generator in training: the part that GANs and flows share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any

import torch


class Trainee(ABC):
    """A generator in training.

    Attributes:
        generator: Latents (N, Z) to images (N, C, H, W), as it is at present.
        params: Its settings, with ``checkpoint_every`` and ``samples``.
        image_shape: Channels, height and width.
        random: The random state of the training.
    """

    generator: Any
    params: Any
    device: torch.device
    image_shape: tuple[int, ...]
    random: torch.Generator

    def state(self) -> dict[str, Any]:
        """A copy of everything that training changes."""
        return {
            **{name: copy.deepcopy(c.state_dict()) for name, c in self._components().items()},
            "random": self.random.get_state(),
            "image_shape": list(self.image_shape),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        for name, component in self._components().items():
            # A copy, because an optimiser goes on in the very tensors that it is given.
            component.load_state_dict(copy.deepcopy(state[name]))
        self.random.set_state(state["random"])

    @abstractmethod
    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""

    @abstractmethod
    def _components(self) -> dict[str, Any]:
        """The networks and optimisers by their names in the state."""
