"""Finds the size of a model's images where its file declares none: tries the usual ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from borderline.errors import BorderlineError
from borderline.imported.choices import Ask, Question, described
from borderline.imported.contracts import IMAGES, Fit, Material, Trial, outputs_for
from borderline.imported.evidence import difference
from borderline.imported.probe import trial_images

SIZES = (32, 64, 128, 224)
"""The usual sides of the images of trainings, in pixels."""
_IMAGES = 128  # the number of trial images: those of 224 pixels take long


def has_open_size(material: Material, fit: Fit) -> bool:
    """Whether neither the file nor the contract names a size, so the images keep theirs."""
    return "size" not in fit.trial.contract and "size" not in material.network.declared()


def choose_size(material: Material, fit: Fit, ask: Ask) -> Fit:
    """Ask about the size of a model's images where a usual one fits better than theirs.

    Most convolutional networks take images of any size, and are weak for other sizes than that of
    their training.

    Args:
        fit: The chosen contract.
        ask: Asks where the log-likelihood and the accuracy are higher with resized images.
    """
    if not has_open_size(material, fit):
        return fit
    here = _fit(material, fit, None, _IMAGES)
    better = [
        (size, other)
        for size, other in _others(material, fit)
        if other.right > here.right and difference(other.likelihoods, here.likelihoods).is_clear
    ]
    if not better:
        return fit
    size, best = max(better, key=lambda pair: float(pair[1].likelihoods.mean()))
    own = "x".join(map(str, material.real["images"].shape[2:]))
    question = Question(
        f"The model fits resized images better than those of {own} pixels:",
        [described(best), described(here)],
        f"--input-size is missing, but the model fits images resized to {_shown(size)} pixels "
        f"better than those of {own} ({best.right} and {here.right} of {here.images} correct): "
        "name the size of its training images with --input-size, such as --input-size "
        f"{','.join(map(str, dict.fromkeys(size)))}.",
    )
    if ask(question) == 1:
        return fit
    return _fit(material, fit, size, IMAGES)


def _others(material: Material, fit: Fit) -> Iterator[tuple[tuple[int, int], Fit]]:
    height, width = material.real["images"].shape[2:]
    squares = [(side, side) for side in SIZES]
    # The usual sizes of crops of text lines and the like keep the proportions.
    alike = [
        (round(side * height / min(height, width)), round(side * width / min(height, width)))
        for side in SIZES
    ]
    for size in dict.fromkeys((*squares, *alike)):
        if size != (height, width):
            # An error is that of a network of one size only.
            with suppress(BorderlineError):
                yield size, _fit(material, fit, size, _IMAGES)


def _fit(material: Material, fit: Fit, size: tuple[int, int] | None, most: int) -> Fit:
    images, labels = trial_images(material.real, most)
    name, contract = fit.name, fit.trial.contract
    if size is not None:
        name, contract = (
            f"{name}, resized to {_shown(size)}",
            {**contract, "size": size[0] if size[0] == size[1] else list(size), "fit": True},
        )
    outputs = outputs_for(material, contract, images)
    return fit._replace(trial=Trial(name, contract, outputs, labels, material.threshold))


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
