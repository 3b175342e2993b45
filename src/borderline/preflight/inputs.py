"""Whether what a run takes is there, and what it leaves can be written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from borderline.datasets import StudyStorage
from borderline.errors import BorderlineError
from borderline.params import Pairing
from borderline.preflight.configuration import Globals, Parameters, pair_up

_LEAST_FREE_BYTES = 500 * 2**20


def check_inputs(
    pipeline: Pipeline,
    catalog: DataCatalog,
    stages: Mapping[str, Pipeline],
    requested: Iterable[str],
    command: str,
) -> None:
    """Make sure that what earlier stages leave behind is there.

    Args:
        pipeline: What is about to run.
        catalog: Where its inputs are.
        stages: All stages in their order.
        requested: The names of the stages that were asked for.
        command: The start of a command that runs stages, for the message.

    Raises:
        BorderlineError: When an input is missing; it gives the command that makes it.
    """
    missing = _missing(pipeline, catalog)
    if not missing:
        return
    asked = set(requested) & set(stages)
    needed = set(asked)
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
        f"{' and '.join(sorted(asked) or ['This run'])} needs {shown!r}, which an earlier stage "
        f"makes and which is not there yet: run `{command} --pipelines {together}`."
    )


def check_pairing(pairing: Pairing | None, requested: Iterable[str]) -> None:
    """Make sure that there are two models to compare, where that is asked for.

    Raises:
        BorderlineError: When there are not.
    """
    if pairing is None or "compare" not in requested:
        return
    if not pairing.elsewhere and pairing.this == pairing.other:
        raise BorderlineError(
            f"compare.other is {pairing.other!r}, and so is compare.this: name another model of "
            "grid.models, or another finished run with other_run.data_folder."
        )


def check_other_run(catalog: DataCatalog, pipeline: Pipeline, parameters: Parameters) -> None:
    """Make sure that the other run of a comparison is there, and finished.

    Raises:
        BorderlineError: When it is not.
    """
    missing = sorted(n for n in _missing(pipeline, catalog) if n.startswith("other_run."))
    if missing:
        other, pairing = parameters.other_run, pair_up(parameters)
        path: Any = catalog.get(missing[0])
        raise BorderlineError(
            f"other_run.data_folder is {other.data_folder!r}, but no finished run with a model "
            f"{pairing.other!r} is there ({path._filepath} is missing): correct it, other_run.case "
            "or compare.other, or drive that run to its end."
        )


def check_judges(catalog: DataCatalog, pipeline: Pipeline) -> None:
    """Make sure that the judges from elsewhere can be had.

    Raises:
        BorderlineError: When the pipeline takes Inception and its weights cannot.
    """
    if "inception" in pipeline.inputs():
        catalog.load("inception")


def check_study_storage(pipeline: Pipeline, about: Globals) -> None:
    """Make sure that the database of the searches, where one is named, can be opened.

    Raises:
        BorderlineError: When the pipeline searches and it cannot.
    """
    searches = any(name.endswith("study_storage") for name in pipeline.inputs())
    if about.study_storage is not None and searches:
        try:
            StudyStorage(filepath="", url=about.study_storage).load()
        except DatasetError as error:
            raise BorderlineError(str(error)) from error


def check_data_folder(folder: Path) -> None:
    """Make sure that results can be written.

    Args:
        folder: The data folder; it need not exist yet.

    Raises:
        BorderlineError: When it cannot be written, or when its disk is nearly full.
    """
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but {existing} cannot be written "
            f"({error.strerror}): give yourself the right to write there, or name another folder "
            "in conf/<env>/globals.yml."
        ) from error
    free = shutil.disk_usage(existing).free
    if free < _LEAST_FREE_BYTES:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but its disk has only {free / 2**20:.0f} MB left and "
            f"a run needs at least {_LEAST_FREE_BYTES / 2**20:.0f} MB: make room, or name a folder "
            "on another disk in conf/<env>/globals.yml."
        )


def _missing(pipeline: Pipeline, catalog: DataCatalog) -> set[str]:
    return {
        name
        for name in pipeline.inputs()
        if not name.startswith("params:") and name != "parameters" and not catalog.exists(name)
    }
