"""Sentences on the validation."""

from __future__ import annotations

import pandas as pd

from borderline.pipelines.prototypes.choosing.names import MEASURES, NAMES, NULLS

# Verbs of a better and of a worse value, after the name of the selection.
_VERBS = {
    "cosine_similarity": (
        "are less similar to each other than",
        "are more similar to each other than",
    ),
    "euclidean_distance": (
        "are farther apart in the embedding than",
        "are closer together in the embedding than",
    ),
    "coverage_area": ("cover more borderline images than", "cover fewer borderline images than"),
    "facility_location": (
        "resemble the borderline images more than",
        "resemble the borderline images less than",
    ),
    "dispersion": (
        "are more dispersed on the UMAP map than",
        "are less dispersed on the UMAP map than",
    ),
    "precision": ("separate the clusters better than", "separate the clusters worse than"),
    "stability": ("are more stable across seeds than", "are less stable across seeds than"),
}
_OTHERS = {
    "": "random images",
    "_of_cluster": "random images of the same clusters",
    "_of_labels": "prototypes of shuffled clusters",
}


def sentences(table: pd.DataFrame, level: float) -> list[str]:
    """One sentence a row of the validation table; see :func:`say`."""
    return [say(row, level) for _, row in table.iterrows()]


def say(row: pd.Series, level: float) -> str:
    """One sentence on a row of the validation table.

    Args:
        row: By ``validation.COLUMNS``.
        level: The significance level of the corrected p-values (q-values).
    """
    name, measure, value = NAMES[row["chosen_by"]], MEASURES[row["measure"]], row["value"]
    if pd.isna(value):
        return f"{name} have no {measure}: {row['note']}."
    digits = _digits(row)
    interval = f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if row.notna()["low"] else ""
    measured = f"{value:.{digits}f}{interval}"
    note = f"; {row['note']}" if row["note"] else ""
    if pd.isna(row["q_value"]):
        return f"{name} have a {measure} of {measured}{note}."
    better, worse = _VERBS[row["measure"]]
    comparison = f"{_OTHERS['']} ({measured} against {_chance(row, '', digits)})"
    if row["q_value"] <= level:
        sentence = f"{name} {better} {comparison}"
    elif row["q_worse"] <= level:
        mean = f"{row['random']:.{digits}f}, corrected p = {row['q_worse']:.3f}"
        sentence = f"{name} {worse} {_OTHERS['']} ({measured} against {mean})"
    else:
        sentence = f"{name} do not differ significantly in {measure} from {comparison}"
    for end in ("_of_cluster", "_of_labels"):
        if pd.notna(row[f"q_value{end}"]):
            verdict = "better" if row[f"q_value{end}"] <= level else "not significantly better"
            sentence += f", {verdict} than {_OTHERS[end]} ({_chance(row, end, digits)})"
    return f"{sentence}{note}."


def doubts(table: pd.DataFrame, shown: str, level: float) -> str:
    """The measures in which the shown prototypes do not beat chance, and notes on the repeats.

    Args:
        table: By ``validation.COLUMNS``.
        shown: The selection.
        level: As in ``say``.

    Returns:
        Fragments joined by "; "; empty where there are none.
    """
    rows = table[table["chosen_by"] == shown]
    stability = rows["measure"] == "stability"
    fragments: list[str] = []
    for end, others in _OTHERS.items():
        # A stability that could not be measured is a doubt; other gaps only mean one prototype.
        unknown = rows["value"].isna() & stability & (end == "")
        short = rows["measure"][(rows[f"q_value{end}"] > level) | unknown]
        if len(short):
            named = ", ".join(MEASURES[measure] for measure in short)
            fragments.append(f"prototypes are not significantly better than {others} in: {named}")
    return "; ".join([*fragments, *filter(None, rows["note"][stability])])


def _chance(row: pd.Series, end: str, digits: int) -> str:
    return f"{row[NULLS[end]]:.{digits}f}, corrected p = {row[f'q_value{end}']:.3f}"


def _digits(row: pd.Series) -> int:
    """The decimals at which the value differs visibly from every mean of chance."""
    gaps = [abs(row["value"] - row[column]) for column in NULLS.values() if pd.notna(row[column])]
    gap = min((gap for gap in gaps if gap > 0), default=1.0)
    return next((digits for digits in (2, 3) if gap >= 2 * 10**-digits), 4)
