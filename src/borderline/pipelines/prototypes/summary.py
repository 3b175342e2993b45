"""The summary of a run: one row a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from borderline.grid import Grid
    from borderline.pipelines.prototypes.params import PrototypesParams

_OF_GENERATOR = (
    *("images", "borderline", "yield", "acd", "fd_lenet", "fd_lenet_n"),
    *("fd_lenet_borderline", "fd_lenet_borderline_n"),
)
_OF_VALIDATION = {
    "coverage": ("coverage_area", "value"),
    "coverage_p": ("coverage_area", "p_value"),
    "found_again": ("stability", "value"),
    "found_again_p": ("stability", "p_value"),
}


def summarise_model(
    classifier_scores_table: pd.DataFrame,
    leaderboard_table: pd.DataFrame,
    cluster_scores_table: pd.DataFrame,
    prototypes_table: pd.DataFrame,
    validation_table: pd.DataFrame,
    errors_near_patterns_table: pd.DataFrame,
    *,
    prototypes: PrototypesParams,
) -> pd.DataFrame:
    """The results of one model, in one row."""
    import pandas as pd

    from borderline.pipelines.prototypes.choosing.verdicts import doubts

    clusters = cluster_scores_table.iloc[0]
    chosen = leaderboard_table[leaderboard_table["chosen"]].iloc[0]
    shown = validation_table[validation_table["chosen_by"] == prototypes.shown]
    measures = shown.set_index("measure")
    of_validation = doubts(validation_table, prototypes.shown, prototypes.validation.level)
    near = errors_near_patterns_table.set_index("cluster").loc["any"]
    row = {
        "generator": chosen["source"],
        "accuracy": classifier_scores_table["accuracy"].iloc[0],
        **{name: chosen[name] for name in _OF_GENERATOR},
        "silhouette": clusters["silhouette"],
        "davies_bouldin": clusters["davies_bouldin"],
        "stability": clusters["ari_resamples"],
        "structure_p": clusters["structure_p"],
        "prototypes": len(prototypes_table),
        **{
            name: measures[value].get(measure, float("nan"))
            for name, (measure, value) in _OF_VALIDATION.items()
        },
        "errors_near": near["share_of_errors"],
        "doubts": "; ".join(filter(None, (clusters["doubts"], of_validation))),
        "note": clusters["note"],
    }
    return pd.DataFrame([row])


def summarise(*, grid: Grid, **summaries: pd.DataFrame) -> pd.DataFrame:
    """The rows of all models under test.

    Args:
        grid: Names the models.
        summaries: One row each, by ``<model>.summary_table``.
    """
    import pandas as pd

    rows = [summaries[f"{model}.summary_table"] for model in grid.models]
    table = pd.concat(rows, ignore_index=True)
    table.insert(0, "model", list(grid.models))
    return table
