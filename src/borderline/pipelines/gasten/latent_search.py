"""Latent boundary search: walks between latents of both sides, stopped where they cross.

The images of a GAN of the pair are split by the side of the boundary that they fall on, a latent of
one side is joined to one of the other, and the root of ``C(G(z)) = 0.5`` is found on the arc
between them. So every image is borderline by construction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from borderline.measures.inference import BATCH_SIZE, in_batches
from borderline.params import RunParams
from borderline.pipelines.gasten.distinct import is_distinct
from borderline.pipelines.gasten.kinds.latent_search import Settings
from borderline.pipelines.gasten.pairing import pair_up
from borderline.pipelines.gasten.realism_rating import (
    Rate,
    rate_by_discriminator,
    rate_by_judge,
)
from borderline.pipelines.gasten.root_finding import find_crossings
from borderline.records import LabelledImages, Part, take_rows
from borderline.sampling import Parts, Sampler, make_part, part_sizes

_MOST_LATENTS = 50_000
_MOST_ROUNDS = 20
_FEWEST_CANDIDATES = 64
# With fewer, most walks would end in the same few latents.
_FEWEST_OF_A_SIDE = 32


@dataclass(frozen=True, kw_only=True)
class SearchSampler(Sampler):
    """A latent space to search in.

    Attributes:
        generator: Latent vectors (N, ``latent_dim``) to images (N, C, H, W) in [-1, 1].
        settings: How to search.
        discriminator: To filter by realism; None where the settings do not name it.
        judge: To filter by realism; None where the settings do not name it.
        real_features: The judge's features of the real training images, shape (M, D), or None.
    """

    generator: nn.Module
    settings: Settings
    discriminator: nn.Module | None = None
    judge: nn.Module | None = None
    real_features: Tensor | None = None

    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
    ) -> Parts:
        """Images on the boundary, no two of a part alike."""
        device, random = run.torch_device(), run.generator("latent search")
        rate = self._rate(device)
        generator = self.generator.to(device).eval()
        classifier = classifier.to(device).eval()
        keep = 1.0 if self.settings.realism is None else self.settings.realism.keep
        for size in part_sizes(images):
            part: Part | None = None
            missing = size
            for _ in range(_MOST_ROUNDS):
                candidates = max(_FEWEST_CANDIDATES, round(missing / keep))
                latents, note = _search_once(
                    generator, classifier, self.settings, candidates, device, random
                )
                more = _most_real(make_part(generator, classifier, latents, device), rate, keep)
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

    @property
    def decoder(self) -> nn.Module:
        """The network of the latent space."""
        return self.generator

    def _rate(self, device: torch.device) -> Rate | None:
        if self.discriminator is not None:
            return rate_by_discriminator(self.discriminator, device)
        if self.judge is not None and self.real_features is not None:
            return rate_by_judge(self.judge, self.real_features, device)
        return None


def _search_once(
    generator: nn.Module,
    classifier: nn.Module,
    settings: Settings,
    candidates: int,
    device: torch.device,
    random: torch.Generator,
) -> tuple[Tensor, str]:
    """Latents on the boundary, and a note that ends the search; empty if it may go on."""

    def logits_of(latents: Tensor) -> Tensor:
        return in_batches(lambda batch: classifier(generator(batch)), latents, device=device)

    latent_dim = int(generator.latent_dim)  # type: ignore[arg-type]
    latents, logits = torch.empty(0, latent_dim), torch.empty(0)
    fewest = 0
    while fewest < _FEWEST_OF_A_SIDE and len(latents) < _MOST_LATENTS:
        drawn = _draw(max(candidates, BATCH_SIZE), latent_dim, settings, random)
        latents, logits = torch.cat([latents, drawn]), torch.cat([logits, logits_of(drawn)])
        below, above = logits < 0, logits > 0
        fewest = min(int(below.sum()), int(above.sum()))
    if fewest == 0:
        p = torch.sigmoid(logits)
        return latents[:0], (
            f"all {len(latents)} images drawn from the GAN fall on one side of the boundary, with "
            f"p from {p.min():.3f} to {p.max():.3f}: train the GAN longer, start from another "
            "epoch, or use a generator of kind gasten"
        )
    note = ""
    if fewest < _FEWEST_OF_A_SIDE:
        # Another round would cost as many draws and find as few.
        note = (
            f"only {fewest} of {len(latents)} images drawn from the GAN fall on the rarer side of "
            "the boundary, so all walks lead to these: train the GAN longer, start from another "
            "epoch, or use a generator of kind gasten"
        )
    sides = latents[below], latents[above]
    rows = pair_up(*sides, candidates, settings.pairs, "cosine", random)
    targets = 0.5 + settings.spread * (2 * torch.rand(len(rows[0]), generator=random) - 1)
    ends = logits[below][rows[0]], logits[above][rows[1]]
    # The target of two images near the boundary may lie outside of the two.
    between = (ends[0] < torch.logit(targets)) & (torch.logit(targets) < ends[1])
    first, last = sides[0][rows[0]][between], sides[1][rows[1]][between]
    crossings = find_crossings(
        lambda shares, rows: logits_of(spherical(first[rows], last[rows], shares)),
        ends[0][between],
        ends[1][between],
        targets[between],
        settings.tolerance,
    )
    return spherical(first, last, crossings.shares)[crossings.converged], note


def _draw(count: int, latent_dim: int, settings: Settings, random: torch.Generator) -> Tensor:
    if settings.truncation is None:
        return torch.randn(count, latent_dim, generator=random)
    limit = settings.truncation
    latents = torch.empty(count, latent_dim)
    return nn.init.trunc_normal_(latents, a=-limit, b=limit, generator=random)


def _most_real(part: Part, rate: Rate | None, keep: float) -> Part:
    if rate is None or len(part["images"]) == 0:
        return part
    best = rate(part["images"]).topk(math.ceil(keep * len(part["images"]))).indices
    return take_rows(part, best.sort().values)


def _distinct(part: Part | None, more: Part) -> Part:
    """The images of both parts without repetitions."""
    if part is not None:
        more = {
            "images": torch.cat([part["images"], more["images"]]),
            "latents": torch.cat([part["latents"], more["latents"]]),
            "probabilities": torch.cat([part["probabilities"], more["probabilities"]]),
        }
    return take_rows(more, is_distinct(more["images"]))


def spherical(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Points on the arcs between vectors: spherical linear interpolation (Shoemake 1985).

    It keeps the length that latents of a normal distribution have, which a straight line would not
    (White 2016).

    Args:
        first: Shape (N, Z).
        last: Shape (N, Z).
        shares: How far along, in [0, 1], shape (N,).

    Returns:
        Vectors of the type of ``first``, shape (N, Z).
    """
    a, b, t = first.double(), last.double(), shares.double()[:, None]
    cosine = torch.cosine_similarity(a, b, dim=1)[:, None].clamp(-1 + 1e-9, 1 - 1e-9)
    angle = torch.acos(cosine)
    arc = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return arc.to(first.dtype)
