"""Networks applied to many images, batch by batch, without gradients.

Images are in [-1, 1], shape (N, C, H, W); results are on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.measures.directions import fault_of

# Small enough for a processor's cache, large enough to keep an accelerator busy.
BATCH_SIZE = 512


def in_batches(
    function: Callable[[Tensor], Tensor],
    inputs: Tensor,
    *,
    device: torch.device,
    batch_size: int | None = None,
) -> Tensor:
    """Apply a function, whose network must be on the device.

    The batches are those of :func:`batch_size_of`, smaller for large images. For no rows the
    function gets a row of zeros, whose result is left out: many networks, of libraries too, take no
    empty batch.
    """
    if batch_size is None:
        batch_size = batch_size_of(function)
    if inputs.dim() == 4:
        batch_size = min(batch_size, images_at_once(inputs.shape))
    if len(inputs) == 0:
        row = inputs.new_zeros(1, *inputs.shape[1:])
        return in_batches(function, row, device=device)[:0]
    with torch.inference_mode():
        results = [function(batch.to(device)).cpu() for batch in inputs.split(batch_size)]
    return torch.cat(results).clone()


def images_at_once(image_shape: Sequence[int], most: int = BATCH_SIZE, side: int = 64) -> int:
    """The number of images in a batch: ``most``, fewer of more than ``side`` pixels a side.

    So the memory of a batch is bounded. ``image_shape`` ends in height and width.

    Example:
        >>> images_at_once((1, 28, 28)), images_at_once((3, 256, 256))
        (512, 32)
    """
    return max(1, min(most, most * side**2 // math.prod(image_shape[-2:])))


def batch_size_of(*networks: Callable[[Tensor], Tensor]) -> int:
    """The number of rows that networks, or methods of them, take at once, one after the other.

    A network that needs much memory has its ``batch_size``, a decoder the ``image_shape`` of its
    images.
    """
    sizes = [BATCH_SIZE]
    for network in networks:
        owner = getattr(network, "__self__", network)
        shape = getattr(owner, "image_shape", None)
        usual = BATCH_SIZE if shape is None else images_at_once(shape)
        sizes.append(min(usual, getattr(owner, "batch_size", usual)))
    return min(sizes)


def batch_size_with_gradients(
    decoder: nn.Module, image_shape: Sequence[int], *others: nn.Module
) -> int:
    """The number of latents to decode at once with gradients, which each pass needs memory for.

    ``image_shape`` ends in height and width; ``others`` are the networks that take the images.
    """
    at_once = images_at_once(image_shape, most=128, side=32) // passes_per_image(decoder)
    return max(1, min(at_once, batch_size_of(*others)))


def passes_per_image(decoder: nn.Module) -> int:
    """The passes of its network that a decoder takes for an image: its steps, or 1."""
    return int(getattr(decoder, "passes_per_image", 1))


def predict(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """A model's probabilities of the positive class, in [0, 1], shape (N,).

    NaN where the model gives NaN, as one that divides by the deviation of each image does for a
    blank image.
    """
    classifier = classifier.to(device).eval()
    size = batch_size_of(classifier)

    def probability(batch: Tensor) -> Tensor:
        return torch.sigmoid(classifier(batch))

    return in_batches(probability, images, device=device, batch_size=size)


def predict_real(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """As :func:`predict`, for images whose p all stages need: the real ones.

    Raises:
        BorderlineError: When the model gives NaN for an image.
    """
    p = predict(classifier, images, device)
    unknown = p.isnan().nonzero()[:, 0]
    if len(unknown):
        first = images[unknown[0]]
        raise BorderlineError(
            f"The model under test gives NaN for {len(unknown)} of {len(p)} images (the first is "
            f"number {int(unknown[0])}, with pixels from {first.min():.3g} to {first.max():.3g} "
            "between -1 and 1): correct the model, so that it gives a number for each image."
        )
    return p


def most_other_mass(classifier: nn.Module) -> float | None:
    """The bound on :func:`other_mass` in a kept image, in (0, 1]; None for two classes."""
    bound: float | None = getattr(classifier, "most_other_mass", None)
    return bound


def other_mass(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """Probability of classes beside the pair, in [0, 1], (N,); for models with a bound on it."""
    classifier = classifier.to(device).eval()
    return in_batches(classifier.other_mass, images, device=device)  # type: ignore[arg-type]


def beside_pair(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """Whether a model gives other classes more than its bound on them, bool (N,).

    False for all images where it has two classes.
    """
    most = most_other_mass(classifier)
    if most is None or len(images) == 0:
        return torch.zeros(len(images), dtype=torch.bool)
    return other_mass(classifier, images, device) > most


def has_gradients(classifier: nn.Module) -> bool:
    """Whether gradients flow from a model's logit to its images; True for most models."""
    return bool(getattr(classifier, "differentiable", True))


def embed(network: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """Embeddings (N, D) of images, by the network's method ``embed``.

    Raises:
        BorderlineError: When values are no finite numbers, or too small or large for float32.
    """
    network = network.to(device).eval()
    embeddings = in_batches(network.embed, images, device=device)  # type: ignore[arg-type]
    fault = fault_of(embeddings)
    if fault:
        raise BorderlineError(
            f"The embeddings of {type(network).__name__} {fault}: name another layer as the "
            "embedding of this network, or correct the network."
        )
    return embeddings
