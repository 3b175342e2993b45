"""Samplers: generators that are ready to make images, for the stage and for later ones."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from borderline import records
from borderline.boundary import Boundary
from borderline.datasets.storable import storable
from borderline.params import RunParams
from borderline.records import LabelledImages, Part, take_rows

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

Parts = Generator[Part, None, str]
"""Yields parts; returns a note for readers of the results, empty if there is nothing to note."""

# A generator that rarely reaches the boundary makes at most so many times the wanted images.
_MOST_IN_VAIN = 50
_FEWEST_MADE = 256
_FEWEST_ENOUGH = 15_000
_TIMED_IMAGES = 16
PART_SIZE = 5000
"""Images in a part: a run of millions needs only the memory of one part."""


@dataclass
class Evaluations:
    """The network passes of a decoder so far."""

    count: int = 0


@contextmanager
def counted_evaluations(decoder: nn.Module | None) -> Iterator[Evaluations]:
    """Count the passes of a decoder, of whoever calls it, up to the end of the context."""
    from borderline.measures.inference import passes_per_image

    evaluations = Evaluations()
    if decoder is None:
        yield evaluations
        return
    passes = passes_per_image(decoder)

    def count(_module: nn.Module, inputs: tuple[Tensor, ...], _images: Tensor) -> None:
        evaluations.count += passes * len(inputs[0])

    with decoder.register_forward_hook(count):
        yield evaluations


@dataclass(frozen=True, kw_only=True)
class Sampler(ABC):
    """A generator of a model under test, ready to make images.

    Attributes:
        seconds: Duration of the work before the sampling.
        note: A note about that work for readers of its results; empty if there is none.
    """

    seconds: float = 0.0
    note: str = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        storable()(cls)

    @abstractmethod
    def sample(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
    ) -> Parts:
        """Make this number of images, or fewer and a note that says why.

        ``classifier`` is the model under test: images (N, C, H, W) to logits (N,). ``real`` are the
        training images of the pair. Another seed of ``run`` makes other images. The boundary is
        where the model's p is the ``threshold``.
        """

    @property
    def decoder(self) -> nn.Module | None:
        """Latent vectors (N, Z) to images (N, C, H, W); None where the images have no latents."""
        return None

    def encode(self, images: Tensor, judge: nn.Module, run: RunParams) -> Tensor:
        """Latents (N, Z) whose images are near these, (N, C, H, W); only with a ``decoder``.

        See :func:`borderline.encoding.encode`.
        """
        from borderline.encoding import encode

        assert self.decoder is not None, "the caller has checked it"
        return encode(self.decoder, images, judge, run)

    def expected_evaluations(self, images: int) -> int:
        """About how many passes of the decoder this number of images takes."""
        from borderline.measures.inference import passes_per_image

        return 0 if self.decoder is None else images * passes_per_image(self.decoder)


@dataclass(frozen=True, kw_only=True)
class GanSampler(Sampler):
    """Images of latent vectors from a normal distribution, wherever they fall.

    Attributes:
        generator: Latent vectors (N, ``latent_dim``) to images (N, C, H, W) in [-1, 1].
    """

    generator: nn.Module

    def sample(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
    ) -> Parts:
        """See :class:`Sampler`."""
        import torch

        device, random = run.torch_device(), run.generator("generated images")
        generator = self.generator.to(device).eval()
        for size in part_sizes(images):
            latents = torch.randn(size, int(generator.latent_dim), generator=random)  # type: ignore[arg-type]
            yield make_part(generator, classifier, latents, device)
        return ""

    @property
    def decoder(self) -> nn.Module:
        """The generator."""
        return self.generator


def log_duration(sampler: Sampler, images: int, run: RunParams) -> None:
    """Log how long the images take, measured on a batch, where the decoder takes several passes."""
    import torch

    from borderline.measures.inference import passes_per_image

    decoder = sampler.decoder
    if decoder is None or passes_per_image(decoder) == 1:
        return
    device = run.torch_device()
    latents = torch.zeros(_TIMED_IMAGES, int(decoder.latent_dim), device=device)  # type: ignore[arg-type]
    started = time.perf_counter()
    with torch.inference_mode():
        # On the CPU the images are finished, and so is the work of an accelerator.
        decoder.to(device).eval()(latents).cpu()
    seconds = (time.perf_counter() - started) / _TIMED_IMAGES / passes_per_image(decoder)
    passes = sampler.expected_evaluations(images)
    logger.info(
        "Up to %d images take about %d passes of the decoder (%d an image), so about %s.",
        images,
        passes,
        passes_per_image(decoder),
        timedelta(seconds=round(passes * seconds)),
    )


def sample_within_pair(
    sampler: Sampler,
    classifier: nn.Module,
    real: LabelledImages,
    images: int,
    run: RunParams,
    threshold: float,
) -> Parts:
    """The parts of :meth:`Sampler.sample` without images that lie in classes beside the pair.

    Only a model of more than two classes can recognise them: its ``most_other_mass`` bounds their
    probability on other classes. The note counts the images that are left out.
    """
    from borderline.measures.inference import most_other_mass, other_mass

    parts = sampler.sample(classifier, real, images, run, threshold)
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
        yield {**take_rows(part, within), "other_mass": other[within]}
    left_out = (
        f"{made - kept} of {made} images were left out: the model puts more than {most:g} of their "
        f"probability on classes beside the pair (on average {total / max(made, 1):.2f})"
    )
    return "; ".join(text for text in (note, left_out if made > kept else "") if text)


def part_sizes(images: int) -> Iterator[int]:
    """The sizes of the parts that together hold a number of images."""
    for start in range(0, images, PART_SIZE):
        yield min(PART_SIZE, images - start)


def make_part(
    generator: nn.Module, classifier: nn.Module, latents: Tensor, device: torch.device
) -> Part:
    """The images of latent vectors (N, Z) with the model's p."""
    from borderline.measures.inference import in_batches, predict

    images = in_batches(generator, latents, device=device)
    return {
        "images": images,
        "latents": latents,
        "probabilities": predict(classifier, images, device),
    }


