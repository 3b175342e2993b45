"""Latent boundary search: walks between latents of both sides, stopped where they cross.

The images of a GAN of the pair are split by the side of the boundary that they fall on, a latent of
one side is joined to one of the other, and the root of ``C(G(z)) = t`` is found on the arc
between them. So every image is borderline by construction.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from borderline.boundary import Pairs, logit
from borderline.measures.inference import BATCH_SIZE, batch_size_of, embed, in_batches
from borderline.params import RunParams
from borderline.records import LabelledImages, Part, take_rows
from borderline.sampling import GanSampler, Parts, make_part, part_sizes
from borderline.searching import (
    find_crossings,
    is_distinct,
    pair_up,
    refine_crossings,
    spherical,
)

logger = logging.getLogger(__name__)

_MOST_LATENTS = 50_000
_MOST_ROUNDS = 20
_FEWEST_CANDIDATES = 64
# With fewer, most walks would end in the same few latents.
_FEWEST_OF_A_SIDE = 32
# Evaluations of an image, as measured: the draw and the walk, and the final steps and the image.
_OF_SCOUT, _OF_GENERATOR = 6, 5


@dataclass(frozen=True, kw_only=True)
class SearchSampler(GanSampler):
    """A latent space to search in; its settings are those of the kind ``latent_search``.

    Attributes:
        keep: The share of the images to keep, the most real by the discriminator or the judge.
        real_features: The judge's features of the real training images, shape (M, D).
    """

    pairs: Pairs
    truncation: float | None
    spread: float
    tolerance: float
    keep: float = 1.0
    discriminator: nn.Module | None = None
    judge: nn.Module | None = None
    real_features: Tensor | None = None

    def sample(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
    ) -> Parts:
        """Images on the boundary, no two of a part alike."""
        device, random = run.torch_device(), run.generator("latent search")
        rate = self._rate(device)
        generator = self.generator.to(device).eval()
        classifier = classifier.to(device).eval()
        scout = _scout_of(generator)
        _announce(images, generator, scout, device)
        for size in part_sizes(images):
            part: Part | None = None
            missing = size
            for _ in range(_MOST_ROUNDS):
                candidates = max(_FEWEST_CANDIDATES, round(missing / self.keep))
                search = classifier, threshold, candidates, device, random
                latents, note = self._search_once(scout, *search)
                if note and scout is not generator:
                    # Few steps may not reach the other side.
                    scout = generator
                    latents, note = self._search_once(scout, *search)
                more = make_part(generator, classifier, latents, device)
                if rate is not None and len(latents) > 0:
                    best = rate(more["images"]).topk(math.ceil(self.keep * len(latents))).indices
                    more = take_rows(more, best.sort().values)
                part = take_rows(_distinct(part, more), slice(size))
                missing = size - len(part["images"])
                if note or missing == 0:
                    break
            else:
                note = (
                    f"{_MOST_ROUNDS} rounds found only {size - missing} of {size} different "
                    "images: the generator repeats itself, so start from another epoch of step 1"
                )
            assert part is not None, "there is at least one round"
            yield part
            if note:
                return note
        return ""

    def _rate(self, device: torch.device) -> Callable[[Tensor], Tensor] | None:
        """A rating of images (N, C, H, W), shape (N,): the more real, the larger."""
        if self.discriminator is not None:
            discriminator = self.discriminator.to(device).eval()
            return lambda images: in_batches(discriminator, images, device=device)
        if self.judge is None or self.real_features is None:
            return None
        judge = self.judge
        nearest = NearestNeighbors(n_neighbors=1).fit(self.real_features.numpy())

        def rate(images: Tensor) -> Tensor:
            distances, _ = nearest.kneighbors(embed(judge, images, device).numpy())
            return -torch.from_numpy(distances[:, 0])

        return rate

    def _search_once(
        self,
        scout: nn.Module,
        classifier: nn.Module,
        threshold: float,
        candidates: int,
        device: torch.device,
        random: torch.Generator,
    ) -> tuple[Tensor, str]:
        """Latents on the boundary, and a note that ends the search; empty if it may go on.

        The ``scout`` is the generator, or a faster version of it that finds about the same.
        """
        shift, width = logit(threshold), int(self.generator.latent_dim)  # type: ignore[arg-type]

        def logits_of(latents: Tensor, decoder: nn.Module = scout) -> Tensor:
            """Logits that are 0 on the boundary."""
            size = batch_size_of(decoder)
            logits = in_batches(
                lambda batch: classifier(decoder(batch)), latents, device=device, batch_size=size
            )
            return logits - shift

        latents, logits = torch.empty(0, width), torch.empty(0)
        fewest = 0
        while fewest < _FEWEST_OF_A_SIDE and len(latents) < _MOST_LATENTS:
            drawn = self._draw(torch.empty(max(candidates, BATCH_SIZE), latents.shape[1]), random)
            latents, logits = torch.cat([latents, drawn]), torch.cat([logits, logits_of(drawn)])
            below, above = logits < 0, logits > 0
            fewest = min(int(below.sum()), int(above.sum()))
        advice = "train the GAN longer, start from another epoch, or use a generator of kind gasten"
        if fewest == 0:
            p = torch.sigmoid(logits + shift)
            return latents[:0], (
                f"all {len(latents)} images drawn from the GAN fall on one side of the boundary, "
                f"with p from {p.min():.3f} to {p.max():.3f}: {advice}"
            )
        note = ""
        if fewest < _FEWEST_OF_A_SIDE:
            # Another round would cost as many draws and find as few.
            note = (
                f"only {fewest} of {len(latents)} images drawn from the GAN fall on the rarer side "
                f"of the boundary, so all walks lead to these: {advice}"
            )
        sides = latents[below], latents[above]
        rows = pair_up(*sides, candidates, self.pairs, "cosine", random)
        targets = 0.5 + self.spread * (2 * torch.rand(len(rows[0]), generator=random) - 1)
        ends = logits[below][rows[0]], logits[above][rows[1]]
        # The target of two images near the boundary may lie outside of the two.
        between = (ends[0] < torch.logit(targets)) & (torch.logit(targets) < ends[1])
        first, last = sides[0][rows[0]][between], sides[1][rows[1]][between]
        targets, ends = targets[between], (ends[0][between], ends[1][between])

        def logits_at(shares: Tensor, rows: Tensor, decoder: nn.Module = scout) -> Tensor:
            return logits_of(spherical(first[rows], last[rows], shares), decoder)

        shares, converged = find_crossings(logits_at, *ends, targets, self.tolerance)
        if scout is not self.generator:
            shares, converged = refine_crossings(
                lambda shares, rows: logits_at(shares, rows, self.generator),
                logits_at,
                shares,
                ends[1] - ends[0],
                targets,
                self.tolerance,
            )
        return spherical(first, last, shares)[converged], note

    def _draw(self, latents: Tensor, random: torch.Generator) -> Tensor:
        if self.truncation is None:
            return latents.normal_(generator=random)
        limit = self.truncation
        return nn.init.trunc_normal_(latents, a=-limit, b=limit, generator=random)


def _scout_of(generator: nn.Module) -> nn.Module:
    """A faster version of a generator for the search, if it has one; else the generator."""
    coarse = getattr(generator, "coarse", None)
    scout: nn.Module | None = None if coarse is None else coarse()
    return generator if scout is None else scout.eval()


def _announce(images: int, generator: nn.Module, scout: nn.Module, device: torch.device) -> None:
    """Say how long a search takes about, if an image takes several passes through a network."""
    passes: int | None = getattr(generator, "passes", None)
    if passes is None:
        return
    batch = torch.zeros(min(images, batch_size_of(generator)), int(generator.latent_dim))  # type: ignore[arg-type]
    started = time.perf_counter()
    in_batches(generator, batch, device=device)
    pass_seconds = (time.perf_counter() - started) / (len(batch) * passes)
    each = _OF_SCOUT * int(scout.passes) + _OF_GENERATOR * passes  # type: ignore[arg-type]
    logger.info(
        "The search for %s images takes about %s passes through the network each: %s minutes.",
        f"{images:,}",
        each,
        f"{math.ceil(images * each * pass_seconds / 60):,}",
    )


def _distinct(part: Part | None, more: Part) -> Part:
    """The images of both parts without repetitions."""
    if part is not None:
        more = cast(Part, {n: torch.cat([part[n], more[n]]) for n in more})  # type: ignore[literal-required]
    return take_rows(more, is_distinct(more["images"]))
