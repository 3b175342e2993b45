"""The decisions of people on single borderline images, from their answers in the rating."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

Decision = Literal["positive", "negative", "neither", "ambiguous"]
_ANSWERS = ("positive", "negative", "neither", "cannot_tell")


def decisions(human_labels: Mapping[str, Any], made_for: str) -> Callable[[int], Decision | None]:
    """A function that gives the decision of people on a borderline image, by its row.

    It is the answer that most people gave, ``ambiguous`` for a tie or where most cannot tell, and
    None for an image that nobody rated.

    Args:
        human_labels: ``made_for``, the fingerprint of the rated patterns, and ``answers``, the
            number of people by answer, by row; empty where nobody rated.
        made_for: The fingerprint of the present patterns. Answers about others do not count.
    """
    fits = human_labels.get("made_for") == made_for
    answers = human_labels.get("answers", {}) if fits else {}

    def label_of(row: int) -> Decision | None:
        given = answers.get(str(row)) or {}
        counts = {answer: int(given.get(answer, 0)) for answer in _ANSWERS}
        most = max(counts.values())
        if most == 0:
            return None
        first = [answer for answer, count in counts.items() if count == most]
        if len(first) > 1 or first[0] == "cannot_tell":
            return "ambiguous"
        return first[0]  # type: ignore[return-value]

    return label_of
