"""Networks applied to many images, batch by batch, without gradients.

Images are in [-1, 1], shape (N, C, H, W); results are on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

# Small enough for a processor's cache, large enough to keep an accelerator busy.
BATCH_SIZE = 512


def in_batches(
    function: Callable[[Tensor], Tensor],
    inputs: Tensor,
    *,
    device: torch.device,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Apply a function to a tensor batch by batch.

    Args:
        function: Maps (B, ...) to (B, ...); its network must be on ``device``.
        inputs: Tensor of shape (N, ...), N at least 1.
        device: The device to compute on.
        batch_size: Rows per batch.
    """
    with torch.inference_mode():
        results = [function(batch.to(device)).cpu() for batch in inputs.split(batch_size)]
    return torch.cat(results).clone()


def predict(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """A model's probabilities of the positive class, in [0, 1], shape (N,)."""
    classifier = classifier.to(device).eval()
    return in_batches(lambda batch: torch.sigmoid(classifier(batch)), images, device=device)


def most_other_mass(classifier: nn.Module) -> float | None:
    """The largest probability of classes beside the pair in an image that is kept, in (0, 1].

    None for a model of two classes.
    """
    bound: float | None = getattr(classifier, "most_other_mass", None)
    return bound


def other_mass(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """The probability of classes beside the pair, in [0, 1], shape (N,).

    Args:
        classifier: A model of more than two classes, with a bound in :func:`most_other_mass`.
        images: The images; there may be none.
        device: The device to compute on.
    """
    if len(images) == 0:
        return torch.zeros(0)
    classifier = classifier.to(device).eval()
    return in_batches(classifier.other_mass, images, device=device)  # type: ignore[arg-type]


def has_gradients(classifier: nn.Module) -> bool:
    """Whether gradients flow from a model's logit to its images; True for most models."""
    return bool(getattr(classifier, "differentiable", True))


def embed(network: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """Embeddings (N, D) of images: the inputs of the network's last layer.

    Args:
        network: A network with a method ``embed``: images (N, C, H, W) to embeddings (N, D).
        images: The images.
        device: The device to compute on.
    """
    network = network.to(device).eval()
    return in_batches(network.embed, images, device=device)  # type: ignore[arg-type]
