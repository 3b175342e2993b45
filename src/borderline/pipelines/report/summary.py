"""The summary of a run: one row a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from borderline.findings import Findings

_OF_GENERATOR = (
    *("images", "borderline", "yield", "acd", "fd_lenet", "fd_lenet_n"),
    *("fd_lenet_borderline", "fd_lenet_borderline_n"),
)
_OF_CLUSTERS = {
    "silhouette": "silhouette",
    "davies_bouldin": "davies_bouldin",
    "stability": "ari_resamples",
    "structure_p": "structure_p",
}
_OF_VALIDATION = {
    "coverage": ("coverage_area", "value"),
    "coverage_p": ("coverage_area", "p_value"),
    "found_again": ("stability", "value"),
    "found_again_p": ("stability", "p_value"),
}


def summary_of(findings: Findings, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The findings about a model in one row, with the numbers of its tables.

    Args:
        findings: The findings about the model.
        tables: The tables of ``nodes.SUMMARISED``, by name.
    """
    board, validation = tables["leaderboard_table"], tables["validation_table"]
    chosen, clusters = board[board["chosen"]].iloc[0], tables["cluster_scores_table"].iloc[0]
    shown = validation[validation["chosen_by"] == findings.shown].set_index("measure")
    near = tables["errors_near_patterns_table"].set_index("cluster").loc["any"]
    row = {
        "generator": chosen["source"],
        "accuracy": tables["classifier_scores_table"]["accuracy"].iloc[0],
        **{name: chosen[name] for name in _OF_GENERATOR},
        **{name: clusters[score] for name, score in _OF_CLUSTERS.items()},
        "prototypes": len(findings.patterns),
        **{
            name: shown[column].get(measure, float("nan"))
            for name, (measure, column) in _OF_VALIDATION.items()
        },
        "errors_near": near["share_of_errors"],
        "doubts": "; ".join(findings.doubts),
        "note": findings.note,
    }
    return pd.DataFrame([row])


def one_table(models: Sequence[str], summaries: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of all models in one table, with their names.

    Args:
        models: The names, in the order of the rows.
        summaries: One row each, by ``<model>.summary_table``.
    """
    rows = [summaries[f"{model}.summary_table"] for model in models]
    table = pd.concat(rows, ignore_index=True)
    table.insert(0, "model", list(models))
    return table