def chosen_generator(leaderboard: DataFrame) -> str:
    """The name of the chosen generator."""
    return str(leaderboard["source"][leaderboard["chosen"]].iloc[0])


def first_borderline(parts: records.Parts, boundary: Boundary, most: int) -> Part:
    """At most ``most`` borderline images; the images of a generator come in no order."""
    import torch

    from borderline.measures.confusion import is_borderline

    kept: list[Part] = []
    for name in sorted(parts):
        part = parts[name]()
        kept.append(take_rows(part, is_borderline(part["probabilities"], boundary)))
        if sum(len(part["images"]) for part in kept) >= most:
            break
    joined = {name: torch.cat([part[name] for part in kept]) for name in kept[0]}  # type: ignore[literal-required]
    return take_rows(cast(Part, joined), slice(most))


def generate_borderline(
    sampler: Sampler,
    classifier: nn.Module,
    real: LabelledImages,
    boundary: Boundary,
    count: int,
    run: RunParams,
) -> Part:
    """Borderline images of a generator; fewer than ``count`` where it does not make so many."""
    import numpy as np
    import torch

    from borderline.measures.confusion import is_borderline

    # Generators that only combine real images get others, too.
    total = len(real["labels"])
    drawn = torch.randint(total, (total,), generator=run.generator("real images again")).unique()
    real = take_rows(real, drawn)
    inputs, threshold = (sampler, classifier, real), boundary["threshold"]
    images, p = real["images"][:0], torch.zeros(0)
    made, round_, wanted = 0, 0, max(count, _FEWEST_MADE)
    while len(images) < count and made < max(_MOST_IN_VAIN * count, _FEWEST_ENOUGH):
        again = run.model_copy(update={"seed": run.seed_for("generated again", round_)})
        before, received = len(images), 0
        for part in sample_within_pair(*inputs, wanted, again, threshold):
            received += len(part["images"])
            rows = is_borderline(part["probabilities"], boundary)
            images = torch.cat([images, part["images"][rows]])
            p = torch.cat([p, part["probabilities"][rows]])
        # The first of equal images stays, and so does their order.
        _, first = np.unique(images.flatten(1).numpy(), axis=0, return_index=True)
        distinct = torch.from_numpy(np.sort(first))
        images, p = images[distinct], p[distinct]
        made, round_ = made + wanted, round_ + 1
        if len(images) == before and received < wanted:
            # The generator is exhausted.
            break
        rate = max(len(images) / made, 1 / _MOST_IN_VAIN)
        wanted = max(int((count - len(images)) / rate), _FEWEST_MADE)
    return {"images": images[:count], "probabilities": p[:count]}
