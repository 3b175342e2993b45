"""The pools that the arms of a repair take their images from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from borderline.boundary import Boundary
from borderline.measures.confusion import confusion_distance
from borderline.measures.inference import embed, in_batches, predict
from borderline.measures.leaks import numbers_of_pixels
from borderline.params import RunParams
from borderline.pipelines.repair.labels import HARD, NEVER, SOFT, labels_of
from borderline.pipelines.repair.params import RepairParams
from borderline.records import Clusters, FreshImages, LabelledImages, Prototypes, RepairImages
from borderline.sampling import Sampler, generate_borderline

Judging = Callable[[Tensor], pd.DataFrame]
"""Images (n, C, H, W) to the table of their verdicts."""

_AT_A_TIME = 2000
# Where the committee is rarely sure, so many images are judged for each wanted one.
_MOST_FOR_EACH = 50


class Judged(NamedTuple):
    """Images (n, C, H, W) with the table of ``labels_of``, a row an image."""

    images: Tensor
    labels: pd.DataFrame

    def rows(self, *kinds: str) -> Tensor:
        """The rows of the images with these kinds of label, int64 (m,)."""
        return torch.from_numpy(np.flatnonzero(self.labels["label_kind"].isin(kinds)))

    def targets(self, rows: Tensor, column: str = "target") -> Tensor:
        """The probabilities of the positive class to train towards, float32 (m,)."""
        values = self.labels[column].to_numpy(dtype=np.float32)
        return torch.from_numpy(values)[rows]

    def and_more(self, images: Tensor, labels: pd.DataFrame) -> Judged:
        """These and other images."""
        joined = pd.concat([self.labels, labels], ignore_index=True)
        return Judged(torch.cat([self.images, images]), joined)


class Source(NamedTuple):
    """A model and a generator, with what generating borderline images of it takes.

    Attributes:
        sampler: The chosen generator.
        classifier: The model under test.
        real: The training images of the pair.
        boundary: The decision boundary of the model.
        judging: Gives the verdicts on images.
        run: Seed and device.
    """

    sampler: Sampler
    classifier: nn.Module
    real: LabelledImages
    boundary: Boundary
    judging: Judging
    run: RunParams

    def borderline(self, purpose: str, turn: int, count: int) -> Tensor:
        """Borderline images (n, C, H, W); other ones for another purpose or turn."""
        run = self.run.model_copy(update={"seed": self.run.seed_for("repair", purpose, turn)})
        made = self.sampler, self.classifier, self.real, self.boundary
        return generate_borderline(*made, count, run)["images"]

    def decoded(self, purpose: str, turn: int, count: int) -> Tensor:
        """Images of normal latents, wherever they fall; none where there are no latents."""
        decoder = self.sampler.decoder
        if decoder is None:
            return self.real["images"][:0]
        device, random = self.run.torch_device(), self.run.generator("repair", purpose, turn)
        latents = torch.randn(count, int(decoder.latent_dim), generator=random)  # type: ignore[arg-type]
        return in_batches(decoder.to(device).eval(), latents, device=device)


def enough(
    first: Judged,
    draw: Callable[[int, int], Tensor],
    judging: Judging,
    wanted: int,
    kinds: tuple[str, ...],
) -> Judged:
    """Judged images with the wanted number of labels, as far as ``_MOST_FOR_EACH`` give them.

    Images that are there already do not count again. The search also ends where a turn brings no
    other image, and where none of ``_AT_A_TIME`` images has a label.

    Args:
        first: The images that are there already.
        draw: Gives more images; takes the number of the turn and of images.
        judging: Gives the verdicts.
        wanted: The number of images with a label.
        kinds: The kinds of label that count.
    """
    judged, made, turn = first, 0, 0
    while (missing := wanted - len(judged.rows(*kinds))) > 0 and made < _MOST_FOR_EACH * wanted:
        # Before any image is judged, half of them are expected to have a label.
        rate = (len(judged.rows(*kinds)) + 1) / (len(judged.images) + 2)
        count = min(_AT_A_TIME, max(64, int(1.2 * missing / rate)))
        images = draw(turn, count)
        images = images[_new(images, judged.images)]
        if len(images) == 0:
            break
        judged = judged.and_more(images, labels_of(judging(images)))
        made, turn = made + count, turn + 1
        if made >= _AT_A_TIME and len(judged.rows(*kinds)) == 0:
            break
    return judged


def _new(images: Tensor, known: Tensor) -> Tensor:
    """The rows of images with pixels that no known image has; of equal images only the first."""
    _, first = np.unique(numbers_of_pixels(known, images), return_index=True)
    return torch.from_numpy(np.sort(first[first >= len(known)]) - len(known))


def kinds_of(repair: RepairParams) -> tuple[str, ...]:
    """The kinds of label that train in all arms but ``soft``."""
    return (HARD,) if repair.ambiguous == "leave_out" else (HARD, SOFT)


def both_sets(first: Judged, source: Source, repair: RepairParams) -> tuple[Judged, Judged]:
    """Borderline images, and images made without a search, each with enough labels.

    The first ones are the borderline images of the run; more are generated where too few of them
    have a label. For the arm ``prototypes`` there are twice as many as an arm adds, because
    otherwise it would add the same images as ``boundary``.
    """
    wanted, kinds = repair.images, kinds_of(repair)
    of_near = 2 * wanted if "prototypes" in repair.arms else wanted
    more, decoded = (partial(draw, "added") for draw in (source.borderline, source.decoded))
    near = enough(first, more, source.judging, of_near, kinds)
    return near, enough(nobody(first.images), decoded, source.judging, wanted, kinds)


def new_borderline(source: Source, wanted: int) -> Judged:
    """Borderline images with other latents than any of :func:`both_sets`."""
    draw = partial(source.borderline, "fresh")
    return enough(nobody(source.real["images"]), draw, source.judging, wanted, (HARD,))


def nobody(like: Tensor) -> Judged:
    """No images, of the shape of others."""
    empty = pd.DataFrame(columns=["positive", "negative", "verdict"], dtype=float)
    return Judged(like[:0], labels_of(empty))


def pools(
    borderline: Judged,
    random: Judged,
    prototypes: Tensor,
    reserve: LabelledImages,
    reserve_p: Tensor,
    source: Source,
    kinds: tuple[str, ...],
) -> RepairImages:
    """The images of each arm and their targets; see ``RepairParams.arms``.

    Args:
        borderline: Borderline images of the model.
        random: Images of the same generator that were made without a search.
        prototypes: The images of the prototypes, (K, C, H, W).
        reserve: Real images that no training and no choice sees, M of them.
        reserve_p: p of these, (M,).
        source: The model and its generator.
        kinds: The kinds of label that train in all arms but ``soft``.
    """
    rows, of_random = borderline.rows(*kinds), random.rows(*kinds)
    near = rows[_nearest_in_turn(borderline.images[rows], prototypes, source)]
    both = torch.from_numpy(np.flatnonzero(borderline.labels["label_kind"] != NEVER))
    uncertain = confusion_distance(reserve_p, source.boundary).argsort(stable=True)
    return {
        "boundary.images": borderline.images[rows],
        "boundary.targets": borderline.targets(rows),
        "prototypes.images": borderline.images[near],
        "prototypes.targets": borderline.targets(near),
        "random.images": random.images[of_random],
        "random.targets": random.targets(of_random),
        "uncertain.images": reserve["images"][uncertain],
        "uncertain.targets": reserve["labels"][uncertain].float(),
        "soft.images": borderline.images[both],
        "soft.targets": borderline.targets(both, "mean"),
    }


def _nearest_in_turn(images: Tensor, prototypes: Tensor, source: Source) -> Tensor:
    """Places of images (n,): the nearest of each prototype, then the second nearest of each, ...

    Each image belongs to its nearest prototype in the model's embedding.
    """
    if len(prototypes) == 0 or len(images) == 0:
        return torch.zeros(0, dtype=torch.long)
    device = source.run.torch_device()
    points, centres = (embed(source.classifier, some, device) for some in (images, prototypes))
    nearest = torch.cdist(points, centres).min(1)
    table = pd.DataFrame({"prototype": nearest.indices.numpy(), "distance": nearest.values.numpy()})
    table["turn"] = table.groupby("prototype")["distance"].rank(method="first")
    order = table.sort_values(["turn", "prototype"], kind="stable").index.to_numpy()
    return torch.from_numpy(order.copy())


def patterns_by_cluster(clusters: Clusters, prototypes: Prototypes) -> dict[int, int]:
    """The number of the first prototype of each cluster, by the number of the cluster.

    A prototype may be noise, which is no cluster.
    """
    of_prototypes = clusters["labels"][prototypes["rows"]].tolist()
    numbers = {cluster: number for number, cluster in reversed(list(enumerate(of_prototypes)))}
    return {cluster: number for cluster, number in numbers.items() if cluster >= 0}


def fresh_images(
    judged: Judged,
    known: Tensor,
    most: int,
    patterns_of: Callable[[Tensor], Tensor],
    source: Source,
) -> FreshImages:
    """The judged images with a hard label, without those that are among the known ones.

    Args:
        judged: Newly generated borderline images.
        known: Images that a training may see, (N, C, H, W).
        most: The largest number of images.
        patterns_of: Embeddings (n, D) to the numbers of their patterns (n,), -1 for none.
        source: The model and its generator.
    """
    rows = judged.rows(HARD)
    rows = rows[_new(judged.images[rows], known)][:most]
    images, device = judged.images[rows], source.run.torch_device()
    # Not every network takes an empty batch.
    patterns, p = torch.zeros(0, dtype=torch.long), torch.zeros(0)
    if len(images):
        patterns = patterns_of(embed(source.classifier, images, device))
        p = predict(source.classifier, images, device)
    return {
        "images": images,
        "labels": judged.targets(rows).long(),
        "patterns": patterns,
        "probabilities": p,
        "generated": torch.tensor([len(judged.images)]),
    }
