"""The baseline without a generator: blends of two real images, stopped on the boundary.

The random-pair search that DeepDIG is compared with (Karimi and Derr 2022): an image of one class
is joined to one of the other by a straight line in pixel space, and the point where the model is
undecided is found on it. It shows why a generator is needed: the images are blends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from kedro.pipeline import Node, Pipeline
from pydantic import Field
from torch import Tensor, nn

from borderline.measures.inference import in_batches, predict
from borderline.params import GeneratorParams, RunParams
from borderline.pipelines.gasten.distinct import is_distinct
from borderline.pipelines.gasten.pairing import Pairs, pair_up
from borderline.pipelines.gasten.root_finding import find_crossings
from borderline.records import LabelledImages
from borderline.sampling import Parts, Sampler, part_sizes


class Settings(GeneratorParams):
    """A search between real images.

    Attributes:
        kind: ``pixel_bisection``.
        pairs: Join images of both classes at ``random``, or with their ``nearest`` neighbours in
            pixel space.
        tolerance: Largest distance of the probability from 0.5.
    """

    kind: Literal["pixel_bisection"]
    pairs: Pairs
    tolerance: float = Field(gt=0, lt=0.5)

    def needs_gan(self) -> bool:
        """No."""
        return False


def create_pipeline(settings: Settings) -> Pipeline:
    """One node."""
    return Pipeline([Node(keep_sampler, "params:generator", "sampler", name="keep_sampler")])


@dataclass(frozen=True, kw_only=True)
class BlendSampler(Sampler):
    """Blends of the real training images.

    Attributes:
        settings: How to search.
    """

    settings: Settings

    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
    ) -> Parts:
        """Blends on the boundary."""
        return blend(
            real,
            classifier,
            self.settings,
            images=images,
            device=run.torch_device(),
            random=run.generator("pixel bisection"),
        )


def keep_sampler(settings: Settings) -> BlendSampler:
    """The settings: all else is there already."""
    return BlendSampler(settings=settings)


def blend(
    real: LabelledImages,
    classifier: nn.Module,
    settings: Settings,
    *,
    images: int,
    device: torch.device,
    random: torch.Generator,
) -> Parts:
    """Blends of two real images of either class, both correctly classified, on the boundary.

    Args:
        real: Images in [-1, 1] with labels 0 and 1.
        classifier: The model under test: images (N, C, H, W) to logits (N,).
        settings: How to search.
        images: How many to find.
        device: Where to compute.
        random: Draws pairs.

    Yields:
        Parts with ``images`` and ``probabilities``.

    Returns:
        A note: why there are fewer images than wished for; empty if there are not.
    """
    classifier = classifier.to(device).eval()

    def logits_of(batch: Tensor) -> Tensor:
        return in_batches(classifier, batch, device=device)

    labels, logits = real["labels"], logits_of(real["images"])
    below, above = (labels == 0) & (logits < 0), (labels == 1) & (logits > 0)
    if not below.any() or not above.any():
        yield {"images": real["images"][:0], "probabilities": logits[:0]}
        return "the model gets no real image of one class right, so there is nothing to blend"
    sides = real["images"][below], real["images"][above]
    all_rows = pair_up(*sides, images, settings.pairs, "euclidean", random)
    start, count = 0, 0
    for size in part_sizes(len(all_rows[0])):
        rows = tuple(side_rows[start : start + size] for side_rows in all_rows)
        start += size
        first, last = sides[0][rows[0]], sides[1][rows[1]]
        crossings = find_crossings(
            lambda shares, asked, first=first, last=last: logits_of(  # type: ignore[misc]
                _blended(first[asked], last[asked], shares)
            ),
            logits[below][rows[0]],
            logits[above][rows[1]],
            torch.full((size,), 0.5),
            settings.tolerance,
        )
        found = _blended(first, last, crossings.shares)[crossings.found]
        found = found[is_distinct(found)]
        count += len(found)
        yield {"images": found, "probabilities": predict(classifier, found, device)}
    if count == images:
        return ""
    return (
        f"{len(all_rows[0])} pairs of real images gave {count} blends on the boundary that differ, "
        f"and {images} were wished for"
    )


def _blended(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    weight = shares.to(first.dtype)[:, None, None, None]
    return torch.lerp(first, last, weight)
