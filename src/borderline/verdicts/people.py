"""The answers of people to single borderline images, as the rating counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from borderline.errors import BorderlineError

ANSWERS = ("positive", "negative", "neither", "cannot_tell")
"""The answers, in the order of their counts."""

_Row = Annotated[str, StringConstraints(pattern="^(0|[1-9][0-9]{0,17})$")]
_Count = Annotated[int, Field(ge=0, le=10**9)]


class _Counts(BaseModel, extra="forbid", strict=True):
    """The numbers of ``ANSWERS`` to an image."""

    positive: _Count
    negative: _Count
    neither: _Count
    cannot_tell: _Count


class _HumanLabels(BaseModel):
    """The answers by the row of the image, and the ``digest_of_patterns`` of its run."""

    made_for: str
    answers: dict[_Row, _Counts]


def answers_of(
    human_labels: Mapping[str, Any], human_verdicts: Mapping[str, Any], made_for: str, images: int
) -> dict[int, list[int]]:
    """The numbers of ``ANSWERS`` by the row of the borderline image; empty where nobody was asked.

    Args:
        human_labels: The answers by image, as the rating counts them.
        human_verdicts: The rating in JSON's types, which ratings of earlier versions have alone.
        made_for: The ``digest_of_patterns`` of the present images.
        images: The number of borderline images.

    Raises:
        BorderlineError: When people rated other images, or their answers have another form.
    """
    if not human_labels:
        if human_verdicts:
            raise BorderlineError(
                "People rated images of this model, but human_labels.json does not have their "
                "answers yet: run `kedro run --pipelines rating` again, or move "
                "human_verdicts.json away to use the labels of the committee alone."
            )
        return {}
    try:
        labels = _HumanLabels.model_validate(human_labels)
    except ValidationError as error:
        raise _strange() from error
    if labels.made_for != made_for:
        raise BorderlineError(
            "human_labels.json has the answers of people to other borderline images than those of "
            "this run: run `kedro run --pipelines rating` again, or move the file away to use the "
            "labels of the committee alone."
        )
    answers = {int(row): [*counts.model_dump().values()] for row, counts in labels.answers.items()}
    if any(row >= images or sum(counts) == 0 for row, counts in answers.items()):
        raise _strange()
    return answers


def answer_of_most(counts: Sequence[int]) -> str:
    """The most frequent of ``ANSWERS``; ``cannot_tell`` for a tie.

    Example:
        >>> answer_of_most([2, 1, 0, 0]), answer_of_most([1, 0, 1, 0])
        ('positive', 'cannot_tell')
    """
    first = [a for a, count in zip(ANSWERS, counts, strict=True) if count == max(counts)]
    return first[0] if len(first) == 1 else "cannot_tell"


def _strange() -> BorderlineError:
    return BorderlineError(
        "human_labels.json does not fit this run or this version of Borderline: write it again "
        "with `kedro run --pipelines rating`, or move it away to use the labels of the committee "
        "alone."
    )
