"""What the validation says, in plain words."""

from __future__ import annotations

import pandas as pd

from borderline.pipelines.prototypes.choosing.validation import (
    MOST_AMBIGUOUS,
    NULLS,
    RANDOM_BORDERLINE,
    REAL_BORDERLINE,
)

NAMES = {
    "medoid": "The medoids",
    "medoid_embedding": "The medoids in the embedding",
    "centroid": "The images nearest to the cluster means",
    "centroid_embedding": "The images nearest to the cluster means in the embedding",
    "density": "The densest images",
    "density_embedding": "The densest images in the embedding",
    "random": "Random images of each cluster",
    "k_medoids": "The k-medoids of all images",
    "mmd_critic": "The prototypes of MMD-critic",
    REAL_BORDERLINE: "Random real borderline images",
    RANDOM_BORDERLINE: "Random borderline images",
    MOST_AMBIGUOUS: "The most ambiguous images",
}
"""What the selections and baselines are called."""

MEASURES = {
    "cosine_similarity": "similarity among themselves",
    "euclidean_distance": "distance among themselves",
    "coverage_area": "coverage area",
    "facility_location": "facility location",
    "dispersion": "dispersion in the map",
    "precision": "1-nearest-prototype precision",
    "stability": "stability over seeds",
}
"""What the measures are called."""

# What is better and what is worse, after the name.
_SAYINGS = {
    "cosine_similarity": ("differ more from each other than", "are more alike than"),
    "euclidean_distance": (
        "lie farther apart for the model than",
        "lie closer together for the model than",
    ),
    "coverage_area": (
        "have more of the borderline images near them than",
        "have fewer of the borderline images near them than",
    ),
    "facility_location": (
        "resemble the borderline images more than",
        "resemble the borderline images less than",
    ),
    "dispersion": ("are spread wider over the map than", "are spread less over the map than"),
    "precision": ("tell the clusters apart better than", "tell the clusters apart worse than"),
    "stability": (
        "are found again with other seeds better than",
        "are found again with other seeds worse than",
    ),
}
_AGAINST = {
    "": "random ones",
    "_of_cluster": "random ones of the same clusters",
    "_of_labels": "the same choice from shuffled clusters",
}


def say(row: pd.Series, level: float) -> str:
    """One sentence on a row of the validation table.

    Args:
        row: By ``validation.COLUMNS``.
        level: Up to this corrected p-value (the q-values) images are better or worse than chance.
    """
    name, measure, value = NAMES[row["chosen_by"]], MEASURES[row["measure"]], row["value"]
    if pd.isna(value):
        return f"{name} have no {measure}: {row['note']}."
    digits = _digits(row)
    interval = f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if row.notna()["low"] else ""
    found = f"{value:.{digits}f}{interval}"
    note = f"; {row['note']}" if row["note"] else ""
    if pd.isna(row["q_value"]):
        return f"{name} have a {measure} of {found}{note}."
    better, worse = _SAYINGS[row["measure"]]
    against = f"{_AGAINST['']} ({found} against {_chance(row, '', digits)}"
    if row["q_value"] <= level:
        sentence = f"{name} {better} {against})"
    elif row["q_worse"] <= level:
        against = f"{_AGAINST['']} ({found} against {row['random']:.{digits}f}"
        sentence = f"{name} {worse} {against}, corrected p = {row['q_worse']:.3f})"
    else:
        sentence = f"In {measure}, {_lower(name)} cannot be told from {against})"
    for end in ("_of_cluster", "_of_labels"):
        if pd.notna(row[f"q_value{end}"]):
            won = row[f"q_value{end}"] <= level
            verdict = "better than" if won else "not surely better than"
            sentence += f", {verdict} {_AGAINST[end]} ({_chance(row, end, digits)})"
    return f"{sentence}{note}."


def doubts(table: pd.DataFrame, shown: str, level: float) -> str:
    """In what the shown prototypes do not beat chance; empty where they do in everything.

    Args:
        table: By ``validation.COLUMNS``.
        shown: The selection.
        level: As in ``say``.
    """
    own = table[table["chosen_by"] == shown]
    said: list[str] = []
    for end, words in _AGAINST.items():
        q_values = own[f"q_value{end}"]
        # A stability that could not be measured is a doubt; other gaps only mean one prototype.
        unknown = own["value"].isna() & (own["measure"] == "stability") & (end == "")
        short = own["measure"][(q_values > level) | unknown]
        if len(short):
            named = ", ".join(MEASURES[measure] for measure in short)
            said.append(f"than {words} in {named}")
    notes = own["note"][(own["measure"] == "stability") & own["note"].fillna("").ne("")]
    lost = ["as prototypes they are not surely better " + ", nor ".join(said)] if said else []
    return "; ".join([*lost, *notes])


def _chance(row: pd.Series, end: str, digits: int) -> str:
    return f"{row[NULLS[end]]:.{digits}f}, corrected p = {row[f'q_value{end}']:.3f}"


def _digits(row: pd.Series) -> int:
    """As many as tell the figure from every mean of chance."""
    gaps = [abs(row["value"] - row[column]) for column in NULLS.values() if pd.notna(row[column])]
    gap = min((gap for gap in gaps if gap > 0), default=1.0)
    return next((digits for digits in (2, 3) if gap >= 2 * 10**-digits), 4)


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
