"""Latent boundary search: walks between latents of both sides, stopped where they cross.

The images of a generator of the pair are split by the side of the boundary that they fall on, a
latent of one side is joined to one of the other, and the root of ``C(G(z)) = t`` is found on the
arc between them. So every image is borderline by construction.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from borderline.boundary import Pairs, logit
from borderline.committee import Committee
from borderline.measures.inference import (
    BATCH_SIZE,
    batch_size_of,
    embed,
    in_batches,
    passes_per_image,
)
from borderline.measures.realism import Balls, realism_scores
from borderline.params import RunParams
from borderline.records import LabelledImages, Part, take_rows
from borderline.sampling import (
    Evaluations,
    GanSampler,
    Parts,
    counted_evaluations,
    make_part,
    part_sizes,
)
from borderline.searching import find_crossings, is_distinct, pair_up, sides_of_labels, spherical

_MOST_LATENTS = 50_000
_MOST_ROUNDS = 20
_FEWEST_CANDIDATES = 64
# With fewer, most walks would end in the same few latents.
_FEWEST_OF_A_SIDE = 32
# A search of a small budget draws a few latents and joins each several times.
_SHARE_FOR_WALKS = 0.75
# About: a latent to start from, some steps of a walk, and the image at its end.
_IMAGES_PER_CROSSING = 8
# A walk that the budget cuts is lost. So the first round joins few enough latents for any space,
# and the others as many as the round before says.
_MOST_IMAGES_PER_CROSSING = 16
_RESERVE = 1.25
# Of a real image, to the edge of its ball.
_NEIGHBOURS = 5
# A generator that is no GAN says what it is called, and what to do about its images.
_ADVICE = "train the GAN longer, start from another epoch, or use a generator of kind gasten"


@dataclass(frozen=True, kw_only=True)
class SearchSampler(GanSampler):
    """A latent space to search in; its settings are those of the kind ``latent_search``.

    Attributes:
        budget: Most passes of the decoder for the images; None for no limit.
        keep: The share of the images to keep, the most real by the discriminator, the judge, or the
            members.
        real_features: The judge's features of the real training images, shape (M, D).
        members: Judges that say of which class an image is. Without ``discriminator`` and
            ``judge`` they rate its realism too.
        columns: The columns of the positive and the negative class in the outputs of ``members``,
            or of ``judge`` where there are none; None where no judge has an opinion.
    """

    pairs: Pairs
    truncation: float | None
    spread: float
    tolerance: float
    budget: int | None = None
    keep: float = 1.0
    discriminator: nn.Module | None = None
    judge: nn.Module | None = None
    real_features: Tensor | None = None
    members: tuple[nn.Module, ...] = ()
    columns: tuple[int, int] | None = None

    def sample(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
    ) -> Parts:
        """Images on the boundary, no two of a part alike."""
        with counted_evaluations(self.generator) as evaluations:
            budget = _Budget(self.budget, passes_per_image(self.generator), evaluations)
            return (yield from self._parts(classifier, real, images, run, threshold, budget))

    def expected_evaluations(self, images: int) -> int:
        """See :class:`Sampler`."""
        passes = images * _IMAGES_PER_CROSSING / self.keep * passes_per_image(self.generator)
        return round(passes if self.budget is None else min(passes, self.budget))

    def _parts(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
        budget: _Budget,
    ) -> Parts:
        device, random = run.torch_device(), run.generator("latent search")
        rate = self._rate(real, device)
        generator = self.generator.to(device).eval()
        classifier = classifier.to(device).eval()
        made, cost = 0, float(_MOST_IMAGES_PER_CROSSING)
        for size in part_sizes(images):
            part: Part | None = None
            missing, note = size, ""
            for _ in range(_MOST_ROUNDS):
                wanted = max(_FEWEST_CANDIDATES, round(missing / self.keep))
                before = budget.images()
                candidates = min(wanted, int(before // cost))
                if candidates == 0:
                    break
                latents, note = self._search_once(
                    classifier, threshold, candidates, device, random, budget
                )
                more = make_part(generator, classifier, latents, device)
                cost = _RESERVE * max(1, (before - budget.images()) / candidates)
                if rate is not None and len(latents) > 0:
                    more = take_rows(more, self._most_real(more["images"], rate, device))
                part = take_rows(_distinct(part, more), slice(size))
                missing = size - len(part["images"])
                if note or missing == 0:
                    break
            if missing and not note:
                if candidates < wanted:
                    note = (
                        f"the budget of {self.budget} decoder evaluations ended the search at "
                        f"{made + size - missing} of {images} images: raise it to find more"
                    )
                else:
                    way_out = getattr(generator, "advice", "start from another epoch of step 1")
                    note = (
                        f"{_MOST_ROUNDS} rounds found only {size - missing} of {size} different "
                        f"images: the generator repeats itself, so {way_out}"
                    )
            # A later part may find nothing left to spend; the first one stands for all images.
            if part is None and made == 0:
                latents = torch.empty(0, int(generator.latent_dim))  # type: ignore[arg-type]
                part = make_part(generator, classifier, latents, device)
            if part is not None:
                made += len(part["images"])
                yield part
            if note:
                return note
        return ""

    def _most_real(
        self, images: Tensor, rate: Callable[[Tensor], Tensor], device: torch.device
    ) -> Tensor:
        """The rows to keep, the same share of each class.

        A generator may draw one class better than the other. The most real of all images would be
        of this class alone, and the patterns of the other one would be missing.
        """
        scores, positive = rate(images), self._is_positive(images, device)
        kept = []
        for rows in (positive.nonzero()[:, 0], (~positive).nonzero()[:, 0]):
            best = scores[rows].topk(math.ceil(self.keep * len(rows))).indices
            kept.append(rows[best])
        return torch.cat(kept).sort().values

    def _is_positive(self, images: Tensor, device: torch.device) -> Tensor:
        """Whether each image (N, C, H, W) is rather of the positive class, bool (N,); all are where
        no judge has an opinion."""
        judges = self.members or (() if self.judge is None else (self.judge,))
        if self.columns is None or not judges:
            return torch.ones(len(images), dtype=torch.bool)
        positive, negative = self.columns
        committee = Committee(members=judges, classes=(), positive=positive, negative=negative)
        probabilities = committee.opinion(images, device).probabilities
        return probabilities[:, positive] > probabilities[:, negative]

    def _rate(
        self, real: LabelledImages, device: torch.device
    ) -> Callable[[Tensor], Tensor] | None:
        """A rating of images (N, C, H, W), shape (N,): the more real, the larger."""
        if self.discriminator is not None:
            discriminator = self.discriminator.to(device).eval()
            return lambda images: in_batches(discriminator, images, device=device)
        if self.judge is None or self.real_features is None:
            return self._rate_by_members(real["images"], device) if self.members else None
        judge = self.judge
        nearest = NearestNeighbors(n_neighbors=1).fit(self.real_features.numpy())

        def rate(images: Tensor) -> Tensor:
            distances, _ = nearest.kneighbors(embed(judge, images, device).numpy())
            return -torch.from_numpy(distances[:, 0])

        return rate

    def _rate_by_members(self, real: Tensor, device: torch.device) -> Callable[[Tensor], Tensor]:
        """The mean rank of an image by the realism scores of all members."""
        neighbours = min(_NEIGHBOURS, len(real) - 1)
        manifolds = [Balls.of(embed(member, real, device), neighbours) for member in self.members]

        def rate(images: Tensor) -> Tensor:
            scores = [
                realism_scores(embed(member, images, device), manifold)
                for member, manifold in zip(self.members, manifolds, strict=True)
            ]
            ranks = [score.argsort(stable=True).argsort() for score in scores]
            return torch.stack(ranks).double().mean(0)

        return rate

    def _search_once(
        self,
        classifier: nn.Module,
        threshold: float,
        candidates: int,
        device: torch.device,
        random: torch.Generator,
        budget: _Budget,
    ) -> tuple[Tensor, str]:
        """Latents on the boundary, and a note that ends the search; empty if it may go on."""
        generator = self.generator
        shift = logit(threshold)

        def logits_of(latents: Tensor) -> Tensor:
            """Logits that are 0 on the boundary."""
            logits = in_batches(
                lambda batch: classifier(generator(batch)),
                latents,
                device=device,
                batch_size=batch_size_of(generator, classifier),
            )
            return logits - shift

        latents, logits = torch.empty(0, int(generator.latent_dim)), torch.empty(0)  # type: ignore[arg-type]
        fewest, cut = 0, False
        kept_for_walks = round(_SHARE_FOR_WALKS * budget.images())
        while fewest < _FEWEST_OF_A_SIDE and len(latents) < _MOST_LATENTS:
            size = min(max(candidates, BATCH_SIZE), budget.images() - kept_for_walks)
            cut = size <= 0
            if cut:
                break
            drawn = self._draw(torch.empty(size, latents.shape[1]), random)
            latents, logits = torch.cat([latents, drawn]), torch.cat([logits, logits_of(drawn)])
            label_column = getattr(generator, "label_column", None)
            sides = sides_of_labels(latents, logits < 0, logits > 0, label_column)
            fewest = sum(min(len(below), len(above)) for below, above in sides)
        called, advice = getattr(generator, "called", "GAN"), getattr(generator, "advice", _ADVICE)
        if fewest == 0:
            return latents[:0], "" if cut else f"{_one_sided(logits, shift, called)}: {advice}"
        note = ""
        # Where the budget cuts the draws, its own note says so.
        if fewest < _FEWEST_OF_A_SIDE and not cut:
            # Another round would cost as many draws and find as few.
            note = (
                f"only {fewest} of {len(latents)} images drawn from the {called} fall on the rarer "
                f"side of the boundary, so all walks lead to these: {advice}"
            )
        most = min(candidates, budget.images() // _IMAGES_PER_CROSSING)
        low, high = self._ends(latents, sides, most, random)
        targets = 0.5 + self.spread * (2 * torch.rand(len(low), generator=random) - 1)
        # The target of two images near the boundary may lie outside of the two.
        between = (logits[low] < torch.logit(targets)) & (torch.logit(targets) < logits[high])
        low, high = low[between], high[between]
        first, last = latents[low], latents[high]
        # The images of the crossings are decoded once more.
        still = None if self.budget is None else lambda paths: paths + len(low) <= budget.images()
        shares, converged = find_crossings(
            lambda shares, rows: logits_of(spherical(first[rows], last[rows], shares)),
            logits[low],
            logits[high],
            targets[between],
            self.tolerance,
            still,
        )
        return spherical(first, last, shares)[converged], note

    def _ends(
        self,
        latents: Tensor,
        sides: list[tuple[Tensor, Tensor]],
        count: int,
        random: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Rows of latents on the negative and on the positive side, joined within each label.

        Other stages take the first images of a search, so the labels are mixed.
        """
        both = [(below, above) for below, above in sides if len(below) and len(above)]
        joined = []
        for below, above in both:
            share = max(1, count // len(both))
            rows = pair_up(latents[below], latents[above], share, self.pairs, "cosine", random)
            joined.append((below[rows[0]], above[rows[1]]))
        low, high = (torch.cat(rows) for rows in zip(*joined, strict=True))
        if len(both) == 1:
            return low, high
        order = torch.randperm(len(low), generator=random)
        return low[order], high[order]

    def _draw(self, latents: Tensor, random: torch.Generator) -> Tensor:
        if self.truncation is None:
            return latents.normal_(generator=random)
        limit = self.truncation
        return nn.init.trunc_normal_(latents, a=-limit, b=limit, generator=random)


class _Budget:
    """The passes of a decoder that a search may still take."""

    def __init__(self, most: int | None, passes: int, evaluations: Evaluations) -> None:
        self._most, self._passes, self._evaluations = most, passes, evaluations

    def images(self) -> int:
        """The number of images that may still be decoded."""
        if self._most is None:
            return sys.maxsize
        return max(0, self._most - self._evaluations.count) // self._passes


def _one_sided(logits: Tensor, shift: float, called: str) -> str:
    """The reason why no latents can be joined."""
    if (logits < 0).any() and (logits > 0).any():
        return (
            f"the {len(logits)} images drawn from the {called} fall on both sides of the "
            "boundary, but those of each label on one, and no walk leads from label to label"
        )
    p = torch.sigmoid(logits + shift)
    return (
        f"all {len(logits)} images drawn from the {called} fall on one side of the boundary, with "
        f"p from {p.min():.3f} to {p.max():.3f}"
    )


def _distinct(part: Part | None, more: Part) -> Part:
    """The images of both parts without repetitions."""
    if part is not None:
        more = cast(Part, {n: torch.cat([part[n], more[n]]) for n in more})  # type: ignore[literal-required]
    return take_rows(more, is_distinct(more["images"]))
