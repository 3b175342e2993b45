"""The search for images on which two models disagree.

It walks on arcs between latents of which both models agree that one is negative and the other
positive. Each model changes its decision somewhere on the arc, and between these two crossings the
models disagree. An evaluation is one model on one image. All of them count.

A model of more than two classes recognises images that lie in classes beside the pair. Such images
are no ends of arcs and no disagreements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from borderline.boundary import Boundary, logit
from borderline.measures.confusion import is_positive
from borderline.measures.inference import beside_pair, in_batches
from borderline.records import Disagreements, take_rows
from borderline.searching import is_distinct, pair_up, sides_of_labels, spherical

# A logit this near to the boundary may change its side with the size of the batch.
_ROUNDING = 1e-3
_LARGEST_LOGIT = 100.0
_FEWEST_LATENTS = 64
_MOST_ROUNDS = 10
_PAIRS_PER_LATENT = 16
# More arcs at one latent would find much the same image again and again.
_MOST_ARCS_OF_A_LATENT = 4
_MOST_STEPS = 8
# The search ends after so many arcs in a row without a new image.
_ARCS_IN_VAIN = 50
# A step cuts off at least this share of the interval that holds a crossing.
_LEAST_CUT = 0.1
_IMAGES_AT_A_TIME = 1000


class Views(NamedTuple):
    """Images as both models see them.

    Attributes:
        images: Shape (B, C, H, W).
        p: Probabilities of both models, shape (2, B).
        logits: Centred logits, 0 on the boundary of their model, float64 of shape (2, B).
    """

    images: Tensor
    p: Tensor
    logits: Tensor


class Rivals:
    """Two models and a decoder that makes images for them.

    Args:
        decoder: Latents (B, Z) to images (B, C, H, W); its ``latent_dim`` is Z.
        classifiers: Both models, images to logits (B,).
        boundaries: The decision boundary of each.
        device: The device to compute on.

    Attributes:
        evaluations: Evaluations of a model on an image so far.
        left_out: Images on which the models disagree so far, but beside the pair.
    """

    def __init__(
        self,
        decoder: nn.Module,
        classifiers: Sequence[nn.Module],
        boundaries: Sequence[Boundary],
        device: torch.device,
    ) -> None:
        self.latent_dim = int(decoder.latent_dim)  # type: ignore[arg-type]
        self.label_column: int | None = getattr(decoder, "label_column", None)
        self.boundaries = boundaries
        self.evaluations = self.left_out = 0
        self._device = device
        self._decoder = decoder.to(device).eval()
        self._classifiers = [classifier.to(device).eval() for classifier in classifiers]

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Standard normal latents, shape (count, Z)."""
        return torch.randn(count, self.latent_dim, generator=random)

    def decode(self, latents: Tensor) -> Tensor:
        """The images of at least one latent (B, Z)."""
        return in_batches(self._decoder, latents, device=self._device)

    def view(self, latents: Tensor, models: Sequence[int] = (0, 1)) -> Views:
        """The images of at least one latent (B, Z), as these models see them."""
        images = self.decode(latents)
        logits = torch.stack(
            [in_batches(self._classifiers[i], images, device=self._device) for i in models]
        )
        self.evaluations += logits.numel()
        shifts = [[logit(self.boundaries[i]["threshold"])] for i in models]
        centred = logits.double() - torch.tensor(shifts, dtype=torch.float64)
        limit = _LARGEST_LOGIT
        return Views(images, torch.sigmoid(logits), centred.clamp(-limit, limit))

    def sides(self, views: Views) -> Tensor:
        """The decision of both models: 1 positive, -1 negative, 0 if rounding decides; (2, B)."""
        positive = torch.stack(
            [is_positive(p, edge) for p, edge in zip(views.p, self.boundaries, strict=True)]
        )
        # Not a number is on no side.
        return torch.where(views.logits.abs() > _ROUNDING, positive.long() * 2 - 1, 0)

    def within_pair(self, images: Tensor) -> Tensor:
        """Whether each image (B, C, H, W) keeps to the ``most_other_mass`` of both models, (B,).

        A model of more than two classes gives this probability with its logit, so it is no further
        evaluation.
        """
        within = torch.ones(len(images), dtype=torch.bool)
        for classifier in self._classifiers:
            within &= ~beside_pair(classifier, images, self._device)
        return within

    def keep(self, apart: Tensor, images: Tensor) -> Tensor:
        """The images (B, C, H, W) to keep of those that are ``apart``, bool (B,) both.

        The models disagree on these. Those beside the pair are counted as left out.
        """
        kept = apart.clone()
        kept[apart] = self.within_pair(images[apart])
        self.left_out += int((apart & ~kept).sum())
        return kept


