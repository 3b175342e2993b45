"""The page about images of the user."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from borderline.boundary import Boundary
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.measures.class_names import ClassNames
from borderline.pages import rendering
from borderline.pages.counterfactuals import view_counterfactuals
from borderline.records import Counterfactuals

PACKAGE = "borderline.pipelines.explain_images"


def render(
    model: str,
    folder: str,
    pair_names: Mapping[str, str],
    found: Counterfactuals,
    table: pd.DataFrame,
    boundary: Boundary,
    settings: CounterfactualsParams,
) -> str:
    """The page about the images of a folder, as a model sees them."""
    names, threshold = ClassNames.of(pair_names), boundary["threshold"]
    unshown = table.drop(index=found["rows"].tolist())
    return rendering.render(
        PACKAGE,
        "explain_images.html",
        charts=False,
        model=model,
        folder=folder,
        source=pair_names["source"],
        names=names,
        images=len(table),
        view=view_counterfactuals(found, table, names, threshold, settings, "images.csv"),
        unshown=[
            (row["image"], None if pd.isna(row["p"]) else f"{row['p']:.2f}", row["note"])
            for row in unshown.to_dict("records")
        ],
        middle=f"p = {threshold:.3g}: boundary",
    )
