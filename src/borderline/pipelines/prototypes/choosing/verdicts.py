"""Sentences on the validation."""

from __future__ import annotations

import pandas as pd

from borderline.findings import VALIDATION_MEASURES
from borderline.pipelines.prototypes.choosing.names import NAMES, NULLS

# A predicate of each measure, with the words of a better and of a worse value.
_PREDICATES = {
    "cosine_similarity": ("are {} similar to each other", "less", "more"),
    "euclidean_distance": ("are {} apart in the embedding", "farther", "less far"),
    "coverage_area": ("cover {} borderline images", "more", "fewer"),
    "facility_location": ("resemble the borderline images {}", "more", "less"),
    "dispersion": ("are {} dispersed on the UMAP map", "more", "less"),
    "precision": ("separate the clusters {}", "better", "worse"),
    "stability": ("are {} stable across seeds", "more", "less"),
}
_OTHERS = {
    "": "random images",
    "_of_cluster": "random images of the same clusters",
    "_of_labels": "prototypes of shuffled clusters",
}


def say(row: pd.Series, level: float) -> str:
    """One sentence on a row of the validation table, at a level of the corrected p-values."""
    name, measure = NAMES[row["chosen_by"]], VALIDATION_MEASURES[row["measure"]]
    value = row["value"]
    if pd.isna(value):
        return f"{name} have no {measure}: {row['note']}."
    digits = _digits(row)
    interval = f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if row.notna()["low"] else ""
    measured = f"{value:.{digits}f}{interval}"
    note = f"; {row['note']}" if row["note"] else ""
    if pd.isna(row["q_value"]):
        return f"{name} have a {measure} of {measured}{note}."
    predicate, better, worse = _PREDICATES[row["measure"]]
    q, ending = row["q_value"], ""
    if q <= level:
        verdict = predicate.format(better)
    elif row["q_worse"] <= level:
        q, verdict = row["q_worse"], predicate.format(worse)
    else:
        verdict, ending = "are not significantly better or worse", f" in {measure}"
    numbers = f"{measured} against {_chance(row, '', digits, q)}"
    verdicts = [f"{verdict} than {_OTHERS['']}{ending} ({numbers})"]
    for end in ("_of_cluster", "_of_labels"):
        if pd.notna(row[f"q_value{end}"]):
            q = row[f"q_value{end}"]
            verdict = "are better" if q <= level else "are not significantly better"
            verdicts.append(f"{verdict} than {_OTHERS[end]} ({_chance(row, end, digits, q)})")
    *verdicts, last = verdicts
    return f"{name} {', '.join(verdicts)}{', and ' if verdicts else ''}{last}{note}."


def _chance(row: pd.Series, end: str, digits: int, q: float) -> str:
    return f"{row[NULLS[end]]:.{digits}f}, corrected p = {q:.3f}"


def _digits(row: pd.Series) -> int:
    """The decimals at which the value differs visibly from every mean of chance."""
    gaps = [abs(row["value"] - row[column]) for column in NULLS.values() if pd.notna(row[column])]
    gap = min((gap for gap in gaps if gap > 0), default=1.0)
    return next((digits for digits in (2, 3) if gap >= 2 * 10**-digits), 4)
