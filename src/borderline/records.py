"""The records that flow between nodes: dictionaries of tensors with known names.

A record is what ``TensorDataset`` saves and loads, so it is a plain dictionary at run time. N and n
count images, C, H and W are channels, height and width, D is the width of an embedding, Z that of a
latent vector. Images are float32 in [-1, 1]; p is the model's probability of the positive class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, TypeVar, cast

if TYPE_CHECKING:
    from torch import Tensor

Record = TypeVar("Record", bound=Mapping[str, Any])


class LabelledImages(TypedDict):
    """Real images with their classes.

    Attributes:
        images: Shape (N, C, H, W).
        labels: int64 (N,): 1 for the positive class, 0 for the negative; before the pair is
            selected, the index of the class.
    """

    images: Tensor
    labels: Tensor


class Latents(TypedDict):
    """Fixed latent vectors.

    Attributes:
        latents: Standard normal, shape (N, Z).
    """

    latents: Tensor


class RealFeatures(TypedDict):
    """The judge's features of the pair's real images.

    Attributes:
        features: Of the training images, shape (N, D).
        test_features: Of the test images, shape (M, D).
    """

    features: Tensor
    test_features: Tensor


class RealView(TypedDict):
    """The pair's real images as a model under test sees them.

    Attributes:
        train_p: p of the training images, shape (N,).
        test_p: p of the test images, shape (M,).
        train_embeddings: Embeddings of the training images, shape (N, D).
        test_embeddings: Embeddings of the test images, shape (M, D).
        test_other_mass: Probability of classes beside the pair, shape (M,); only for a model of
            more than two classes.
    """

    train_p: Tensor
    test_p: Tensor
    train_embeddings: Tensor
    test_embeddings: Tensor
    test_other_mass: NotRequired[Tensor]


class Part(TypedDict):
    """A part of a generator's images, or a choice of them: the borderline images, for example.

    Attributes:
        images: Shape (N, C, H, W).
        probabilities: p, shape (N,).
        latents: Shape (N, Z); only for a generator with a latent space.
        other_mass: Probability of classes beside the pair, shape (N,); only for a model of more
            than two classes.
    """

    images: Tensor
    probabilities: Tensor
    latents: NotRequired[Tensor]
    other_mass: NotRequired[Tensor]


class Prototypes(Part):
    """The shown prototypes.

    Attributes:
        rows: Their rows among the borderline images, int64 (K,).
    """

    rows: Tensor


class Embeddings(TypedDict):
    """The model's embeddings of the borderline images.

    Attributes:
        embeddings: Shape (n, D).
        fitted: Rows of the images that clusterings are fitted on, int64 (m,), ascending.
    """

    embeddings: Tensor
    fitted: Tensor


class Clusters(TypedDict):
    """The cluster of each borderline image.

    Attributes:
        labels: int64 (n,), from 0; -1 for noise, and everywhere where there are no clusters.
        probability: Membership in that cluster, in [0, 1], shape (n,).
        reduced: Coordinates in the space that was clustered, shape (n, d).
    """

    labels: Tensor
    probability: Tensor
    reduced: Tensor


Selections = dict[str, "Tensor"]
"""Rows among the borderline images, int64, by name: the ``candidates`` that prototypes are chosen
from, the choice of each selection, and the ``criticisms`` of MMD-critic."""


class Repeat(TypedDict):
    """Images generated and clustered again; only ``labels``, empty, where no clusters were found.

    Attributes:
        images: Shape (n, C, H, W).
        probabilities: p, shape (n,).
        embeddings: Shape (n, D).
        reduced: Coordinates in the space that was clustered, shape (n, d).
        labels: Clusters, int64 (n,), -1 for noise.
    """

    images: NotRequired[Tensor]
    probabilities: NotRequired[Tensor]
    embeddings: NotRequired[Tensor]
    reduced: NotRequired[Tensor]
    labels: Tensor


class Places(TypedDict):
    """Coordinates on the 2D maps, float64.

    Attributes:
        test_umap: Of all test images, shape (M, 2).
        umap: Of all candidates, shape (n, 2).
        test_shown: Rows of the test images that are drawn, int64 (m,).
        shown: Places among the candidates of those that are drawn, int64 (k,).
        test_tsne: Of the drawn test images, shape (m, 2).
        tsne: Of the drawn candidates, shape (k, 2).
    """

    test_umap: Tensor
    umap: Tensor
    test_shown: Tensor
    shown: Tensor
    test_tsne: Tensor
    tsne: Tensor


class Tipping(TypedDict):
    """Walks from each prototype to both classes, and the nearest real images.

    Attributes:
        walks: From a confident negative over the prototype to a confident positive, shape
            (K, 2 S + 1, C, H, W).
        walks_p: Their p, shape (K, 2 S + 1).
        real_rows: The nearest real training images of class 0 and of class 1, the nearest first,
            int64 (K, 2, k).
        real_p: Their p, shape (K, 2, k).
    """

    walks: Tensor
    walks_p: NotRequired[Tensor]
    real_rows: NotRequired[Tensor]
    real_p: NotRequired[Tensor]


Attributions = dict[str, "Tensor"]
"""The attribution of each prototype's pixels by method, shape (K, H, W); positive pixels push the
model towards the positive class."""

References = dict[str, "Tensor"]
"""Real images as the judges see them, by dotted name: ``<judge>.<field of Reference>`` for the
training images and ``<judge>.test_features`` (M, D)."""

FeatureSamples = dict[str, "Tensor"]
"""Features of a sample of a generator's images, by dotted name: ``<judge>.all`` and
``<judge>.borderline``, shape (n, D)."""

Parts = Mapping[str, Callable[[], Part]]
"""All parts of a generator's images by name, in the order of the names; each loads one part."""

Repeats = Mapping[str, Callable[[], Repeat]]
"""All repeats by name, in the order of the names; each loads one repeat."""


def take_rows(record: Record, rows: Any) -> Record:
    """The same rows of every tensor of a record."""
    return cast(Record, {name: tensor[rows] for name, tensor in record.items()})
