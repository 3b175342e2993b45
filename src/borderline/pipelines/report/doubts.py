"""The evidence against the prototypes, from the validation."""

from __future__ import annotations

import pandas as pd

from borderline.findings import VALIDATION_MEASURES

# The images of each null hypothesis, by the suffix of its column of q-values.
_OTHERS = {
    "": "random images",
    "_of_cluster": "random images of the same clusters",
    "_of_labels": "prototypes of shuffled clusters",
}


def doubts_about(validation: pd.DataFrame, level: float) -> list[str]:
    """The measures in which prototypes do not beat chance, and notes on the repeats.

    Args:
        validation: The rows of the shown selection.
        level: The significance level of the corrected p-values (q-values).
    """
    stability = validation["measure"] == "stability"
    doubts = []
    for suffix, others in _OTHERS.items():
        # A stability that could not be measured is a doubt; other gaps only mean one prototype.
        unknown = validation["value"].isna() & stability & (suffix == "")
        short = validation["measure"][(validation[f"q_value{suffix}"] > level) | unknown]
        if len(short):
            named = ", ".join(VALIDATION_MEASURES[measure] for measure in short)
            doubts.append(f"the prototypes are not significantly better than {others} in: {named}")
    return [*doubts, *filter(None, validation["note"][stability])]
