"""Samplers: what makes a generator's images, and can make others whenever a later stage asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from borderline.measures.inference import in_batches, most_other_mass, other_mass, predict
from borderline.params import RunParams
from borderline.records import LabelledImages

Part = dict[str, Tensor]
"""``images`` (N, C, H, W) in [-1, 1], their ``probabilities`` (N,), ``latents`` (N, Z) if any.

Of a model of more than two classes also ``other_mass`` (N,), the probability beside the pair.
"""

Parts = Generator[Part, None, str]
"""Yields parts, and returns a note: what a reader of the results must know; empty if nothing."""

PART_SIZE = 5000
"""Images a part: a run of millions needs the memory of one."""


@dataclass(frozen=True, kw_only=True)
class Sampler(ABC):
    """A generator of a model under test, ready to make images.

    Attributes:
        seconds: What the work before it took.
        note: What a reader of its results must know of that work; empty if nothing.
    """

    seconds: float = 0.0
    note: str = ""

    @abstractmethod
    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
    ) -> Parts:
        """Make images.

        Args:
            classifier: The model under test: images (N, C, H, W) to logits (N,).
            real: The training images of the pair, labels 0 and 1.
            images: How many are wished for; there may be fewer, and the note says why.
            run: Device and seed; another seed makes others.
        """

    @property
    def decoder(self) -> nn.Module | None:
        """Latent vectors (N, Z) to images (N, C, H, W); None where the images have no latents."""
        return None


def sample_within_pair(
    sampler: Sampler, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
) -> Parts:
    """What :meth:`Sampler.sample` makes, without images that lie in other classes than the pair.

    They are told by a model of more than two classes, whose ``most_other_mass`` is the most of
    their probability that may be on others. The note says how many were left out.
    """
    parts = sampler.sample(classifier, real, images, run)
    most = most_other_mass(classifier)
    if most is None:
        return (yield from parts)
    made, kept, total = 0, 0, 0.0
    while True:
        try:
            part = next(parts)
        except StopIteration as end:
            note = str(end.value)
            break
        other = other_mass(classifier, part["images"], run.torch_device())
        within = other <= most
        made, total = made + len(other), total + float(other.sum())
        kept += int(within.sum())
        yield {**{name: own[within] for name, own in part.items()}, "other_mass": other[within]}
    left_out = (
        f"{made - kept} of {made} images were left out, for more than {most:g} of their "
        f"probability was on other classes than the pair (on average {total / max(made, 1):.2f})"
    )
    return "; ".join(said for said in (note, left_out if made > kept else "") if said)


def part_sizes(images: int) -> Iterator[int]:
    """The sizes of the parts that together hold a number of images."""
    for start in range(0, images, PART_SIZE):
        yield min(PART_SIZE, images - start)


def make_part(
    generator: nn.Module, classifier: nn.Module, latents: Tensor, device: torch.device
) -> Part:
    """Images of latent vectors (N, Z) with the model's opinion of them."""
    images = in_batches(generator, latents, device=device)
    return {
        "images": images,
        "latents": latents,
        "probabilities": predict(classifier, images, device),
    }
