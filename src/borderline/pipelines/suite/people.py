"""The decisions of people on single borderline images, from their answers in the rating."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal

from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

Decision = Literal["positive", "negative", "neither", "ambiguous"]
_ANSWERS: dict[str, Decision] = {
    "positive": "positive",
    "negative": "negative",
    "neither": "neither",
    "cannot_tell": "ambiguous",
}
"""The decision for each answer."""


def decisions(human_labels: Mapping[str, Any], made_for: str) -> Callable[[int], Decision | None]:
    """A function that gives the decision of people on a borderline image, by its row.

    It is the answer that most people gave, ``ambiguous`` for a tie or where most cannot tell, and
    None for an image that nobody rated.

    Args:
        human_labels: ``made_for``, the fingerprint of the rated patterns, and ``answers``, the
            number of people by answer, by row; empty where nobody rated.
        made_for: The fingerprint of the present patterns. Answers about others do not count.

    Raises:
        BorderlineError: When the answers have another form; also by the returned function.
    """
    if not human_labels:
        return lambda row: None
    if human_labels.get("made_for") != made_for:
        logger.warning("The answers of people are about other patterns, so they do not count.")
        return lambda row: None
    answers = human_labels.get("answers")
    if not isinstance(answers, Mapping):
        raise _strange()
    return lambda row: _decision(answers.get(str(row), {}))


def _decision(counts: Any) -> Decision | None:
    if not isinstance(counts, Mapping) or not _ANSWERS.keys() >= counts.keys():
        raise _strange()
    most = max(counts.values(), default=0)
    if most == 0:
        return None
    first = [answer for answer, count in counts.items() if count == most]
    return _ANSWERS[first[0]] if len(first) == 1 else "ambiguous"


def _strange() -> BorderlineError:
    return BorderlineError(
        "human_labels.json does not fit this version of Borderline: write it again with "
        "`kedro run --pipelines rating`."
    )
