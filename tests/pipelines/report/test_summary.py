from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from borderline.findings import Findings
from borderline.grid import Grid
from borderline.pipelines.report.nodes import SUMMARISED, summarise, summarise_model
from conftest import findings_of

COLUMNS = (
    *("generator", "accuracy", "images", "borderline", "yield", "acd", "fd_lenet", "fd_lenet_n"),
    *("fd_lenet_borderline", "fd_lenet_borderline_n", "silhouette", "davies_bouldin"),
    *("stability", "structure_p", "prototypes", "coverage", "coverage_p", "found_again"),
    *("found_again_p", "errors_near", "doubts", "note"),
)


def tables(accuracy: float, rows: int) -> dict[str, pd.DataFrame]:
    board = {
        "source": ["x", "y"],
        "images": [100, 100],
        "borderline": [3, 40],
        "yield": [0.03, 0.4],
        "acd": [0.4, 0.2],
        "fd_lenet_n": [90, 90],
        "fd_lenet": [1.0, 2.0],
        "fd_lenet_borderline_n": [None, 40],
        "fd_lenet_borderline": [None, 3.0],
        "chosen": [False, True],
    }
    scores = {"silhouette": 0.5, "davies_bouldin": 1.0, "ari_resamples": 0.7, "structure_p": 0.05}
    validation = {
        "chosen_by": ["medoid", "medoid", "random_borderline"],
        "measure": ["coverage_area", "stability", "stability"],
        "value": [0.6, 0.9, 0.8],
        "p_value": [0.001, 0.4, np.nan],
    }
    made = {
        "classifier_scores_table": pd.DataFrame({"accuracy": [accuracy]}),
        "leaderboard_table": pd.DataFrame(board),
        "cluster_scores_table": pd.DataFrame([scores]),
        "validation_table": pd.DataFrame(validation)[:rows],
        "errors_near_patterns_table": pd.DataFrame(
            {"cluster": ["0", "any"], "share_of_errors": [0.1, 0.4]}
        ),
    }
    assert set(made) == set(SUMMARISED)
    return made


def row(findings: Findings, accuracy: float, rows: int) -> pd.DataFrame:
    return summarise_model(findings.model_dump(mode="json"), **tables(accuracy, rows))


def test_summary_has_a_row_a_model_with_the_chosen_generator() -> None:
    grid = Grid(models=("a", "b"), generators=("x", "y"), runs=1, judges=("lenet",))
    # By name: their order in the call is of no matter.
    summary = summarise(
        grid=grid,
        **{
            "b.summary_table": row(findings_of(0), 0.8, 0),
            "a.summary_table": row(findings_of(3, doubts=["one cloud", "few images"]), 0.9, 3),
        },
    )
    assert tuple(summary) == ("model", *COLUMNS)
    assert summary["model"].tolist() == ["a", "b"]
    assert summary["accuracy"].tolist() == [0.9, 0.8]
    assert set(summary["generator"]) == {"y"}
    assert summary["borderline"].tolist() == [40, 40]
    assert summary["prototypes"].tolist() == [3, 0]
    assert summary["note"].tolist() == ["", "only 3 of 30 borderline images"]
    assert summary["stability"].tolist() == [0.7, 0.7]
    assert summary["coverage_p"].tolist() == pytest.approx([0.001, np.nan], nan_ok=True)
    assert summary["found_again"].tolist() == pytest.approx([0.9, np.nan], nan_ok=True)
    assert summary["errors_near"].tolist() == [0.4, 0.4]
    assert summary["doubts"].tolist() == ["one cloud; few images", ""]