class Arcs(NamedTuple):
    """Arcs between latents, and an interval of each that holds the crossing of each model.

    Attributes:
        first: Latents that both models call negative, shape (N, Z).
        last: Latents that both models call positive, shape (N, Z).
        low: Share of the arc where the interval of each model begins, shape (2, N).
        high: Share where it ends.
        below: Centred logits at ``low``, below 0, shape (2, N).
        above: Centred logits at ``high``, above 0.
    """

    first: Tensor
    last: Tensor
    low: Tensor
    high: Tensor
    below: Tensor
    above: Tensor

    def crossings(self, least_cut: float = 0.0) -> Tensor:
        """The crossing of each model by linear interpolation of its logit, a share, (2, N)."""
        width = self.high - self.low
        shares = self.low + width * self.below / (self.below - self.above)
        return shares.clamp(self.low + least_cut * width, self.high - least_cut * width)

    def stretches(self) -> Tensor:
        """The share of each arc between the two crossings, shape (N,)."""
        crossings = self.crossings()
        return (crossings[0] - crossings[1]).abs()

    def angles(self) -> Tensor:
        """The angle between the ends of each arc in degrees, shape (N,)."""
        cosine = torch.cosine_similarity(self.first.double(), self.last.double(), dim=1)
        return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))

    def at(self, shares: Tensor, rows: Tensor) -> Tensor:
        """The latents at shares (B,) of the arcs in rows (B,)."""
        return spherical(self.first[rows], self.last[rows], shares)

    def narrow(self, model: int, rows: Tensor, shares: Tensor, logits: Tensor) -> None:
        """Narrow the intervals of a model, in place, by its centred logits at shares."""
        for side, edges, values in (
            (logits > 0, self.high, self.above),
            (logits <= 0, self.low, self.below),
        ):
            edges[model, rows[side]] = shares[side]
            values[model, rows[side]] = logits[side]

    def take(self, rows: Tensor | slice) -> Arcs:
        """Some of the arcs."""
        ends = (part[rows] for part in self[:2])
        return Arcs(*ends, *(part[:, rows].clone() for part in self[2:]))


class Search(NamedTuple):
    """The result of a search.

    Attributes:
        found: The disagreements, the widest stretches first.
        latents: Number of latents drawn as ends of arcs.
        arcs: Number of arcs that were searched.
        sides: Drawn latents that both models call negative, and that both call positive.
    """

    found: Disagreements
    latents: int
    arcs: int
    sides: tuple[int, int]


def search(rivals: Rivals, count: int, random: torch.Generator) -> Search:
    """Search for this number of different images on which the two models disagree.

    Each round draws latents and walks on the arcs between them with the widest expected stretches.
    The search ends early after many arcs without a new image. An arc gives at most one image.
    """
    found = nothing_found(rivals.decode(rivals.draw(1, random))[:0], rivals.latent_dim)
    drawn, searched, in_vain, sides = 0, 0, 0, Counter[int]()
    for _ in range(_MOST_ROUNDS):
        latents = rivals.draw(max(count, _FEWEST_LATENTS), random)
        arcs, agreed = draw_arcs(rivals, latents, random)
        drawn += len(latents)
        sides.update(agreed)
        while len(arcs.first) and len(found["images"]) < count and in_vain < _ARCS_IN_VAIN:
            before = len(found["images"])
            some = arcs.take(slice(count - before))
            arcs = arcs.take(slice(count - before, None))
            found = _joined(found, walk(rivals, some))
            searched += len(some.first)
            in_vain = 0 if len(found["images"]) > before else in_vain + len(some.first)
        if len(found["images"]) == count or in_vain >= _ARCS_IN_VAIN:
            break
    order = found["width"].argsort(descending=True, stable=True)
    return Search(take_rows(found, order), drawn, searched, (sides[-1], sides[1]))


def nothing_found(images: Tensor, latent_dim: int = 0) -> Disagreements:
    """No disagreements; ``images`` has the shape (0, C, H, W)."""
    none = torch.zeros(0)
    widths = {"width": none.double(), "angle": none.double()}
    latents = torch.zeros(0, latent_dim)
    return {"images": images, "latents": latents, "this_p": none, "other_p": none, **widths}  # type: ignore[typeddict-item]


