"""The records that flow between nodes: dictionaries of tensors with known names.

A record is what ``TensorDataset`` saves and loads, so it is a plain dictionary at run time. N and n
count images, C, H and W are channels, height and width, D is the width of an embedding, Z that of a
latent vector. Images are float32 in [-1, 1]; p is the model's probability of the positive class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict, TypeVar, cast

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

Record = TypeVar("Record", bound=Mapping[str, Any])


class LabelledImages(TypedDict):
    """Real images with their classes."""

    images: Tensor  # (N, C, H, W)
    labels: Tensor  # int64 (N,): 1 positive, 0 negative; the class before the pair is selected
    # bool (N,): for validation only. Only training images whose source has validation images.
    validation: NotRequired[Tensor]
    # int64 (N,): only of a source with groups. All images of a group have its number.
    groups: NotRequired[Tensor]


def tensors_of(images: LabelledImages) -> list[Tensor]:
    """The tensors of labelled images, in the order of their digest."""
    more = [images[name] for name in ("validation", "groups") if name in images]
    return [images["images"], images["labels"], *more]


class Latents(TypedDict):
    """Fixed latent vectors."""

    latents: Tensor  # standard normal, (N, Z)


class RealFeatures(TypedDict):
    """The judge's features of the pair's real images."""

    features: Tensor  # of the training images, (N, D)
    test_features: Tensor  # of the test images, (M, D)


class RealView(TypedDict):
    """The pair's real images, N for training and M for tests, as a model under test sees them."""

    train_p: Tensor  # (N,)
    test_p: Tensor  # (M,)
    train_embeddings: Tensor  # (N, D)
    test_embeddings: Tensor  # (M, D)
    test_other_mass: NotRequired[Tensor]  # as in Part, (M,)
    test_groups: NotRequired[Tensor]  # as in LabelledImages, (M,)


class Part(TypedDict):
    """A part of a generator's images, or a choice of them: the borderline images, for example."""

    images: Tensor  # (N, C, H, W)
    probabilities: Tensor  # p, (N,)
    latents: NotRequired[Tensor]  # (N, Z); only of a generator with a latent space
    # Probability of classes beside the pair; only for a model of more than two classes.
    other_mass: NotRequired[Tensor]  # (N,)


class Distances(TypedDict):
    """Euclidean distances of n images to the real training images of all classes, each (n,)."""

    pixel_nearest: Tensor  # to the nearest one, in pixels
    pixel_neighbour: Tensor  # to the k-th nearest one, in pixels
    feature_nearest: Tensor  # to the nearest one, in the judge's features
    feature_neighbour: Tensor  # to the k-th nearest one, in the judge's features


class HeldOut(Distances):
    """The distances of the pair's real test images, M in place of n."""

    train_features: Tensor  # the judge's features of the training images of all classes, (N, D)


class Opinions(Distances):
    """The opinion of the committee on the borderline images, and their distances."""

    # Only of a committee that has an opinion.
    probabilities: NotRequired[Tensor]  # mean over the members, (n, K)
    disagreement: NotRequired[Tensor]  # in nats, (n,)


class Prototypes(Part):
    """The shown prototypes."""

    rows: Tensor  # their rows among the borderline images, int64 (K,)


class RealBorderline(LabelledImages):
    """Random borderline images of the real test set, a baseline for the prototypes."""

    probabilities: Tensor  # p, (K,)
    rows: Tensor  # their rows among the test images, int64 (K,)


class Embeddings(TypedDict):
    """The model's embeddings of the borderline images."""

    embeddings: Tensor  # (n, D)
    fitted: Tensor  # rows that clusterings are fitted on, int64 (m,), ascending
    # Distinct borderline images, and distinct real training images, at most n; int64 (2,).
    distinct: NotRequired[Tensor]


Pool = dict[str, "Tensor"]
"""Borderline images of each generator of a model that has any, by dotted name:
``<generator>.embeddings`` in the model (n, D) and ``<generator>.features`` of the judge (n, F);
``<generator>.other_embeddings`` and ``<generator>.other_features`` are of other images of it."""


class Clusters(TypedDict):
    """The cluster of each borderline image, or its nearest exemplar in a continuum."""

    labels: Tensor  # int64 (n,), from 0; -1 for noise, and everywhere if there are no clusters
    probability: Tensor  # of membership in that cluster, in [0, 1], (n,)
    reduced: Tensor  # coordinates in the space that was clustered, (n, d)
    exemplars: NotRequired[Tensor]  # rows of the exemplars of a continuum, int64 (K,)


WINNER = "winner"
"""The name of the chosen clusters, beside the names of the pairs ``<reduction>_<clustering>``."""

CombinationClusters = dict[str, "Tensor"]
"""The clusters of the best recipe of each pair of a reduction and a clustering, by dotted name:
``<reduction>_<clustering>.<field>``, with the fields of ``Clusters``."""


def clusters_of_pairs(stored: CombinationClusters) -> dict[str, Clusters]:
    """The clusters of each pair by name."""
    pairs: dict[str, Any] = {}
    for name, values in stored.items():
        pair, _, part = name.partition(".")
        pairs.setdefault(pair, {})[part] = values
    return pairs


Selections = dict[str, "Tensor"]
"""Rows among the borderline images, int64, by name: the ``candidates`` that prototypes are chosen
from, the choice of each selection, and the ``criticisms`` of MMD-critic."""


