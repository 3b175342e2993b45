"""Distance of a set of images from real images, in the features of a judge.

Values of a measure are comparable only at an equal number of images. Features are float tensors of
shape (N, D); all measures are computed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import torch
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from borderline.measures.intervals import (
    Estimate,
    estimate,
    estimate_by_groups,
    estimate_of_distinct,
    estimate_of_mean,
    estimate_of_share,
)

REALISM = ("fd", "kd", "precision", "recall", "density", "coverage")
"""The measures of ``judge_frechet`` and ``judge_realism``."""

# Rows of a matrix of distances or kernels in memory at a time.
_BLOCK = 1024
USUAL = 0.95
"""The share of real images whose realism score an image must reach to be realistic."""
_EDGE = 1 + 1e-9
# The real images behind recall's interval, which costs resamples x real x judged images.
_REAL_IMAGES_OF_SPREAD = 1000


class Moments(NamedTuple):
    """Number, mean and covariance of a set of features, in float64.

    Attributes:
        mean: Shape (D,).
        scatter: Sum of the outer products of the deviations from the mean, shape (D, D).
    """

    n: Tensor
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """The moments of features, shape (N, D); N may be 0."""
        features = features.double()
        mean = features.mean(0) if len(features) else features.new_zeros(features.shape[1])
        deviations = features - mean
        return cls(torch.tensor(len(features)), mean, deviations.T @ deviations)

    def __add__(self, other: Self) -> Self:  # type: ignore[override]
        """The moments of both sets together (Chan et al. 1979), exact up to rounding."""
        n = self.n + other.n
        if n == 0:
            return self
        gap = other.mean - self.mean
        between = torch.outer(gap, gap) * (self.n * other.n / n)
        mean = self.mean + gap * (other.n / n)
        return type(self)(n, mean, self.scatter + other.scatter + between)

    @property
    def has_distance(self) -> bool:
        """Whether there are more images than dimensions; else the covariance is singular."""
        return int(self.n) > len(self.mean)

    @property
    def covariance(self) -> Tensor:
        """Unbiased covariance, shape (D, D); NaN for fewer than two images."""
        return self.scatter / (self.n - 1) if self.n > 1 else self.scatter * math.nan


def frechet_distance(judged: Moments, real: Moments, root: Tensor | None = None) -> float:
    """Fréchet distance of two sets of features (Heusel et al. 2017).

    Only the distance in Inception features is the FID; others carry the name of their judge. It is
    NaN when a set has no more images than dimensions: its covariance is singular then. ``root`` is
    the square root of the real covariance, shape (D, D), where it is known.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [2.0]])
        >>> frechet_distance(Moments.of(x), Moments.of(x + 3))
        9.0
    """
    if not (judged.has_distance and real.has_distance):
        return math.nan
    root = _root(real.covariance) if root is None else root
    return _frechet(judged.mean, judged.covariance, real, root)


@dataclass(frozen=True, eq=False)
class _RealImages:
    """Real images for many Fréchet distances to them.

    Attributes:
        scatter: As of :class:`Moments`; shape (0, 0) where the images are not more than dimensions,
            and so no Fréchet distance exists.
        root: Square root of the covariance, of the same shape.
    """

    n: Tensor
    mean: Tensor
    scatter: Tensor
    root: Tensor

    @property
    def moments(self) -> Moments:
        """Number, mean and covariance."""
        return Moments(self.n, self.mean, self.scatter)

    def record(self, judge: str) -> dict[str, Tensor]:
        """The statistics by dotted name, ``<judge>.<field>``."""
        return {f"{judge}.{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_record(cls, tensors: Mapping[str, Tensor], judge: str) -> Self:
        """The statistics of a judge in such a record."""
        return cls(*(tensors[f"{judge}.{field.name}"] for field in fields(cls)))


@dataclass(frozen=True, eq=False)
class RealStatistics(_RealImages):
    """Statistics of real images for many Fréchet distances to them, computed once."""

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """Describe real images (N, D)."""
        return cls(*_described(features.double()))

    def distance(self, features: Tensor) -> float:
        """Fréchet distance of other images (M, D); NaN as in :func:`frechet_distance`."""
        if not self.moments.has_distance:
            return math.nan
        return frechet_distance(Moments.of(features), self.moments, self.root)


@dataclass(frozen=True, eq=False)
class Reference(_RealImages):
    """Statistics of real images for ``judge_realism``, computed once.

    Attributes:
        radii: Distance of each image to its k-th nearest neighbour, shape (M,).
        kernel: Mean of the kernel over all pairs of two images, shape ().
    """

    features: Tensor
    radii: Tensor
    kernel: Tensor

    @classmethod
    def of(cls, features: Tensor, neighbours: int) -> Self:
        """Describe real images (M, D), more than k, the ``neighbours`` of the manifold."""
        features = features.double()
        total = sum(_kernel(block, features).sum() for block in features.split(_BLOCK))
        diagonal = _kernel_with_itself(features).sum()
        pairs = len(features) * (len(features) - 1)
        return cls(
            *_described(features),
            features=features,
            radii=Balls.of(features, neighbours).radii,
            kernel=(total - diagonal) / pairs,
        )


def nearest(features: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """Distances to the k nearest other images, ascending, and their rows, both (N, k)."""
    search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(features.numpy())
    distances, rows = search.kneighbors()
    return torch.from_numpy(distances), torch.from_numpy(rows)


def judge_realism(
    features: Tensor,
    real: Reference,
    neighbours: int,
    weights: Tensor,
    real_rows: Tensor | None = None,
) -> dict[str, Estimate]:
    """The measures of realism of a set of images except ``fd``, each with a 95 % interval.

    - ``kd``: squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, unbiased (Binkowski
      et al. 2018), so it can be slightly below 0; called KID in Inception features only.
    - ``precision``: the share of images inside the real manifold, the union of the balls around
      real images that reach to their k-th nearest neighbours; ``recall``: the share of real images
      inside the manifold of the judged images (Kynkäänniemi et al. 2019).
    - ``density``: the mean number of real balls around an image, divided by k; ``coverage``: the
      share of real balls with an image inside (Naeem et al. 2020).

    An interval shows the spread over other images of the same source; the real images stay fixed.

    Args:
        weights: The count of each image in each resample, shape (B, N).
        real_rows: For real images as the set to judge: their rows in ``real``, shape (N,), -1 for
            none. An image never counts as its own neighbour.
    """
    features = features.double()
    n = len(features)
    gaps = torch.cdist(real.features, features)
    if real_rows is not None:
        among = real_rows >= 0
        gaps[real_rows[among], torch.arange(n)[among]] = math.inf
    held = _held(gaps, real)
    return {
        "kd": _judge_kernel(features, real, weights, real_rows),
        "precision": estimate_of_share(int(held.any(0).sum()), n),
        "recall": _judge_recall(features, gaps, neighbours, weights).within(0, 1),
        "density": estimate_of_mean(held.sum(0) / neighbours, weights).within(0, math.inf),
        "coverage": estimate_of_distinct(
            held.any(1).double().mean().item(), _covered(held, weights), n
        ).within(0, 1),
    }


class Balls(NamedTuple):
    """The balls around real images whose union is the real manifold.

    Attributes:
        features: Their centres, shape (M, D).
        radii: Distance of each image to its k-th nearest neighbour, shape (M,).
    """

    features: Tensor
    radii: Tensor

    @classmethod
    def of(cls, features: Tensor, neighbours: int) -> Self:
        """The balls of real images (M, D), more than k, the ``neighbours``."""
        features = features.double()
        return cls(features, nearest(features, neighbours)[0][:, -1])


def realism_scores(features: Tensor, real: Balls | Reference) -> Tensor:
    """The realism score R of each image (N, D), (N,): Kynkäänniemi et al. 2019, equation 3.

    The largest ratio of the radius of a real image to its distance; above 1, the image is inside a
    ball. Only the half of the balls with the smaller radii counts, as in the paper: a few unusual
    real images have balls so large that noise lies inside, and so inside the manifold of
    ``precision``. Balls without a radius, around repeated images, do not count.

    Example:
        >>> real = Reference.of(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), neighbours=1)
        >>> realism_scores(torch.tensor([[2.5], [4.0]]), real)
        tensor([2.0000, 0.5000], dtype=torch.float64)
    """
    positive = real.radii > 0
    usual = ~positive
    if positive.any():
        usual = positive & (real.radii <= real.radii[positive].quantile(0.5))
    balls, radii = real.features[usual], real.radii[usual, None]
    scores = []
    for part in features.double().split(_BLOCK):
        gaps = torch.cdist(balls, part)
        # An image that is a real one is in its ball, however small this is.
        scores.append(torch.where(gaps > 0, radii / gaps, math.inf).amax(0))
    return torch.cat(scores)


def is_realistic(features: Tensor, real: Reference, test_features: Tensor) -> Tensor:
    """Whether each image (N, D) has the realism score of a real one, bool (N,).

    It must reach the score that 95 % of real images reach which are not in the reference, (M, D)
    with M at least 1.
    """
    usual = realism_scores(test_features, real)
    limit = usual.quantile(1 - USUAL, interpolation="lower")
    scores = realism_scores(features, real)
    # Where all balls are points, everything else has a score of 0.
    return (scores >= limit) & (scores > 0)


def _held(gaps: Tensor, real: Reference) -> Tensor:
    """Whether the ball of each real image holds each image, (M, N), from their distances."""
    # A real image may lie exactly on the edge of a ball, where rounding must not decide.
    return gaps <= real.radii[:, None] * _EDGE


def judge_frechet(features: Tensor, real: Reference) -> Estimate:
    """``fd``, with a 95 % interval of the jackknife; NaN as in :func:`frechet_distance`."""
    features = features.double()
    n, d = features.shape
    if min(n, len(real.features)) <= d:
        return Estimate.none()

    def distance(rows: Tensor) -> float:
        judged = Moments.of(features[rows])
        return _frechet(judged.mean, judged.covariance, real.moments, real.root)

    value = distance(torch.arange(n))
    return estimate_by_groups(value, distance, n).within(0, math.inf)


def _judge_kernel(
    features: Tensor, real: Reference, weights: Tensor, real_rows: Tensor | None
) -> Estimate:
    among = _kernel(features, features)
    itself = _kernel_with_itself(features)
    m = len(real.features)
    across = torch.cat([_kernel(block, real.features).sum(1) for block in features.split(_BLOCK)])
    is_real = torch.zeros(len(features)) if real_rows is None else (real_rows >= 0)
    across = (across - is_real * itself) / (m - is_real.double())

    def distance(w: Tensor) -> Tensor:
        # Only pairs of different images count; repetitions in a resample would look alike.
        pairs = w.sum(-1) ** 2 - (w * w).sum(-1)
        within = ((w @ among) * w).sum(-1) - (w * w) @ itself
        return within / pairs + real.kernel - 2 * (w @ across) / w.sum(-1)

    value = distance(torch.ones(len(features), dtype=torch.float64)).item()
    return estimate(value, distance(weights.double()))


def _judge_recall(features: Tensor, gaps: Tensor, neighbours: int, weights: Tensor) -> Estimate:
    # A resample omits some neighbours; this many leave k of them.
    distances, rows = nearest(features, min(8 * neighbours + 24, len(features) - 1))
    radii = distances[:, neighbours - 1] * _EDGE
    value = (gaps <= radii).any(1).double().mean().item()
    present = weights > 0
    # The place of the neighbour that limits the ball of each image in each resample; -1 without it.
    limits = torch.stack(
        [(of_all[rows].cumsum(1, dtype=torch.int16) < neighbours).sum(1) for of_all in present]
    )
    limits = limits.clamp(max=rows.shape[1] - 1).masked_fill(~present, -1)
    reach = distances[:, : int(limits.max()) + 1] * _EDGE
    gaps = gaps[:: max(1, len(gaps) // _REAL_IMAGES_OF_SPREAD)]
    # A resample only decides about a real image inside the largest ball of a judged one.
    largest = reach.gather(1, limits.amax(0).clamp(min=0)[:, None])[:, 0]
    real, judged = (gaps <= largest).nonzero(as_tuple=True)
    needed = (reach[judged] < gaps[real, judged][:, None]).sum(1)
    replicates = []
    for limit in limits:
        inside = torch.zeros(len(gaps), dtype=torch.float64)
        inside[real[limit[judged] >= needed]] = 1
        replicates.append(inside.mean())
    return estimate_of_distinct(value, torch.stack(replicates), len(features))


def _covered(held: Tensor, weights: Tensor) -> Tensor:
    present = (weights > 0).float().T
    counts = [(block.float() @ present > 0).double().sum(0) for block in held.split(_BLOCK)]
    return torch.stack(counts).sum(0) / len(held)


def _frechet(mean: Tensor, covariance: Tensor, real: Moments, root: Tensor) -> float:
    # torchmetrics takes eigenvalues of an asymmetric product. Here the root of the real covariance
    # is computed once, because an interval needs many distances.
    product = torch.linalg.eigvalsh(root @ covariance @ root).clamp(min=0)
    apart = ((mean - real.mean) ** 2).sum()
    distance = apart + covariance.trace() + real.covariance.trace() - 2 * product.sqrt().sum()
    return max(float(distance), 0.0)


def _described(features: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Number, mean, scatter and root of the covariance of real images, in float64."""
    count, width = features.shape
    if count <= width:
        # A large network has tens of thousands of features: matrices of gigabytes, for nothing.
        nothing = features.new_zeros(0, 0)
        return torch.tensor(count), features.mean(0), nothing, nothing.clone()
    moments = Moments.of(features)
    return *moments, _root(moments.covariance)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance.nan_to_num())
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.from_numpy(polynomial_kernel(x.numpy(), y.numpy(), degree=3, coef0=1))


def _kernel_with_itself(x: Tensor) -> Tensor:
    return ((x * x).sum(1) / x.shape[1] + 1) ** 3
