"""The judges of realism and the names of their Fréchet distances."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from borderline.errors import BorderlineError

Judge = Literal["lenet", "classifier", "inception"]
Distance = Literal["fd_lenet", "fd_classifier", "fid"]
"""The Fréchet distance in the features of each judge; only Inception's is the FID."""

JUDGE_OF: dict[Distance, Judge] = {
    "fd_lenet": "lenet",
    "fd_classifier": "classifier",
    "fid": "inception",
}


Reference = Literal["pair", "all"]
"""The real training images that a distance compares with: the pair's, or those of all classes."""


def _lenet_once(judges: tuple[Judge, ...]) -> tuple[Judge, ...]:
    if "lenet" not in judges or len(set(judges)) < len(judges):
        raise ValueError("it must name 'lenet', and each judge once")
    return judges


Judges = Annotated[tuple[Judge, ...], AfterValidator(_lenet_once)]
"""A list of judges: the LeNet, and others."""


def check_more_than_features(
    judge: str, features: int, images: int, real: int | None = None
) -> None:
    """Make sure that a judge of epochs can measure its Fréchet distance.

    Args:
        judge: The name of the judge.
        features: The width of its embedding.
        images: The number of images of an epoch.
        real: The number of real images that it compares with; None if not known yet.

    Raises:
        BorderlineError: When one of the numbers is not more than the features.
    """
    for number, name, remedy in (
        (images, "latent vectors of the test noise", "raise generation.test_noise"),
        (real, "real training images", "choose a source with more images"),
    ):
        if number is not None and number <= features:
            raise BorderlineError(
                f"metrics.epoch_judges names {judge!r}, whose Fréchet distance needs more images "
                f"than its {features} features, but there are {number} {name}: {remedy}, or leave "
                f"{judge} out."
            )
