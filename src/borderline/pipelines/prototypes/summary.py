"""What a run found, one row a model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from borderline.grid import Grid
from borderline.pipelines.prototypes.choosing.verdicts import doubts
from borderline.pipelines.prototypes.params import PrototypesParams

_SUMMARISED_OF_GENERATOR = (
    *("images", "borderline", "yield", "acd", "fd_lenet", "fd_lenet_n"),
    *("fd_lenet_borderline", "fd_lenet_borderline_n"),
)


def summarise_model(
    classifier_scores: pd.DataFrame,
    leaderboard: pd.DataFrame,
    cluster_scores: pd.DataFrame,
    prototype_table: pd.DataFrame,
    validation: pd.DataFrame,
    errors_near_patterns: pd.DataFrame,
    settings: PrototypesParams,
) -> pd.DataFrame:
    """What the run found about a model, in one row."""
    clusters = cluster_scores.iloc[0]
    chosen = leaderboard[leaderboard["chosen"]].iloc[0]
    own = validation[validation["chosen_by"] == settings.shown].set_index("measure")
    near = errors_near_patterns.set_index("cluster").loc["any"]
    said = [
        cluster_scores["doubts"].fillna("").iloc[0],
        doubts(validation, settings.shown, settings.validation.level),
    ]
    row = {
        "generator": chosen["source"],
        "accuracy": classifier_scores["accuracy"].iloc[0],
        **{name: chosen[name] for name in _SUMMARISED_OF_GENERATOR},
        "silhouette": clusters["silhouette"],
        "davies_bouldin": clusters["davies_bouldin"],
        "stability": clusters["ari_resamples"],
        "structure_p": clusters["structure_p"],
        "prototypes": len(prototype_table),
        **{
            column: own[value].get(measure, np.nan)
            for column, measure, value in (
                ("coverage", "coverage_area", "value"),
                ("coverage_p", "coverage_area", "p_value"),
                ("found_again", "stability", "value"),
                ("found_again_p", "stability", "p_value"),
            )
        },
        "errors_near": near["share_of_errors"],
        "doubts": "; ".join(filter(None, said)),
        "note": cluster_scores["note"].fillna("").iloc[0],
    }
    return pd.DataFrame([row])


def summarise(grid: Grid, *summaries: pd.DataFrame) -> pd.DataFrame:
    """One row a model under test: what the run found.

    Args:
        grid: Names the models, in the order of their summaries.
        summaries: One row each.
    """
    table = pd.concat(summaries, ignore_index=True)
    table.insert(0, "model", list(grid.models))
    return table
