"""Latent boundary search: walks between latents of both sides, stopped where they cross.

No training for the model under test: the images of a GAN of the pair are split by the side of the
boundary that they fall on, a latent of one side is joined to one of the other, and the root of
``C(G(z)) = 0.5`` is found on the arc between them. The images found are borderline by construction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import torch
from kedro.pipeline import Node, Pipeline
from pydantic import Field, model_validator
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoints
from borderline.measures.inference import BATCH_SIZE, embed, in_batches
from borderline.params import Params, RunParams
from borderline.pipelines.gasten.checkpoint_choice import starting_checkpoint
from borderline.pipelines.gasten.distinct import is_distinct
from borderline.pipelines.gasten.networks import (
    Discriminator,
    Generator,
    trained_networks,
)
from borderline.pipelines.gasten.pairing import Pairs, pair_up
from borderline.pipelines.gasten.params import GanParams, StartsFromGan
from borderline.pipelines.gasten.root_finding import find_crossings
from borderline.records import LabelledImages
from borderline.sampling import Part, Parts, Sampler, make_part, part_sizes

Rate = Callable[[Tensor], Tensor]
"""Takes images (N, C, H, W), returns how real each looks, shape (N,): more is better."""

_MOST_LATENTS = 50_000
_MOST_ROUNDS = 20
_FEWEST_CANDIDATES = 64
# With fewer, most walks would end in the same few latents.
_FEWEST_OF_A_SIDE = 32


class RealismParams(Params):
    """Keep only the images that look most real.

    Attributes:
        by: ``discriminator`` (its logit) or ``judge`` (distance to the nearest real image of the
            pair in the judge's features).
        keep: The share to keep.
    """

    by: Literal["discriminator", "judge"]
    keep: float = Field(ge=0.05, le=1)


class Settings(StartsFromGan):
    """A search in a latent space.

    Attributes:
        kind: ``latent_search``.
        space_of: The latent space: ``gan`` for step 1, or the name of a tuned or an imported
            generator.
        pairs: Join latents of both sides at ``random``, or with their ``nearest`` neighbours.
        truncation: Largest absolute value of the normal latents; None for no limit. A low value
            gives less variety and more typical images.
        spread: Target probabilities are uniform in ``0.5 +- spread``; 0 for the boundary itself.
        tolerance: Largest distance of a probability from its target.
        realism: Keep only the images that look most real; None for all.
    """

    kind: Literal["latent_search"]
    space_of: str
    pairs: Pairs
    truncation: float | None = Field(gt=0)
    spread: float = Field(ge=0, lt=0.5)
    tolerance: float = Field(gt=0, lt=0.5)
    realism: RealismParams | None

    @model_validator(mode="after")
    def _start_is_of_step_1(self) -> Self:
        if self.space_of != "gan" and self.start != "last":
            raise ValueError(f"a search in {self.space_of} takes its last epoch: leave start out")
        return self

    def goes_on_from(self) -> str | None:
        """The tuned or imported generator, if any."""
        return None if self.space_of == "gan" else self.space_of


def create_pipeline(settings: Settings) -> Pipeline:
    """Take the networks of step 1, or another generator's, to search in."""
    tuned = settings.goes_on_from()
    take = Node(
        take_networks,
        inputs=["gan.checkpoints", "params:generator", "params:gan"],
        outputs=["generator", "discriminator"],
        name="take_networks",
    )
    owner = f"{tuned}." if tuned else ""
    by = None if settings.realism is None else settings.realism.by
    keep = Node(
        keep_sampler,
        inputs={
            "generator": f"{owner}generator",
            "judge": "judge",
            "real_features": "real_features",
            "settings": "params:generator",
            # Not every generator has one.
            **({"discriminator": f"{owner}discriminator"} if by == "discriminator" else {}),
        },
        outputs="sampler",
        name="keep_sampler",
    )
    return Pipeline([keep] if tuned else [take, keep])


def take_networks(
    checkpoints: Checkpoints, generator: Settings, gan: GanParams
) -> tuple[Generator, Discriminator]:
    """Both networks of the epoch of step 1 that the settings name."""
    assert not isinstance(generator.start, tuple), "the grid takes lists apart"
    start = starting_checkpoint(checkpoints, generator.start, gan)
    return trained_networks(gan, start["state"])


@dataclass(frozen=True, kw_only=True)
class SearchSampler(Sampler):
    """A latent space to search in.

    Attributes:
        generator: The network whose latent space it is.
        settings: How to search.
        discriminator: The network that filters by realism, where the settings name it.
        judge: Likewise.
        real_features: The judge's features of the real training images, shape (M, D), likewise.
    """

    generator: nn.Module
    settings: Settings
    discriminator: nn.Module | None = None
    judge: nn.Module | None = None
    real_features: Tensor | None = None

    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
    ) -> Parts:
        """Images on the boundary."""
        device = run.torch_device()
        rate = None
        if self.discriminator is not None:
            rate = _rate_by_discriminator(self.discriminator, device)
        elif self.judge is not None and self.real_features is not None:
            rate = _rate_by_judge(self.judge, self.real_features, device)
        return search(
            self.generator,
            classifier,
            self.settings,
            images=images,
            device=device,
            random=run.generator("latent search"),
            rate=rate,
        )

    @property
    def decoder(self) -> nn.Module:
        """The network whose latent space it is."""
        return self.generator


