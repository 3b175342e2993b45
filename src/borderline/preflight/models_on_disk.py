"""Checks of stored models and clusters that a run takes as they are."""

from __future__ import annotations

from collections.abc import Mapping

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline import ledger


def check_models(
    running: Pipeline, catalog: DataCatalog, stages: Mapping[str, Pipeline], command: str
) -> None:
    """Check that the files which can run code are of this project, or trusted, and whole.

    A project without a key gets one here if the run needs it.
    """
    from borderline.datasets.keys import KeyedFile

    for name in sorted(running.all_outputs()):
        if isinstance(dataset := catalog.get(name), KeyedFile):
            dataset.key.make()
            break
    for name in sorted(running.inputs()):
        if isinstance(dataset := catalog.get(name), KeyedFile) and dataset.exists():
            makers = [stage for stage in stages if name in stages[stage].all_outputs()]
            remedy = "choose another run or another model to compare with"
            if makers:
                again = ledger.again(stages, running, makers[0], command)
                remedy = f"make it again with `{again}`"
            dataset.check(remedy)
