"""Sentences on verdicts: whose doubt the borderline images are."""

from __future__ import annotations

from borderline.findings import MIXED, VERDICTS, Findings, Pattern, written

NO_OPINION = (
    "The judge is an encoder without a head over classes, so it has no opinion on these images: "
    "only memorised and unrealistic images are told from the others."
)


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
    """One sentence on the verdicts on all borderline images; empty where there are no images."""
    if findings.judges == 0:
        return NO_OPINION
    shares = {name: findings.measures[name].value for name in VERDICTS if name != "undecided"}
    known = {name: share for name, share in shares.items() if share is not None}
    if not known:
        return ""
    listed = [f"{VERDICTS[name].lower()} {_percent(share)}" for name, share in known.items()]
    return f"Verdicts of {_judges(findings)} on these images: {', '.join(listed)}; else undecided."


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
