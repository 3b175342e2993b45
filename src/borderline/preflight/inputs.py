"""Checks that a run's inputs exist and its results can be written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.params import Pairing
    from borderline.preflight.configuration import Globals, Parameters

_LEAST_FREE_BYTES = 500 * 2**20


def check_inputs(
    pipeline: Pipeline,
    catalog: DataCatalog,
    stages: Mapping[str, Pipeline],
    requested: Iterable[str],
    command: str,
) -> None:
    """Check that the results of earlier stages are there; else name the command that makes them."""
    missing = _missing(pipeline, catalog)
    if not missing:
        return
    named = set(requested) & set(stages)
    needed = set(named)
    gap = missing
    while gap:
        makers = {name for name in stages if stages[name].all_outputs() & gap} - needed
        if not makers:
            break
        needed |= makers
        gap = _missing(sum((stages[name] for name in needed), Pipeline([])), catalog)
    shown = sorted(missing)[0]
    together = ",".join(name for name in stages if name in needed)
    raise BorderlineError(
        f"{' and '.join(sorted(named) or ['This run'])} needs {shown!r}, which an earlier stage "
        f"makes and which is not there yet: run `{command} --pipelines {together}`."
    )


def check_pairing(pairing: Pairing | None, requested: Iterable[str]) -> None:
    """Check that a requested comparison has two different models.

    Raises:
        BorderlineError: When both are the same.
    """
    if pairing is None or "compare" not in requested:
        return
    if not pairing.elsewhere and pairing.this == pairing.other:
        raise BorderlineError(
            f"compare.other is {pairing.other!r}, and so is compare.this: name another model of "
            "grid.models, or another finished run with other_run.data_folder."
        )


def check_other_run(catalog: DataCatalog, pipeline: Pipeline, parameters: Parameters) -> None:
    """Check that the other run of a comparison is there, and finished.

    Raises:
        BorderlineError: When one of its results is missing.
    """
    missing = sorted(n for n in _missing(pipeline, catalog) if n.startswith("other_run."))
    if missing:
        from borderline.preflight.configuration import pair_up

        other, pairing = parameters.other_run, pair_up(parameters)
        dataset: Any = catalog.get(missing[0])
        raise BorderlineError(
            f"other_run.data_folder is {other.data_folder!r}, but no finished run with a model "
            f"{pairing.other!r} is there ({dataset._filepath} is missing): correct it, "
            "other_run.case or compare.other, or finish that run."
        )


def check_judges(catalog: DataCatalog, pipeline: Pipeline) -> None:
    """Check that the weights of Inception can be loaded, if the pipeline uses them.

    Raises:
        BorderlineError: When they cannot.
    """
    if "inception" in pipeline.inputs():
        catalog.load("inception")


def check_study_storage(pipeline: Pipeline, about: Globals) -> None:
    """Check that the database of the searches can be opened, if the pipeline uses one."""
    searches = any(name.endswith("study_storage") for name in pipeline.inputs())
    if about.study_storage is not None and searches:
        from borderline.datasets import StudyStorage

        try:
            StudyStorage(filepath="", url=about.study_storage).load()
        except DatasetError as error:
            raise BorderlineError(str(error)) from error


def check_data_folder(folder: Path) -> None:
    """Check that results can be written to the data folder, which need not exist yet."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but {existing} cannot be written "
            f"({error.strerror}): fix its permissions, or name another folder in "
            "conf/<env>/globals.yml."
        ) from error
    free = shutil.disk_usage(existing).free
    if free < _LEAST_FREE_BYTES:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but its disk has only {free / 2**20:.0f} MB left and "
            f"a run needs at least {_LEAST_FREE_BYTES / 2**20:.0f} MB: free disk space, or name a "
            "folder on another disk in conf/<env>/globals.yml."
        )


def _missing(pipeline: Pipeline, catalog: DataCatalog) -> set[str]:
    return {
        name
        for name in pipeline.inputs()
        if not name.startswith("params:") and name != "parameters" and not catalog.exists(name)
    }
