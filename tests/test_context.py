from __future__ import annotations

from pathlib import Path

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
