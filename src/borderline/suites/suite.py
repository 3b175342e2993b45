"""A suite: borderline images with their labels, and the origin of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from borderline.boundary import Boundary, Scale
from borderline.params import Params

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
"""The version of the format of the folder."""

Label = Literal[0, 1]
Probability = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=10_000)]


class Item(Params):
    """An image of a suite, and what was found about it.

    Attributes:
        digest: The fingerprint of its pixels, :func:`digest_of_image`.
        verdict: ``weakness`` for an image with a label, ``ambiguous`` for one without.
        label: 1 for the positive class, 0 for the negative one, None where nobody can tell.
        label_source: Who decided: ``committee`` or ``people``. Without a label it is ``people``
            where they cannot tell, and None where the committee is split.
        committee_p: The committee's probability of the positive class among the two classes; None
            without a committee.
        pattern: The number of its pattern in the report of ``model``; None for none.
        words: The words about its pattern; empty for none.
        model: The former model, whose borderline image it is.
        p: Its probability of the positive class.
        threshold: Its decision threshold; an image is positive when p is above it.
        band: Its largest confusion distance of a borderline image.
        scale: The scale of its confusion distances; see ``Boundary``.
        overruled: Whether people decided, and the committee had another opinion or none. None
            where people did not decide, and in suites of earlier versions.
        run: The place of its run in ``About.made_with``, from 0. None in a suite of one run, and
            in merged suites of earlier versions; see ``About.run_of``.
    """

    digest: Sha256
    verdict: Literal["weakness", "ambiguous"]
    label: Label | None
    label_source: Literal["committee", "people"] | None
    committee_p: Probability | None
    pattern: Annotated[int, Field(ge=0)] | None
    words: Text
    model: Annotated[str, Field(min_length=1, max_length=200)]
    p: Probability
    threshold: float = Field(gt=0, lt=1)
    band: float = Field(gt=0)
    scale: Scale
    # Files leave out the default values, so that those of earlier versions keep their digests.
    overruled: bool | None = None
    run: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _has_a_label_if_it_is_a_weakness(self) -> Self:
        if (self.verdict == "weakness") != (self.label is not None):
            raise ValueError("an image with the verdict 'weakness', and no other, has a label")
        if self.label is not None and self.label_source is None:
            raise ValueError("label_source is missing, but the image has a label")
        if self.label is None and self.label_source == "committee":
            raise ValueError("label_source is 'committee', but the image has no label")
        if self.overruled is not None and not self.is_of_people:
            raise ValueError("only an image that people decided on can have overruled")
        return self

    @property
    def is_of_people(self) -> bool:
        """Whether people decided on the label, or that nobody can tell."""
        return self.label_source == "people"

    @property
    def boundary(self) -> Boundary:
        """The decision boundary of the former model."""
        return {
            "threshold": self.threshold,
            "band": self.band,
            "scale": self.scale,
            "rule": "",
        }


class MadeWith(Params):
    """The run that found images of a suite.

    Attributes:
        model: The model whose findings these are.
        borderline: The version of Borderline.
        generator: The generator that made the images.
        recipe: The recipe of the clustering; empty where there are no clusters.
        seed: The seed of the run.
        settings: The fingerprint of all its settings, 16 hexadecimal digits.
        license: The license of the images, as model hubs name it; None where none was set.
        left_out: The numbers of borderline images that are not in the suite of this run, by the
            reason. A merged suite can hold some of them, from another suite.
    """

    model: Text
    borderline: Text
    generator: Text
    recipe: Text
    seed: int = Field(ge=0)
    settings: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    license: Text | None
    left_out: dict[Text, Annotated[int, Field(ge=0)]]

    @property
    def origin(self) -> tuple[str | int, ...]:
        """The same for suites of the same run, such as those before and after a rating."""
        return (
            *(self.model, self.borderline, self.generator),
            *(self.recipe, self.seed, self.settings),
        )


class Merged(Params):
    """A suite whose images are in another one: its digest, and its number of images."""

    digest: Sha256
    images: int = Field(ge=1)


class About(Params):
    """The images of a suite in general.

    Attributes:
        format: The version of the format, ``FORMAT``.
        dataset: The name of the images in paths.
        source: The name of the images on pages.
        positive: The name of the positive class.
        negative: The name of the negative class.
        shape: Channels, height and width.
        made_with: The runs that found the images.
        overruled: The number of images on which people decided, and the committee had another
            opinion or none. None where it is unknown, because merged suites of earlier versions
            have only their numbers.
        merged: The suites in it; empty for a suite of one model's findings.
    """

    format: Literal[1] = 1
    dataset: Text
    source: Text
    positive: Text
    negative: Text
    shape: tuple[
        Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]
    ]
    made_with: Annotated[tuple[MadeWith, ...], Field(min_length=1)]
    overruled: Annotated[int, Field(ge=0)] | None = 0
    merged: tuple[Merged, ...] = ()

    def run_of(self, item: Item) -> int | None:
        """The place of an item's run in ``made_with``.

        None where it is unknown: a merged suite of an earlier version, with two runs of the model.
        """
        if item.run is not None:
            return item.run
        if len(self.made_with) == 1:
            return 0
        places = [place for place, run in enumerate(self.made_with) if run.model == item.model]
        origins = {self.made_with[place].origin for place in places}
        return places[0] if len(origins) == 1 else None


@dataclass(frozen=True)
class Suite:
    """A suite of n images, at least one.

    Attributes:
        about: The images in general.
        items: What was found about each image, in the order of the images, n.
        images: float32 in [-1, 1], the bits that the former model saw, shape (n, C, H, W).
    """

    about: About
    items: tuple[Item, ...]
    images: Tensor

    def rows(self, verdict: str) -> list[int]:
        """The rows of the images with a verdict, ascending."""
        return [row for row, item in enumerate(self.items) if item.verdict == verdict]


def digest_of_image(image: Tensor) -> str:
    """The fingerprint of an image, float32 (C, H, W): the SHA-256 of its pixels' bits."""
    return hashlib.sha256(image.contiguous().numpy().astype("<f4").tobytes()).hexdigest()


def digests_of_images(images: Iterable[Tensor]) -> list[str]:
    """The fingerprint of each image."""
    return [digest_of_image(image) for image in images]
