"""The files of answers that people download from the pages: what they hold, and which belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from borderline.errors import BorderlineError
from borderline.params import Params

ANSWERS = ("positive", "negative", "neither", "cannot_tell")
"""The possible answers, in the order of their keys."""


class Answer(Params):
    """An answer, and the seconds from the first sight of the image to it."""

    answer: Literal["positive", "negative", "neither", "cannot_tell"]
    seconds: float = Field(ge=0)


class AnswerFile(Params):
    """A file of answers.

    Attributes:
        format: The version of the format.
        page: The fingerprint of the page, ``items.fingerprint``.
        rater: The name or initials of the person.
        answers: By the opaque id of the item; those of a half-finished rating are fewer.
    """

    format: Literal[1]
    page: str
    rater: str = Field(max_length=60)
    answers: dict[str, Answer]


class Rater(NamedTuple):
    """The answers of a person, and the name of the file."""

    name: str
    file: str
    answers: dict[str, Answer]


def read_file(file: str, text: str) -> AnswerFile:
    """Read a file of answers.

    Raises:
        BorderlineError: When it is not one, or names no rater.
    """
    try:
        read = AnswerFile.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BorderlineError(
            f"The file of answers {file} cannot be read ({place + ': ' if place else ''}"
            f"{first['msg'][0].lower()}{first['msg'][1:]}): download it from the page again, or "
            "remove it."
        ) from error
    name = " ".join(read.rater.split())
    if not name:
        raise BorderlineError(
            f"The file of answers {file} names no rater: write a name or initials into its field "
            "'rater'."
        )
    return read.model_copy(update={"rater": name})


def raters_by_model(
    files: Mapping[str, str], pages: Mapping[str, str], ids: Mapping[str, Sequence[str]]
) -> dict[str, list[Rater]]:
    """The raters of each model, from the texts of their files.

    A second file of a rater that contains the first, as after a break, takes its place.

    Args:
        files: Texts by file name.
        pages: The fingerprint of each model's page.
        ids: The ids of each model's items.

    Raises:
        BorderlineError: When a file cannot be read, is of another page, has unknown items, or
            contradicts another one.
    """
    raters: dict[str, dict[str, Rater]] = {model: {} for model in pages}
    for file, text in files.items():
        read = read_file(file, text)
        model = next((model for model, page in pages.items() if page == read.page), None)
        if model is None:
            raise BorderlineError(
                f"The file of answers {file} is of another page ({read.page}) than those of this "
                f"run ({', '.join(pages.values())}): move it away, or go back to the results and "
                "the settings of rating that its page was made with."
            )
        unknown = sorted(set(read.answers) - set(ids[model]))
        if unknown:
            raise BorderlineError(
                f"The file of answers {file} has an answer to {unknown[0]!r}, which is no image of "
                f"the page of {model}: download the file from the page again, or remove it."
            )
        rater = Rater(read.rater, file, read.answers)
        former = raters[model].get(rater.name.casefold())
        raters[model][rater.name.casefold()] = rater if former is None else _longer(former, rater)
    for model, by_name in raters.items():
        _check_copies(model, list(by_name.values()))
    return {model: list(by_name.values()) for model, by_name in raters.items()}


def _longer(first: Rater, second: Rater) -> Rater:
    """Of two files of one rater, the one that contains the other."""
    for rater, other in ((first, second), (second, first)):
        if other.answers.items() <= rater.answers.items():
            return rater
    raise BorderlineError(
        f"The files of answers {first.file} and {second.file} both have the rater "
        f"{second.name!r}, with different answers: if they are two people, rename one in the field "
        "'rater' of the file; if not, remove the older file."
    )


def _check_copies(model: str, raters: Sequence[Rater]) -> None:
    """Make sure that no file is there twice with another name of the rater."""
    for place, rater in enumerate(raters):
        for other in raters[:place]:
            if rater.answers and rater.answers == other.answers:
                raise BorderlineError(
                    f"The files of answers {other.file} and {rater.file} hold the same answers to "
                    f"the page of {model} in the same times, by {other.name!r} and {rater.name!r}: "
                    "remove the copy."
                )
