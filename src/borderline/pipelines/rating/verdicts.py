"""The answers of people to each pattern and to the controls, as a table and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from borderline.findings import Measured, PatternRating, Rating, with_interval, written
from borderline.measures.intervals import Estimate, estimate_of_effective_share
from borderline.pipelines.rating.agreement import effective_answers, majority
from borderline.pipelines.rating.answers import ANSWERS
from borderline.pipelines.rating.items import KINDS, NO_PATTERN
from borderline.records import RatingItems

COLUMNS = [
    *("kind", "pattern", "images", "answers"),
    *(f"{answer}{end}" for answer in ANSWERS for end in ("", "_low", "_high")),
    *("verdict", "prototype", "note"),
]
OPEN = "open"
"""The verdict where no answer has more than half of the answers by its whole interval."""

Names = Mapping[str, str]
"""The names of the ``positive`` and the ``negative`` class."""


def table_of_verdicts(
    counts: np.ndarray, items: RatingItems, prototypes: Tensor, agreement: float, names: Names
) -> pd.DataFrame:
    """The shares of the answers to each pattern and each kind of control, with 95 % intervals.

    ``prototype`` is the majority's answer to the prototype; ``note`` has all in words. Images
    without answers do not count.

    Args:
        counts: Answers by item, (N, 4).
        items: The items.
        prototypes: Rows of the prototypes among the borderline images, (K,).
        agreement: Alpha on the borderline images, for the effective number of answers.
        names: The names of the classes.
    """
    kinds, patterns, answered = items["kind"].numpy(), items["pattern"].numpy(), counts.sum(1) > 0
    rows = []
    for kind, pattern in sorted(set(zip(kinds.tolist(), patterns.tolist(), strict=True))):
        here = (kinds == kind) & (patterns == pattern) & answered
        if not here.any():
            continue
        given = counts[here]
        size = effective_answers(given, agreement)
        shares = [
            estimate_of_effective_share(hits / given.sum(), size) for hits in given.sum(0).tolist()
        ]
        verdict = next((a for a, s in zip(ANSWERS, shares, strict=True) if s.low > 0.5), OPEN)
        prototype = ""
        if pattern != NO_PATTERN:
            at = here & (items["row"].numpy() == int(prototypes[pattern]))
            prototype = "".join(ANSWERS[place] for place in majority(counts[at]))
        about = (KINDS[kind], pattern, int(here.sum()), int(given.sum()))
        ends = [end for share in shares for end in share]
        rows.append((*about, *ends, verdict, prototype, _in_words(shares, verdict, about, names)))
    return pd.DataFrame(rows, columns=COLUMNS)


def rating_of(
    made_for: str,
    raters: pd.DataFrame,
    agreement: pd.DataFrame,
    verdicts: pd.DataFrame,
    least_right: float,
) -> Rating:
    """The tables as a record for the report.

    Args:
        made_for: The fingerprint of the rated patterns.
        raters: At least one rater.
        agreement: The agreement table.
        verdicts: The table of verdicts.
        least_right: The least share of the confident real images of a rater whose answers count.
    """
    used = raters["used"].astype(bool)

    def measured(name: str, kind: str) -> Measured:
        here = (agreement["measure"] == name) & (agreement["kind"] == kind)
        for row in agreement[here].to_dict("records"):
            return Measured.of(Estimate(row["value"], row["low"], row["high"]), row["images"])
        return Measured()

    alpha, kappa = measured("alpha", "borderline"), measured("kappa", "borderline")
    of_patterns = verdicts[(verdicts["kind"] == "borderline") & (verdicts["pattern"] >= 0)]
    return Rating(
        made_for=made_for,
        raters=int(used.sum()),
        left_out=int((~used).sum()),
        alpha=alpha,
        kappa=kappa,
        says=(
            *_about_raters(raters[used], int((~used).sum()), least_right),
            *_about_agreement(int(used.sum()), alpha, measured("alpha", "all"), kappa),
            *_about_controls(raters[used], verdicts),
        ),
        patterns={
            int(row["pattern"]): PatternRating(
                images=int(row["images"]),
                answers=int(row["answers"]),
                shares={
                    answer: Measured.of(
                        Estimate(*(row[f"{answer}{end}"] for end in ("", "_low", "_high"))),
                        row["answers"],
                    )
                    for answer in ANSWERS
                },
                verdict=row["verdict"],
                says=row["note"],
            )
            for _, row in of_patterns.iterrows()
        },
    )


def _in_words(
    shares: Sequence[Estimate], verdict: str, about: tuple[str, int, int, int], names: Names
) -> str:
    _, _, images, answers = about
    head = {
        "positive": f"People mostly see {names['positive']}",
        "negative": f"People mostly see {names['negative']}",
        "neither": "People mostly see neither class",
        "cannot_tell": "People mostly cannot tell",
        OPEN: "The answers of people have no clear majority",
    }[verdict]
    seen = (names["positive"], names["negative"], "neither", "cannot tell")
    parts = [f"{word} in {_percent(share)}" for word, share in zip(seen, shares, strict=True)]
    return (
        f"{head}: {', '.join(parts)} of {_counted(answers, 'answer')} to "
        f"{_counted(images, 'image')}."
    )


def _about_raters(used: pd.DataFrame, left_out: int, least_right: float) -> list[str]:
    says = []
    if len(used):
        says.append(
            f"{_counted(len(used), 'rater')} gave {_counted(int(used['answers'].sum()), 'answer')} "
            f"on a page of {_counted(int(used['items'].iloc[0]), 'image')}."
        )
    if left_out:
        says.append(
            f"The answers of {_counted(left_out, 'rater')} are left out: fewer than "
            f"{written('{:.0%}', least_right)} of the confident real images right, or none of "
            "them answered."
        )
    return says


def _about_agreement(
    raters: int, borderline: Measured, everything: Measured, kappa: Measured
) -> list[str]:
    says = []
    if raters == 1:
        says.append("One rater: the agreement between people is unknown.")
    elif borderline.value is not None:
        says.append(
            "Agreement between people (Krippendorff's alpha; 1 is perfect, 0 is chance): "
            f"{_number(borderline)} on the borderline images, {_number(everything)} on all images."
        )
    if kappa.value is not None:
        says.append(
            "Agreement of the majority of people with the committee of judges on the borderline "
            f"images (Cohen's kappa; 1 is perfect, 0 is chance): {_number(kappa)}."
        )
    return says


def _about_controls(used: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    if len(used) == 0:
        return []
    real = used["real"].sum()
    right = (used["right"] * used["real"]).sum() / real
    share = written("{:.0%}", right)
    says = [f"Controls: {share} of the answers to confident real images are right."]
    blends = verdicts[verdicts["kind"] == "blend"]
    return [*says, *(f"Blends of two real images: {note}" for note in blends["note"])]


def _percent(share: Estimate) -> str:
    return " ".join(filter(None, with_interval("{:.0%}", *share)))


def _number(measured: Measured) -> str:
    texts = with_interval("{:.2f}", measured.value, measured.low, measured.high)
    return " ".join(filter(None, texts))


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
