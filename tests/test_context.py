from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.framework.session import KedroSession

from borderline.params import PairParams, RunParams
from borderline.training.params import ModelParams
from conftest import start_kedro


def test_nodes_take_the_checked_settings(project: Path) -> None:
    start_kedro()
    with KedroSession.create(project, env="test", runtime_params={"run": {"seed": 3}}) as session:
        context = session.load_context()
    catalog = context.catalog
    assert isinstance(catalog.load("params:pair"), PairParams)
    assert isinstance(catalog.load("params:models.cnn_1"), ModelParams)
    assert catalog.load("params:run") == RunParams(seed=3, device="auto")
    assert catalog.load("params:generators.gasten_10").epochs == 2


@pytest.mark.parametrize(
    ("dataset", "column"),
    [
        ("disagreements_table", "committee"),
        ("cnn_1.verdicts_table", "top_class"),
        ("cnn_1.counterfactuals_table", "committee"),
        ("pair_columns_table", "site"),
    ],
)
def test_names_that_pandas_takes_for_missing_are_text(
    project: Path, dataset: str, column: str
) -> None:
    start_kedro()
    with KedroSession.create(project, env="test") as session:
        catalog = session.load_context().catalog
    names = ["NA", "None", "null", "nan", "7"]
    table = pd.DataFrame({column: names, "number": [0.5, np.nan, np.inf, 2, 3]})
    catalog.save(dataset, table)
    pd.testing.assert_frame_equal(catalog.load(dataset), table)


def test_missing_values_beside_the_images_stay_missing(project: Path) -> None:
    start_kedro()
    with KedroSession.create(project, env="test") as session:
        catalog = session.load_context().catalog
    table = pd.DataFrame({"site": ["NA", None], "age": [np.nan, 60], "smokes": [True, None]})
    catalog.save("pair_columns_table", table)
    loaded = catalog.load("pair_columns_table")
    assert loaded.isna().to_numpy().tolist() == table.isna().to_numpy().tolist()
    assert loaded["age"].dtype == float
