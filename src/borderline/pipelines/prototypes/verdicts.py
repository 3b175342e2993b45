"""What the validation says, in plain words."""

from __future__ import annotations

import pandas as pd

from borderline.pipelines.prototypes.validation import (
    MOST_AMBIGUOUS,
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
    "random": "One random image of each cluster",
    "k_medoids": "The k-medoids of all images",
    "mmd_critic": "The prototypes of MMD-critic",
    REAL_BORDERLINE: "Random real borderline images",
    RANDOM_BORDERLINE: "Random borderline images",
    MOST_AMBIGUOUS: "The most ambiguous images",
}
"""What the selections and baselines are called."""

_SINGULAR = {"random"}
# What is better, no better and worse, after the name.
_SAYINGS = {
    "cosine_similarity": (
        "differ more from each other than",
        "do not differ more from each other than",
        "are more alike than",
    ),
    "euclidean_distance": (
        "lie farther apart for the model than",
        "do not lie farther apart for the model than",
        "lie closer together for the model than",
    ),
    "coverage_area": (
        "have more of the borderline images near them than",
        "do not have more of the borderline images near them than",
        "have fewer of the borderline images near them than",
    ),
    "facility_location": (
        "resemble the borderline images more than",
        "do not resemble the borderline images more than",
        "resemble the borderline images less than",
    ),
    "dispersion": (
        "are spread wider over the map than",
        "are not spread wider over the map than",
        "are spread less over the map than",
    ),
    "precision": (
        "tell the clusters apart better than",
        "do not tell the clusters apart better than",
        "tell the clusters apart worse than",
    ),
    "stability": (
        "are found again with other seeds better than",
        "are not found again with other seeds better than",
        "are found again with other seeds worse than",
    ),
}
_VERBS = {"differ": "differs", "lie": "lies", "have": "has", "resemble": "resembles"}
_VERBS |= {"are": "is", "tell": "tells", "do": "does"}
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


def say(row: pd.Series, level: float) -> str:
    """One sentence on a row of the validation table.

    Args:
        row: By ``validation.COLUMNS``.
        level: Up to this corrected p-value (``q_value``) the images are better than chance; they
            are worse where as small a share of random choices is as bad.
    """
    name, measure, value = NAMES[row["chosen_by"]], row["measure"], row["value"]
    if pd.isna(value):
        return f"{name}: no {MEASURES[measure]}, for {row['note']}."
    interval = f" [{row['low']:.2f}, {row['high']:.2f}]" if pd.notna(row["low"]) else ""
    if pd.isna(row["p_value"]):
        return f"{name} have a {MEASURES[measure]} of {value:.2f}{interval}: what chance gives."
    better, same, worse = _SAYINGS[measure]
    saying = better if row["q_value"] <= level else worse if row["p_value"] >= 1 - level else same
    if row["chosen_by"] in _SINGULAR:
        verb, _, rest = saying.partition(" ")
        saying = f"{_VERBS[verb]} {rest}"
    sentence = (
        f"{name} {saying} random ones ({value:.2f}{interval} against {row['random']:.2f}, p = "
        f"{row['p_value']:.3f})"
    )
    if pd.notna(row["p_of_cluster"]):
        verdict = "better" if row["p_of_cluster"] <= level else "no better"
        sentence += (
            f", {verdict} than random images of the same clusters ({row['random_of_cluster']:.2f}, "
            f"p = {row['p_of_cluster']:.3f})"
        )
    return f"{sentence}."


def doubts(table: pd.DataFrame, shown: str, level: float) -> str:
    """In what the shown prototypes do not beat random ones; empty where they do in everything.

    Args:
        table: By ``validation.COLUMNS``.
        shown: The selection.
        level: As in ``say``.
    """
    own = table[(table["chosen_by"] == shown) & table["p_value"].notna()]
    lost = own["measure"][own["q_value"] > level]
    if lost.empty:
        return ""
    named = ", ".join(MEASURES[measure] for measure in lost)
    return f"as prototypes they are no better than random images in: {named}"