class Repeat(TypedDict):
    """Images generated and clustered again; only empty ``labels`` if no clusters were found."""

    images: NotRequired[Tensor]  # (n, C, H, W)
    probabilities: NotRequired[Tensor]  # p, (n,)
    embeddings: NotRequired[Tensor]  # in the model, (n, D)
    features: NotRequired[Tensor]  # of the judge, (n, F)
    exemplars: NotRequired[Tensor]  # rows of the exemplars of a continuum, int64 (K,)
    reduced: NotRequired[Tensor]  # coordinates in the space that was clustered, (n, d)
    labels: Tensor  # clusters, int64 (n,), -1 for noise


class Places(TypedDict):
    """Coordinates on the 2D maps, float64."""

    test_umap: Tensor  # of all test images, (M, 2)
    umap: Tensor  # of all candidates, (n, 2)
    test_shown: Tensor  # rows of the test images that are drawn, int64 (m,)
    shown: Tensor  # places among the candidates of those that are drawn, int64 (k,)
    test_tsne: Tensor  # of the drawn test images, (m, 2)
    tsne: Tensor  # of the drawn candidates, (k, 2)


class Tipping(TypedDict):
    """Walks from each prototype to both classes, and the nearest real images."""

    # From a confident negative over the prototype to a confident positive.
    walks: Tensor  # (K, 2 S + 1, C, H, W)
    walks_p: NotRequired[Tensor]  # (K, 2 S + 1)
    # The nearest training images of class 0 and of class 1, the nearest first.
    real_rows: NotRequired[Tensor]  # int64 (K, 2, k)
    real_p: NotRequired[Tensor]  # (K, 2, k)


class Counterfactuals(TypedDict):
    """Images at the boundary near K images that somebody asks about; K may be 0."""

    rows: Tensor  # their rows in the table, int64 (K,)
    images: Tensor  # (K, C, H, W)
    reconstructions: Tensor  # by the generator, (K, C, H, W)
    boundary: Tensor  # on the boundary, (K, C, H, W)
    flipped: Tensor  # decided otherwise, (K, C, H, W)
    p: Tensor  # of these four, (K, 4)


Attributions = dict[str, "Tensor"]
"""The attribution of each image's pixels by method, shape (K, H, W); positive pixels push the model
towards the positive class. The images are prototypes or real borderline images."""

References = dict[str, "Tensor"]
"""Real images as the judges see them, by dotted name: ``<judge>.<field of Reference>`` for the
training images and ``<judge>.test_features`` (M, D). Matrices (D, D) are (0, 0) where the training
images are not more than D."""

FeatureSamples = dict[str, "Tensor"]
"""Features of a sample of a generator's images, by dotted name: ``<judge>.all`` and
``<judge>.borderline``, shape (n, D)."""


class RatingItems(TypedDict):
    """The images that people rate, in the order of the page."""

    images: Tensor  # with 256 levels, (N, C, H, W)
    kind: Tensor  # place in ``items.KINDS`` of the rating, int64 (N,)
    row: Tensor  # among the borderline or the test images, int64 (N,); -1 for blends
    pattern: Tensor  # number of the prototype, int64 (N,); -1 for none


RepairImages = dict[str, "Tensor"]
"""Labelled images by arm of the repair, by dotted name: ``<arm>.images`` (n, C, H, W) and
``<arm>.targets``, float32 (n,), the probability of the positive class to train towards. Arms that
draw at random from their pool for each training have all of it."""


class TestCopies(TypedDict):
    """The training images of the pair that copy a test image or share a group with one."""

    copies: Tensor  # bool (N,)


class FreshImages(TypedDict):
    """Newly generated borderline images of a model that the committee is sure of."""

    images: Tensor  # (n, C, H, W)
    labels: Tensor  # int64 (n,): 1 positive, 0 negative, the opinion of the committee
    patterns: Tensor  # number of the prototype, int64 (n,); -1 for none
    probabilities: Tensor  # p of the model under test, (n,)
    generated: Tensor  # number of generated borderline images that these are from, int64 (1,)


class Disagreements(TypedDict):
    """Images on which the two models of a comparison disagree, the widest stretch first."""

    images: Tensor  # (N, C, H, W)
    latents: Tensor  # (N, Z)
    this_p: Tensor  # p of this model, (N,)
    other_p: Tensor  # p of the other model, (N,)
    # The stretch between the crossings of the two models on the arc between two latents: its share
    # of the arc, in [0, 1], and its angle in degrees; float64, each (N,).
    width: Tensor
    angle: Tensor


Parts = Mapping[str, Callable[[], Part]]
"""All parts of a generator's images by name, in the order of the names; each loads one part."""

Repeats = Mapping[str, Callable[[], Repeat]]
"""All repeats by name, in the order of the names; each loads one repeat."""


def take_rows(record: Record, rows: Any) -> Record:
    """The same rows of every tensor of a record."""
    return cast(Record, {name: tensor[rows] for name, tensor in record.items()})


class Side(NamedTuple):
    """Other borderline images, clustered to compare them with a run's.

    Attributes:
        embeddings: Of the images in the model, (M, D).
        features: Of the judge, (M, F).
        pool: The images of all generators, with these. The clusters are theirs, and the exemplars
            represent them, if the run clusters all generators together.
        gans: The number of the GAN of each generator, see ``grid.Layout.gans``.
    """

    embeddings: ndarray
    features: ndarray
    pool: Pool
    gans: Mapping[str, int]


def generators_in(pool: Pool) -> list[str]:
    """The generators that have borderline images in the pool."""
    return sorted(n.removesuffix(".embeddings") for n in pool if n.endswith(".embeddings"))
