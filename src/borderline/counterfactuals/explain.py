"""Real images and what would change the model's decision about them: the table, and the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from borderline.boundary import Boundary, uncentred
from borderline.committee import Committee
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.counterfactuals.search import Changed, change_latents, change_pixels
from borderline.encoding import Errors, limit_of
from borderline.findings import written
from borderline.measures.class_names import ClassNames
from borderline.measures.confusion import confusion_distance, is_borderline, is_positive
from borderline.measures.inference import beside_pair, embed, has_gradients, in_batches, predict
from borderline.measures.realism import Reference, is_realistic
from borderline.params import RunParams
from borderline.records import (
    Counterfactuals,
    LabelledImages,
    RealView,
    References,
    take_rows,
)
from borderline.sampling import Sampler

COLUMNS = (
    *("image", "class", "why", "p", "space", "encoding_error", "encoding_limit", "encoded"),
    *("reconstruction_l2", "reconstruction_features", "reconstruction_p", "reconstruction_flips"),
    *("boundary_p", "flipped_p", "latent", "latent_share", "pixel_l1", "pixel_l2", "change_l2"),
    *("features", "valid", "corrects", "realistic", "committee", "committee_agrees"),
    *("committee_flips", "note"),
)
ERROR, BORDERLINE, OWN = "error", "borderline", "own"
"""``why``: the model is wrong about the image, it is borderline, or it is an image of the user."""
NOT_OF_THE_PAIR = "not of the pair"
"""How a note on an image of the user begins that shows something else than the pair's classes."""
_CHANGED = ("reconstructions", "boundary", "flipped")
LATENTS, PIXELS = "latents", "pixels"
"""``space``: the change is the smallest one in latents, or a blend with another image."""


def are_blends(table: pd.DataFrame) -> bool:
    """Whether the changes in a table are blends: then no image has a reconstruction."""
    return bool((table["space"] == PIXELS).any())


class Surroundings(NamedTuple):
    """The results of a run that explanations of images rest on."""

    classifier: nn.Module
    sampler: Sampler
    judge: nn.Module
    committee: Committee
    train: LabelledImages
    test: LabelledImages
    view: RealView
    reference: References
    boundary: Boundary
    names: ClassNames


class Asked(NamedTuple):
    """M images that somebody asks about.

    Attributes:
        images: In [-1, 1], (M, C, H, W).
        names: The row or the file of each.
        labels: Their classes, int64 (M,); None where they are not known.
        why: One of ``ERROR``, ``BORDERLINE`` and ``OWN`` for each.
        p: The model's p, (M,).
    """

    images: Tensor
    names: Sequence[str]
    labels: Tensor | None
    why: Sequence[str]
    p: Tensor


def choose_test_images(test: LabelledImages, p: Tensor, boundary: Boundary, most: int) -> Asked:
    """The errors, the most confident one first, then the borderline images nearest to the boundary.

    Args:
        test: The real test images of the pair.
        p: Their p, (M,).
        boundary: The boundary of the model.
        most: Most images.
    """
    nearest = confusion_distance(p, boundary).argsort(stable=True)
    wrong = is_positive(p, boundary).long() != test["labels"]
    borderline = is_borderline(p, boundary) & ~wrong
    farthest = nearest.flip(0)
    errors = farthest[wrong[farthest]]
    rows = torch.cat([errors, nearest[borderline[nearest]]])[:most]
    chosen = take_rows(test, rows)
    why = [ERROR if wrong[row] else BORDERLINE for row in rows]
    return Asked(chosen["images"], [str(r) for r in rows.tolist()], chosen["labels"], why, p[rows])