def draw_arcs(
    rivals: Rivals, latents: Tensor, random: torch.Generator
) -> tuple[Arcs, Counter[int]]:
    """The arcs between latents (N, Z) of one label, the widest expected stretches first.

    The expectation is the distance between the two crossings if both logits were linear on the arc.
    It costs no evaluation, because the ends of all arcs are known.

    Returns:
        The arcs, and the number of latents that both models place on each side, -1 and 1.
    """
    views = rivals.view(latents)
    sides = rivals.sides(views)
    within = rivals.within_pair(views.images)
    agreed = {side: (sides == side).all(0) & within for side in (-1, 1)}
    counts = Counter({side: number for side, rows in agreed.items() if (number := int(rows.sum()))})
    of_labels = sides_of_labels(latents, agreed[-1], agreed[1], rivals.label_column)
    both = [(below, above) for below, above in of_labels if len(below) and len(above)]
    first = last = torch.zeros(0, dtype=torch.int64)
    for below, above in both:
        pairs = _PAIRS_PER_LATENT * len(latents) // len(both)
        rows = pair_up(below, above, pairs, "random", "cosine", random)
        first, last = torch.cat([first, below[rows[0]]]), torch.cat([last, above[rows[1]]])
    shape = 2, len(first)
    arcs = Arcs(
        latents[first],
        latents[last],
        torch.zeros(shape, dtype=torch.float64),
        torch.ones(shape, dtype=torch.float64),
        views.logits[:, first],
        views.logits[:, last],
    )
    order = arcs.stretches().argsort(descending=True, stable=True)
    return arcs.take(torch.tensor(list(_spread(order, first, last)), dtype=torch.int64)), counts


def _spread(order: Tensor, first: Tensor, last: Tensor) -> Iterator[int]:
    """The rows in this order without those of arcs whose ends already have enough arcs."""
    ends: Counter[int] = Counter()
    for row in order.tolist():
        both = int(first[row]), int(last[row])
        if max(ends[end] for end in both) < _MOST_ARCS_OF_A_LATENT:
            ends.update(both)
            yield row


def walk(rivals: Rivals, arcs: Arcs) -> Disagreements:
    """Find a disagreement on each arc, where the search gets to one in a few steps.

    A step looks at the middle between the two crossings, as the logits that are known let expect
    them. Both models see the same image there, so its answers narrow the intervals of both
    crossings (regula falsi). The walk ends at the first image on which the models disagree.
    One more evaluation of each model then improves its crossing. An arc whose image lies beside the
    pair gives none.
    """
    left = torch.arange(len(arcs.first))
    parts: list[dict[str, Tensor]] = []
    for _ in range(_MOST_STEPS):
        shares = arcs.crossings(_LEAST_CUT).mean(0)[left]
        latents = arcs.at(shares, left)
        views = rivals.view(latents)
        for model in (0, 1):
            arcs.narrow(model, left, shares, views.logits[model])
        seen = {"images": views.images, "latents": latents, "rows": left}
        seen |= {"this_p": views.p[0], "other_p": views.p[1]}
        apart = rivals.sides(views).prod(0) == -1
        parts.append(take_rows(seen, rivals.keep(apart, views.images)))
        left = left[~apart]
        if len(left) == 0:
            break
    found = _concatenated(parts)
    rows = found.pop("rows")
    if len(rows):
        _improve_crossings(rivals, arcs, rows)
    width = arcs.stretches()[rows]
    return cast(Disagreements, {**found, "width": width, "angle": width * arcs.angles()[rows]})


def _improve_crossings(rivals: Rivals, arcs: Arcs, rows: Tensor) -> None:
    for model, crossings in enumerate(arcs.crossings(_LEAST_CUT)):
        shares = crossings[rows]
        views = rivals.view(arcs.at(shares, rows), [model])
        arcs.narrow(model, rows, shares, views.logits[0])


def _joined(found: Disagreements, more: Disagreements) -> Disagreements:
    """Both without the images that repeat an earlier one."""
    both = _concatenated([found, more])
    return cast(Disagreements, take_rows(both, is_distinct(both["images"])))


def _concatenated(parts: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def sample_at_random(rivals: Rivals, count: int, random: torch.Generator) -> int:
    """The number of different disagreements among the images of this number of random latents.

    Those beside the pair do not count.
    """
    kept = []
    for start in range(0, count, _IMAGES_AT_A_TIME):
        views = rivals.view(rivals.draw(min(_IMAGES_AT_A_TIME, count - start), random))
        apart = rivals.sides(views).prod(0) == -1
        kept.append(views.images[rivals.keep(apart, views.images)])
    return int(is_distinct(torch.cat(kept)).sum()) if kept else 0
