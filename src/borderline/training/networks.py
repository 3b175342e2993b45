"""The models under test of Gomes et al. 2024 and of libraries, and the judge, a LeNet.

LeNet: LeCun et al. 1998.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from borderline.datasets.library_networks import LibraryFeatures, load_pretrained
from borderline.datasets.storable import storable
from borderline.image_sizes import Size
from borderline.measures.inference import batch_size_of
from borderline.params import Setting
from borderline.training.params import JUDGE_FEATURES as JUDGE_FEATURES
from borderline.training.params import PRETRAINED_DIGEST, AnyTrainedModel, LibraryModelParams

ImageShape = Sequence[int]
"""Channels, height and width."""


class MaxPool(nn.MaxPool2d):
    """Max-pooling of 2x2 pixels, the same values as PyTorch's.

    PyTorch also finds the positions of the maxima, which only gradients need: without gradients the
    maximum of four shifted images takes a fifth of the time on a CPU.
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to (N, C, H // 2, W // 2)."""
        if images.requires_grad:
            return super().forward(images)  # type: ignore[no-any-return]
        rows = torch.maximum(images[..., :-1:2, :], images[..., 1::2, :])
        return torch.maximum(rows[..., :-1:2], rows[..., 1::2])


class Classifier(nn.Module):
    """A feature extractor and one linear layer on top, for images (N, C, H, W) in [-1, 1].

    ``settings`` are those of the training, by dotted name.
    """

    def __init__(self, features: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear(width, outputs)
        self.settings: dict[str, Setting] = {}

    @property
    def batch_size(self) -> int:
        """The number of images at once: that of the feature extractor."""
        return batch_size_of(self.features)

    def embed(self, images: Tensor) -> Tensor:
        """The inputs of the last layer, shape (N, D)."""
        return self.features(images)  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """The logits, shape (N,) for one output, else (N, outputs)."""
        logits: Tensor = self.head(self.embed(images))
        return logits[:, 0] if self.head.out_features == 1 else logits


@storable(keeps=("settings",))
def build_model(kind: Literal["cnn", "mlp"], filters: int, shape: ImageShape) -> Classifier:
    """A model under test: one logit, positive for the positive class.

    Args:
        kind: ``cnn`` (two 3x3 convolutions with max-pooling and no other activation; the embedding
            has width 98 ``filters`` for 28x28 images) or ``mlp`` (one linear hidden layer).
        filters: Filters of the first convolution, or width of the hidden layer.
        shape: Channels, height and width of the images.
    """
    channels, height, width = shape
    if kind == "mlp":
        return Classifier(
            nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, filters)), filters, 1
        )
    features = nn.Sequential(
        nn.Conv2d(channels, filters, 3, padding="same"),
        MaxPool(),
        nn.Conv2d(filters, 2 * filters, 3, padding="same"),
        MaxPool(),
        nn.Flatten(),
    )
    return Classifier(features, 2 * filters * (height // 4) * (width // 4), 1)


@storable(keeps=("settings",))
def build_library_model(
    kind: Literal["torchvision", "timm"], name: str, size: Size | None
) -> Classifier:
    """A model under test of a library: one logit on its penultimate features, random weights.

    Args:
        kind: The library.
        name: The name of the model there.
        size: Side, or height and width, to which images are resized in front of the model; None for
            their own.

    Raises:
        BorderlineError: When the library is missing, or has no such model.
    """
    features = LibraryFeatures(kind, name, size)
    return Classifier(features, features.width, 1)


def build_trained(model: AnyTrainedModel, shape: ImageShape) -> Classifier:
    """The network of a model under test that is trained here, for images of this shape."""
    if isinstance(model, LibraryModelParams):
        return build_library_model(model.kind, model.name, model.size)
    return build_model(model.kind, model.filters, shape)


def start_from(network: Classifier, pretrained: bytes) -> dict[str, Setting]:
    """Load pretrained weights of the features, a safetensors file, and give its fingerprint.

    An empty file leaves the random weights.
    """
    if not pretrained:
        return {}
    assert isinstance(network.features, LibraryFeatures)
    load_pretrained(network.features.network, pretrained)
    return {PRETRAINED_DIGEST: hashlib.sha256(pretrained).hexdigest()}


@storable(keeps=("settings",))
def build_judge(n_classes: int, shape: ImageShape) -> Classifier:
    """The judge: a LeNet over all classes, with ``JUDGE_FEATURES`` inputs to its last layer."""
    channels, height, width = shape
    # A ReLU gives the same bits behind the pooling, from a quarter of the values.
    features = nn.Sequential(
        nn.Conv2d(channels, 16, 5, padding=2),
        MaxPool(),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, padding=2),
        MaxPool(),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), 128),
        nn.ReLU(),
        nn.Linear(128, JUDGE_FEATURES),
        nn.ReLU(),
    )
    return Classifier(features, JUDGE_FEATURES, n_classes)