def explain_images(
    asked: Asked, given: Surroundings, settings: CounterfactualsParams, run: RunParams
) -> tuple[Counterfactuals, pd.DataFrame]:
    """Find the boundary and the other decision near each image.

    In the latents of the generator, if it has latents and the model has gradients; else by blends
    with the nearest real image that the model decides otherwise about.

    Returns:
        The images of those rows of the table that have a change, and the table with a row an image
        by ``COLUMNS``. docs/counterfactuals.md describes the columns.
    """
    table = pd.DataFrame(index=range(len(asked.images)), columns=list(COLUMNS), dtype=object)
    table["image"], table["why"], table["note"] = list(asked.names), list(asked.why), ""
    table["p"] = asked.p.double().numpy()
    if asked.labels is not None:
        table["class"] = [given.names[label] for label in asked.labels.tolist()]
    if len(asked.images) == 0:
        return _none(asked.images), table
    in_latents = given.sampler.decoder is not None and has_gradients(given.classifier)
    find = _in_latents if in_latents else _in_pixels
    rows, changed, reconstructions = find(asked, given, settings, run, table)
    if changed is None:
        return _none(asked.images), table
    device = run.torch_device()
    beside = beside_pair(given.classifier, changed.flipped, device)
    kept = changed.reached & ~beside
    table.loc[rows[beside].numpy(), "note"] = "the change leads to a class beside the pair"
    table.loc[rows[~changed.reached].numpy(), "note"] = (
        "the search has found no change of the decision"
    )
    if not kept.any():
        return _none(asked.images), table
    found: Counterfactuals = {
        "rows": rows[kept],
        "images": asked.images[rows[kept]],
        "reconstructions": reconstructions[kept],
        "boundary": changed.boundary[kept],
        "flipped": changed.flipped[kept],
        "p": torch.zeros(0, 4),
    }
    of_changed = (predict(given.classifier, found[name], device) for name in _CHANGED)  # type: ignore[literal-required]
    # The p of the table, so that no image has two.
    found["p"] = torch.stack([asked.p[found["rows"]], *of_changed], dim=1)
    _measure(table, found, asked, given, run)
    return found, table


def _none(images: Tensor) -> Counterfactuals:
    """No images, in the shape of others (M, C, H, W)."""
    empty = images[:0]
    return {
        "rows": torch.zeros(0, dtype=torch.int64),
        "images": empty,
        "reconstructions": empty,
        "boundary": empty,
        "flipped": empty,
        "p": torch.zeros(0, 4),
    }


def _in_latents(
    asked: Asked,
    given: Surroundings,
    settings: CounterfactualsParams,
    run: RunParams,
    table: pd.DataFrame,
) -> tuple[Tensor, Changed | None, Tensor]:
    """The rows of images that can be encoded, their changes, and their reconstructions."""
    device, decoder = run.torch_device(), given.sampler.decoder
    assert decoder is not None
    latents, made, encoded = _encode(decoder, asked, given, settings, run, table)
    rows = encoded.nonzero()[:, 0]
    if len(rows) == 0:
        return rows, None, made[:0]
    goal = settings.flipped, given.boundary["threshold"], settings.steps, device
    changed = change_latents(decoder, given.classifier, latents[rows], *goal)
    # A search in vain has no change to measure.
    reached, lengths = rows[changed.reached].numpy(), changed.lengths[changed.reached].double()
    table.loc[reached, "latent"] = lengths.numpy()
    # The usual distance of two random latents.
    apart = (2 * latents[0].numel()) ** 0.5
    table.loc[reached, "latent_share"] = lengths.numpy() / apart
    return rows, changed, made[rows]


def _encode(
    decoder: nn.Module,
    asked: Asked,
    given: Surroundings,
    settings: CounterfactualsParams,
    run: RunParams,
    table: pd.DataFrame,
) -> tuple[Tensor, Tensor, Tensor]:
    """Latents and reconstructions of all images, and whether each can be encoded.

    A reconstruction must be as good as those of real test images, and the model must decide about
    it as about the image itself.
    """
    device, count = run.torch_device(), len(asked.images)
    order = torch.randperm(len(given.test["images"]), generator=run.generator("held out"))
    every = torch.cat([asked.images, given.test["images"][order[: settings.held_out]]])
    latents = given.sampler.encode(every, given.judge, run)
    made = in_batches(decoder.to(device).eval(), latents, device=device)
    of_all = Errors.of(every, made, given.judge, device)
    parts = slice(count), slice(count, None)
    errors, usual = (Errors(*(values[part] for values in of_all)) for part in parts)
    ratios, limit = errors.beside(usual).double().numpy(), limit_of(usual, settings.encoded)
    table["space"], table["encoding_error"], table["encoding_limit"] = LATENTS, ratios, limit
    table["encoded"] = encoded = ratios <= limit
    table["reconstruction_l2"] = errors.pixels.double().numpy()
    table["reconstruction_features"] = errors.features.double().numpy()
    again = predict(given.classifier, made[:count], device)
    table["reconstruction_p"] = again.double().numpy()
    flips = is_positive(again, given.boundary) != is_positive(asked.p, given.boundary)
    flips |= again.isnan()
    table["reconstruction_flips"] = flips.numpy()
    table.loc[flips.numpy(), "note"] = (
        "the model decides otherwise about the reconstruction than about the image itself"
    )
    table.loc[~encoded, "note"] = (
        "cannot be encoded: its reconstruction is worse than those of "
        f"{written('{:.0%}', settings.encoded)} of the real test images"
    )
    return latents[:count], made[:count], torch.from_numpy(encoded) & ~flips


