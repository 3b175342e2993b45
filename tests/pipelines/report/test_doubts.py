from __future__ import annotations

import numpy as np
import pandas as pd

from borderline.pipelines.report.doubts import doubts_about


def validation(**changed: object) -> pd.DataFrame:
    """Prototypes that beat chance in both measures."""
    values: dict[str, object] = {
        "measure": ["coverage_area", "stability"],
        "value": [0.6, 0.9],
        **{f"q_value{end}": [0.01, 0.05] for end in ("", "_of_cluster", "_of_labels")},
        "note": ["", ""],
    }
    return pd.DataFrame(values | changed)


def test_prototypes_that_beat_chance_are_not_in_doubt() -> None:
    assert doubts_about(validation(), 0.05) == []
    assert doubts_about(validation()[:0], 0.05) == []


def test_each_null_hypothesis_has_its_doubt() -> None:
    table = validation(q_value=[0.06, 0.2], q_value_of_labels=[0.01, 0.2])
    assert doubts_about(table, 0.05) == [
        "the prototypes are not significantly better than random images in: coverage area, "
        "stability across seeds",
        "the prototypes are not significantly better than prototypes of shuffled clusters in: "
        "stability across seeds",
    ]


def test_unknown_stability_is_a_doubt_and_another_gap_is_none() -> None:
    unknown: dict[str, object] = {
        f"q_value{end}": [np.nan, np.nan] for end in ("", "_of_cluster", "_of_labels")
    }
    (doubt,) = doubts_about(validation(value=[np.nan, np.nan], **unknown), 0.05)
    assert doubt.endswith("than random images in: stability across seeds")


def test_notes_on_the_repeats_are_doubts() -> None:
    table = validation(note=["of no interest", "2 of 5 repeats found no clusters"])
    assert doubts_about(table, 0.05) == ["2 of 5 repeats found no clusters"]