def keep_sampler(
    generator: nn.Module,
    judge: nn.Module,
    real_features: dict[str, Tensor],
    settings: Settings,
    discriminator: nn.Module | None = None,
) -> SearchSampler:
    """The latent space, with what the search there needs."""
    by = None if settings.realism is None else settings.realism.by
    return SearchSampler(
        generator=generator,
        settings=settings,
        discriminator=discriminator,
        judge=judge if by == "judge" else None,
        real_features=real_features["features"] if by == "judge" else None,
    )


def search(
    generator: nn.Module,
    classifier: nn.Module,
    settings: Settings,
    *,
    images: int,
    device: torch.device,
    random: torch.Generator,
    rate: Rate | None = None,
) -> Parts:
    """Images of a generator on the boundary of a model, no two of a part alike.

    Args:
        generator: Latent vectors (N, ``latent_dim``) to images (N, C, H, W) in [-1, 1].
        classifier: The model under test: images to logits (N,).
        settings: How to search.
        images: How many to find.
        device: Where to compute.
        random: Draws latents, pairs and wished-for probabilities.
        rate: How real images look, shape (N,); needed where the settings filter by realism.

    Yields:
        Parts with ``images``, ``latents`` and ``probabilities``.

    Returns:
        A note: why there are fewer images than wished for; empty if there are not.
    """
    generator, classifier = generator.to(device).eval(), classifier.to(device).eval()
    keep = 1.0 if settings.realism is None else settings.realism.keep
    for size in part_sizes(images):
        part: Part = {}
        for _ in range(_MOST_ROUNDS):
            wanted = size - len(part.get("images", ()))
            candidates = max(_FEWEST_CANDIDATES, round(wanted / keep))
            latents, note = _search_once(
                generator, classifier, settings, candidates, device, random
            )
            part = _with_best(part, make_part(generator, classifier, latents, device), rate, keep)
            part = {name: tensor[:size] for name, tensor in part.items()}
            if note or len(part["images"]) == size:
                break
        else:
            note = (
                f"{_MOST_ROUNDS} rounds of search found only {len(part['images'])} images of "
                f"{size} "
                "that differ: the generator repeats itself, so start from another epoch of step 1"
            )
        yield part
        if note:
            return note
    return ""


def _search_once(
    generator: nn.Module,
    classifier: nn.Module,
    settings: Settings,
    candidates: int,
    device: torch.device,
    random: torch.Generator,
) -> tuple[Tensor, str]:
    """Latents on the boundary, and why not to search on, if there is a reason."""

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
        # Another round would draw as many for as few.
        note = (
            f"only {fewest} of {len(latents)} images drawn from the GAN fall on the rarer side of "
            "the boundary, so all that was found lies on the way to these: train the GAN longer, "
            "start from another epoch, or use a generator of kind gasten"
        )
    sides = latents[below], latents[above]
    rows = pair_up(*sides, candidates, settings.pairs, "cosine", random)
    targets = 0.5 + settings.spread * (2 * torch.rand(len(rows[0]), generator=random) - 1)
    ends = logits[below][rows[0]], logits[above][rows[1]]
    # Two images near the boundary may have the wished-for probability outside of them.
    between = (ends[0] < torch.logit(targets)) & (torch.logit(targets) < ends[1])
    first, last = sides[0][rows[0]][between], sides[1][rows[1]][between]
    crossings = find_crossings(
        lambda shares, asked: logits_of(spherical(first[asked], last[asked], shares)),
        ends[0][between],
        ends[1][between],
        targets[between],
        settings.tolerance,
    )
    return spherical(first, last, crossings.shares)[crossings.found], note


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


def _draw(count: int, latent_dim: int, settings: Settings, random: torch.Generator) -> Tensor:
    if settings.truncation is None:
        return torch.randn(count, latent_dim, generator=random)
    limit = settings.truncation
    latents = torch.empty(count, latent_dim)
    return nn.init.trunc_normal_(latents, a=-limit, b=limit, generator=random)


def _with_best(part: Part, more: Part, rate: Rate | None, keep: float) -> Part:
    if rate is not None and len(more["images"]):
        best = rate(more["images"]).topk(math.ceil(keep * len(more["images"]))).indices
        best = best.sort().values
        more = {name: tensor[best] for name, tensor in more.items()}
    merged = {name: torch.cat([part[name], more[name]]) if part else more[name] for name in more}
    distinct = is_distinct(merged["images"])
    return {name: tensor[distinct] for name, tensor in merged.items()}


def _rate_by_discriminator(discriminator: nn.Module, device: torch.device) -> Rate:
    discriminator = discriminator.to(device).eval()
    return lambda images: in_batches(discriminator, images, device=device)


def _rate_by_judge(judge: nn.Module, real_features: Tensor, device: torch.device) -> Rate:
    nearest = NearestNeighbors(n_neighbors=1).fit(real_features.numpy())

    def rate(images: Tensor) -> Tensor:
        distances, _ = nearest.kneighbors(embed(judge, images, device).numpy())
        return -torch.from_numpy(distances[:, 0])

    return rate