def _in_pixels(
    asked: Asked,
    given: Surroundings,
    settings: CounterfactualsParams,
    run: RunParams,
    table: pd.DataFrame,
) -> tuple[Tensor, Changed | None, Tensor]:
    """The rows of images that can be blended with one of the other decision, and their changes."""
    table["space"], device = PIXELS, run.torch_device()
    threshold, train_p = given.boundary["threshold"], given.view["train_p"]
    ends = [uncentred(p, threshold) for p in (1 - settings.flipped, settings.flipped)]
    others = {True: train_p < ends[0], False: train_p > ends[1]}
    positive = is_positive(asked.p, given.boundary)
    vectors, real = embed(given.classifier, asked.images, device), given.view["train_embeddings"]
    towards = torch.full((len(asked.images),), -1)
    for side, allowed in others.items():
        here, there = (positive == side).nonzero()[:, 0], allowed.nonzero()[:, 0]
        if len(here) and len(there):
            search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(real[there].numpy())
            nearest = search.kneighbors(vectors[here].numpy(), return_distance=False)[:, 0]
            towards[here] = there[torch.from_numpy(nearest)]
    reason = "the generator has no latents" if given.sampler.decoder is None else "no gradients"
    table["note"] = f"a blend with a real image, not the smallest change ({reason})"
    table.loc[(towards < 0).numpy(), "note"] = "there is no real image of the other decision"
    rows = (towards >= 0).nonzero()[:, 0]
    if len(rows) == 0:
        return rows, None, asked.images[:0]
    ends_of_blends = given.train["images"][towards[rows]]
    goal = settings.flipped, threshold, device
    images = asked.images[rows]
    return rows, change_pixels(given.classifier, images, ends_of_blends, *goal), images


def _measure(
    table: pd.DataFrame,
    found: Counterfactuals,
    asked: Asked,
    given: Surroundings,
    run: RunParams,
) -> None:
    """Enter the distances, the validity, the realism and the opinion of the committee."""
    device, rows = run.torch_device(), found["rows"].numpy()
    images, flipped = found["images"], found["flipped"]

    def enter(**columns: Any) -> None:
        for name, values in columns.items():
            table.loc[rows, name] = np.asarray(values).astype(object)

    difference = (flipped - images).flatten(1).double()
    change = (flipped - found["reconstructions"]).flatten(1).double()
    features = embed(given.judge, flipped, device)
    apart = (features - embed(given.judge, images, device)).norm(dim=1)
    before, after = (is_positive(found["p"][:, column], given.boundary) for column in (0, 3))
    enter(
        boundary_p=found["p"][:, 2].double(),
        flipped_p=found["p"][:, 3].double(),
        pixel_l1=difference.abs().mean(1),
        pixel_l2=difference.square().mean(1).sqrt(),
        change_l2=change.square().mean(1).sqrt(),
        features=apart.double(),
        valid=before != after,
    )
    real = Reference.of_record(given.reference, "lenet")
    enter(realistic=is_realistic(features, real, given.reference["lenet.test_features"]))
    if asked.labels is not None:
        labels = asked.labels[found["rows"]]
        wrong = before.long() != labels
        corrected = zip((before != after).tolist(), wrong.tolist(), strict=True)
        enter(corrects=[valid if error else None for valid, error in corrected])
    if given.committee.members:
        was, now = (_says_positive(given.committee, part, device) for part in (images, flipped))
        enter(committee=[given.names[int(says)] for says in now])
        enter(committee_agrees=now == after, committee_flips=was != now)


def _says_positive(committee: Committee, images: Tensor, device: torch.device) -> Tensor:
    """Whether the committee finds the positive class more probable than the negative one, (n,)."""
    q = committee.opinion(images, device).probabilities
    return q[:, committee.positive] > q[:, committee.negative]
