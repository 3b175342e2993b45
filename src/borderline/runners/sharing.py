"""Checks that workers can share datasets: none may live in the memory of one process."""

from __future__ import annotations

import pickle

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from borderline.errors import BorderlineError


def catalog_of(node: Node, catalog: DataCatalog) -> DataCatalog:
    """A catalog with the datasets of one node, for a worker."""
    datasets = {name: catalog.get(name) for name in {*node.inputs, *node.outputs}}
    return DataCatalog({name: dataset for name, dataset in datasets.items() if dataset is not None})


def check_shareable(pipeline: Pipeline, catalog: DataCatalog, *, several_machines: bool) -> None:
    """Check that a worker can load what another one saves."""
    from borderline.datasets import StudyStorage

    for name in sorted(pipeline.datasets()):
        dataset = catalog.get(name)
        if dataset is None or name == "parameters" or name.startswith("params:"):
            continue
        remedy = "save it to a file in conf/base/catalog*.yml, or use --runner SequentialRunner."
        if getattr(dataset, "_EPHEMERAL", False):
            raise BorderlineError(
                f"{name} lives in the memory of one process, which workers do not share: {remedy}"
            )
        if getattr(dataset, "_SINGLE_PROCESS", False):
            raise BorderlineError(
                f"{name} is a {type(dataset).__name__}, which is for one process only: {remedy}"
            )
        if several_machines and isinstance(dataset, StudyStorage) and dataset.is_local_file:
            raise BorderlineError(
                f"{name} is an SQLite file, which several machines cannot share safely: set "
                "study_storage in conf/<env>/globals.yml to the address of a database "
                "(postgresql://...), or data_folder to a bucket."
            )
        try:
            pickle.dumps(dataset)
        except Exception as error:
            raise BorderlineError(
                f"{name} is a {type(dataset).__name__}, which cannot be sent to a worker "
                f"({error}): {remedy}"
            ) from error
