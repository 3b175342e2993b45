"""The images of a model's suite: which, with which labels, in which order."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic_core import to_jsonable_python

from borderline.errors import BorderlineError
from borderline.findings import VERDICTS, Findings, number_of
from borderline.records import Clusters, Part, Prototypes
from borderline.suites.suite import (
    About,
    Item,
    MadeWith,
    Suite,
    digest_of_image,
    digests_of_images,
)
from borderline.verdicts.people import answer_of_most
from borderline.verdicts.rule import AMBIGUOUS, MEMORISED, WEAKNESS

logger = logging.getLogger(__name__)

_NEITHER = "Neither class, as people see it"
_COPY = "Equal to another image"
_MORE = "More than suite.images"


class Found(NamedTuple):
    """The findings about a model: n borderline images with their verdicts and patterns."""

    model: str
    borderline: Part
    verdicts: pd.DataFrame
    clusters: Clusters
    prototypes: Prototypes
    findings: Findings


class _Decided(NamedTuple):
    """The decision on an image: its label and who gave it; ``reason`` is why it is left out."""

    label: Literal[0, 1] | None = None
    source: Literal["committee", "people"] | None = None
    reason: str = ""


def freeze(
    found: Found,
    answers: Mapping[int, Sequence[int]],
    images: int,
    dataset: str,
    generator: torch.Generator,
    **made_with: Any,
) -> Suite:
    """The suite of a model: its weaknesses and its ambiguous images.

    The patterns take turns, so that their parts are equal. Each gives its prototype first, then its
    other images in random order. Images of no pattern come last.

    Args:
        found: The findings about the model.
        answers: The answers of people by row; see ``people.answers_of``.
        images: The largest number of images.
        dataset: The name of the real images in paths.
        generator: For the random order.
        made_with: Fields of ``MadeWith`` that the findings do not have.

    Raises:
        BorderlineError: When no image can be in the suite.
    """
    committee = [_by_committee(row) for row in found.verdicts.to_dict("records")]
    decided = [_decide(by, answers.get(row)) for row, by in enumerate(committee)]
    patterns = patterns_of(found)
    rows, counts = _choose(found, decided, patterns, images, generator)
    if not rows:
        raise _empty(found, counts)
    left_out = dict(sorted(counts.items()))
    logger.info(
        "The suite of %s has %d images; left out: %s", found.model, len(rows), left_out or 0
    )
    chosen = found.borderline["images"][torch.tensor(rows)]
    items = tuple(
        _item(found, row, digest, decided[row], committee[row], int(patterns[row]))
        for row, digest in zip(rows, digests_of_images(chosen), strict=True)
    )
    about = About(
        dataset=dataset,
        source=found.findings.source,
        positive=found.findings.positive,
        negative=found.findings.negative,
        shape=tuple(chosen.shape[1:]),
        made_with=(
            MadeWith(
                model=found.model,
                generator=found.findings.generator,
                recipe=found.findings.recipe,
                left_out=left_out,
                **made_with,
            ),
        ),
        overruled=sum(item.overruled is True for item in items),
    )
    return Suite(about, items, chosen)


def digest_of_settings(parameters: Mapping[str, Any], groups: Iterable[str]) -> str:
    """The fingerprint of some groups of settings, 16 hexadecimal digits."""
    values = to_jsonable_python({name: parameters[name] for name in groups})
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def patterns_of(found: Found) -> np.ndarray:
    """The number of the pattern of each borderline image, int64 (n,); -1 for none."""
    labels = found.clusters["labels"].numpy()
    patterns = np.full(len(labels), -1)
    # Some selections take two prototypes of a cluster, whose images belong to the first one.
    for pattern in reversed(found.findings.patterns):
        if pattern.cluster >= 0:
            patterns[labels == pattern.cluster] = pattern.prototype
        else:
            patterns[int(found.prototypes["rows"][pattern.prototype])] = pattern.prototype
    return patterns


def _by_committee(row: Mapping[Any, Any]) -> _Decided:
    verdict = row["verdict"]
    if verdict == WEAKNESS:
        return _Decided(1 if row["positive"] > row["negative"] else 0, "committee")
    return _Decided() if verdict == AMBIGUOUS else _Decided(reason=VERDICTS[verdict])


def _decide(committee: _Decided, counts: Sequence[int] | None) -> _Decided:
    """The decision of people, if they answered; they cannot see that an image is a copy."""
    if counts is None or committee.reason == VERDICTS[MEMORISED]:
        return committee
    answer = answer_of_most(counts)
    if answer == "neither":
        return _Decided(reason=_NEITHER)
    if answer == "cannot_tell":
        return _Decided(None, "people")
    return _Decided(1 if answer == "positive" else 0, "people")


def _choose(
    found: Found,
    decided: list[_Decided],
    patterns: np.ndarray,
    images: int,
    generator: torch.Generator,
) -> tuple[list[int], Counter[str]]:
    """The rows of the images of the suite in their order, and the numbers of others by reason."""
    left_out = Counter(one.reason for one in decided if one.reason)
    prototypes = {int(row) for row in found.prototypes["rows"]}
    order = torch.randperm(len(decided), generator=generator).tolist()
    order.sort(key=lambda row: row not in prototypes)
    seen: set[str] = set()
    turns: Counter[int] = Counter()
    places: dict[int, tuple[float, int]] = {}
    for row in (row for row in order if not decided[row].reason):
        digest = digest_of_image(found.borderline["images"][row])
        if digest in seen:
            left_out[_COPY] += 1
            continue
        seen.add(digest)
        pattern = int(patterns[row])
        turns[pattern] += 1
        places[row] = (turns[pattern] if pattern >= 0 else np.inf, pattern)
    rows = sorted(places, key=lambda row: places[row])
    if len(rows) > images:
        left_out[_MORE] = len(rows) - images
    return rows[:images], left_out


def _item(
    found: Found, row: int, digest: str, decided: _Decided, committee: _Decided, pattern: int
) -> Item:
    verdict = found.verdicts.iloc[row]
    q = [number_of(verdict[name]) for name in ("positive", "negative")]
    mass = sum(value for value in q if value is not None)
    words = {one.prototype: one.words for one in found.findings.patterns}
    boundary = found.findings.boundary
    return Item(
        digest=digest,
        verdict="ambiguous" if decided.label is None else "weakness",
        label=decided.label,
        label_source=decided.source,
        committee_p=q[0] / mass if q[0] is not None and mass > 0 else None,
        pattern=None if pattern < 0 else pattern,
        words=words.get(pattern, ""),
        model=found.model,
        p=float(found.borderline["probabilities"][row]),
        threshold=boundary["threshold"],
        band=boundary["band"],
        scale=boundary["scale"],
        overruled=_overruled(decided, committee),
    )


def _overruled(decided: _Decided, committee: _Decided) -> bool | None:
    """Whether people decided otherwise than the committee; None where they did not decide."""
    if decided.source != "people":
        return None
    return (decided.label, decided.reason) != (committee.label, committee.reason)


def _empty(found: Found, left_out: Counter[str]) -> BorderlineError:
    counted = ", ".join(f"{count} {reason.lower()}" for reason, count in sorted(left_out.items()))
    return BorderlineError(
        f"{found.model} has no suite, because none of its {len(found.verdicts):,} borderline images"
        f" has the verdict weakness or ambiguous ({counted}): run the stages again with better "
        "generators, a larger generation.images, or other limits in verdicts (docs/verdicts.md)."
    )
