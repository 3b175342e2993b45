"""Sentences on verdicts: whose doubt the borderline images are."""

from __future__ import annotations

import math
from collections.abc import Mapping

from borderline.findings import MIXED, VERDICTS, Findings, Measured, Pattern, written

NO_OPINION = (
    "The judge is an encoder without a head over classes, so it has no opinion on these images: "
    "only memorised and unrealistic images are told from the others."
)

_FEWEST_REAL = 10
"""With fewer real images, even intervals that do not overlap say nothing."""


def verdict_on(pattern: Pattern, findings: Findings) -> str:
    """One sentence on the verdict of a pattern."""
    name, share = pattern.verdict, pattern.verdict_share
    if findings.judges == 0 and name in (None, MIXED, "undecided"):
        return f"No verdict. {NO_OPINION}"
    if name is None:
        return "No verdict."
    if name == MIXED:
        return f"Mixed: no verdict prevails{_listed(pattern)}."
    if share is None or pattern.verdict_low is None or pattern.verdict_high is None:
        return f"{VERDICTS[name]}: the verdict on its only image."
    ends = f"[{100 * pattern.verdict_low:.0f}, {100 * pattern.verdict_high:.0f}]"
    images, judges = f"{_percent(share)} {ends} of its images", _judges(findings)
    positive, negative = findings.positive, findings.negative
    reasons = {
        "memorised": f"{images} nearly copy a training image",
        "unrealistic": f"{images} are farther from all training images than nearly every real test "
        "image",
        "another_class": f"{images} are neither {positive} nor {negative} to {judges}",
        "weakness": f"{images} are clearly {positive} or clearly {negative} to {judges}",
        "ambiguous": f"{judges} splits between {positive} and {negative} on {images}",
        "undecided": f"no other verdict holds for {images}{_listed(pattern, 'undecided')}",
    }
    return f"{VERDICTS[name]}: {reasons[name]}."


def verdicts_in_short(findings: Findings) -> str:
    """The verdicts on all borderline images, beside those on the real ones, in a few sentences.

    Empty where there are no images.
    """
    if findings.judges == 0:
        return NO_OPINION
    found, real = findings.measures, findings.real_verdicts
    listed = _all_listed(found)
    if not listed:
        return ""
    said = f"Verdicts of {_judges(findings)} on these images: {listed}; else undecided."
    if not real:  # findings of an earlier version
        return said
    of_real, images = _all_listed(real), real["weakness"].n or 0
    if not of_real:
        return f"{said} No real test image is in the band."
    said += f" On the real test images in the band ({images:,}): {of_real}."
    if images < _FEWEST_REAL:
        return f"{said} These are too few to compare."
    both = [name for name in VERDICTS if name in found and name in real]
    other = [VERDICTS[name].lower() for name in both if _apart(found[name], real[name])]
    if not other:
        return said
    return (
        f"{said} The two differ by more than chance in: {', '.join(other)}. So the shares of the "
        "generated images do not say how frequent a verdict is among real images."
    )


def _all_listed(measures: Mapping[str, Measured]) -> str:
    """The shares of the verdicts among all images; empty where there are none."""
    shares = {name: measures[name].value for name in VERDICTS if name in measures}
    return ", ".join(
        f"{VERDICTS[name].lower()} {_percent(share)}"
        for name, share in shares.items()
        if share is not None
    )


def _apart(one: Measured, other: Measured) -> bool:
    """Whether two intervals do not overlap; never without one of their ends."""
    ends = one.low, one.high, other.low, other.high
    # Comparisons with NaN are false.
    low, high, other_low, other_high = (math.nan if end is None else end for end in ends)
    return high < other_low or other_high < low


def _listed(pattern: Pattern, without: str = "") -> str:
    """The shares of the verdicts on a pattern in brackets, the largest first."""
    shares = sorted(pattern.verdict_shares.items(), key=lambda item: -item[1])
    kept = [(name, share) for name, share in shares if share > 0 and name != without]
    listed = (f"{VERDICTS[name].lower()} {_percent(share)}" for name, share in kept)
    return f" ({', '.join(listed)})" if kept else ""


def _judges(findings: Findings) -> str:
    return "the judge" if findings.judges == 1 else f"the committee of {findings.judges} judges"


def _percent(share: float) -> str:
    return written("{:.0%}", share)
