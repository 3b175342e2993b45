"""One line on each pattern: what it is, and how far to trust it.

Trust in a pattern rests on four findings: resamples find the cluster again, all repeats find the
prototype again (its partner there closes at least half of the gap between the similarity of random
images and 1), real test images lie near it, and nothing puts the clustering in doubt. It is high
where all four hold, moderate where three do, and low otherwise. Trust in an exemplar of a continuum
rests on the second and the third.
"""

from __future__ import annotations

from typing import NamedTuple

from borderline.findings import Findings, Pattern, written

LEAST_STABILITY = 0.6
"""The least stability of a cluster to rely on, as by default in ``clustering.stability.least``."""

_LEVELS = ("high", "moderate", "low", "low", "low")


class Trust(NamedTuple):
    """The trust in a pattern: ``high``, ``moderate`` or ``low``, and the reasons in one line."""

    level: str
    line: str


def trust_in(pattern: Pattern, findings: Findings) -> Trust:
    """The trust in a pattern or an exemplar, from the findings about its model."""
    real = "real test images lie" if pattern.near else "no real test image lies"
    found_again, near = _found_again(pattern, findings), (pattern.near > 0, f"{real} near it")
    share = written("{:.0%}", pattern.share or 0)
    images = (
        f"{pattern.images or 0:,} of {findings.borderline_images:,} borderline images ({share})"
    )
    if findings.continuum:
        return _trust(f"The nearest exemplar of {images}, at", pattern.p, [found_again, near])
    if pattern.images is None:
        images = "A single image that belongs to no cluster"
    doubtful = bool(findings.cluster_doubts)
    clustering = "the clustering is" if doubtful else "nothing puts the clustering"
    doubt = not doubtful, f"{clustering} in doubt"
    return _trust(
        f"{images}, prototype at", pattern.p, [_stable(pattern), found_again, near, doubt]
    )


def _trust(head: str, p: float, checks: list[tuple[bool, str]]) -> Trust:
    """The level by the number of checks that fail, and the line with the words of all checks."""
    good = [words for passed, words in checks if passed]
    bad = [words for passed, words in checks if not passed]
    level = _LEVELS[len(bad)]
    reasons = ", but ".join(_joined(words) for words in (good, bad) if words)
    return Trust(level, f"{head} p = {p:.2f}. Trust: {level}. {reasons[0].upper()}{reasons[1:]}.")


def _stable(pattern: Pattern) -> tuple[bool, str]:
    if pattern.stability is None:
        return False, "the stability is unknown"
    if pattern.stability >= LEAST_STABILITY:
        return True, f"the cluster is stable ({pattern.stability:.2f})"
    return False, f"the cluster is not stable ({pattern.stability:.2f}, below {LEAST_STABILITY})"


def _found_again(pattern: Pattern, findings: Findings) -> tuple[bool, str]:
    """Whether all repeats have a partner that closes half of the gap from random images to 1.

    Having a partner is not enough: as many prototypes in a repeat always give one.
    """
    partners, repeats = pattern.partners, pattern.repeats
    chance, similarity = findings.found_by_chance, pattern.found_again
    if repeats == 0:
        return False, "no repeat found clusters"
    if chance is not None and similarity is not None and similarity < (1 + chance) / 2:
        numbers = f"similarity {similarity:.2f}, random images {chance:.2f}"
        return False, f"repeats find nothing that is clearly like it ({numbers})"
    if partners >= repeats:
        few = {1: "the only repeat finds", 2: "both repeats find"}
        return True, f"{few.get(repeats, f'all {repeats} repeats find')} it again"
    verb = "finds" if partners == 1 else "find"
    count = "no repeat finds" if partners == 0 else f"only {partners} of {repeats} repeats {verb}"
    return False, f"{count} it again"


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
