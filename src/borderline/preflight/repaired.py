"""Checks of the repaired models of the grid, which `kedro run --pipelines repair` makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline import ledger
from borderline.datasets.digests import digests_of
from borderline.errors import BorderlineError
from borderline.grid import Layout
from borderline.params import CallParams, flat
from borderline.pipeline_registry import STAGES

REPAIRED = "repaired"
"""The dataset name of the repaired version of a model."""
_KEEPER = "repair.keep_repaired"
_ABSENT = object()


def check_repairable(layout: Layout) -> None:
    """Check that the repair has a model to repair."""
    if layout.models and not set(layout.models) - set(layout.repaired):
        names, bases = ", ".join(layout.models), ", ".join(dict.fromkeys(layout.repaired.values()))
        raise BorderlineError(
            f"grid.models is {names}, but a repaired model is not repaired again: add {bases}."
        )


def check_repaired_there(
    catalog: DataCatalog, layout: Layout, pipeline: Pipeline, call: CallParams
) -> None:
    """Check that the repaired models of a pipeline are on disk; else name the command."""
    for name, of in _taken(layout, pipeline):
        if not catalog.exists(f"{of}.{REPAIRED}"):
            finished = catalog.exists(f"{of}.findings")
            raise BorderlineError(
                f"{name} is the repaired version of {of}, which has not been repaired yet: run "
                f"`{_command(layout, of, call, whole=not finished)}` first."
            )


def digests_of_repaired(
    book: ledger.Ledger,
    catalog: DataCatalog,
    layout: Layout,
    pipeline: Pipeline,
    settings: Mapping[str, Any],
    call: CallParams,
) -> dict[str, str]:
    """Check the repaired models of a pipeline; gives the digests of their weights by dataset.

    Args:
        book: The ledger.
        catalog: The catalog.
        layout: All models.
        pipeline: The pipeline.
        settings: The present settings, nested, and the digests of imported files by dataset.
        call: The call of the run, with all its settings.

    Raises:
        BorderlineError: When the repair did not finish, when the model was repaired with other
            settings, or when its file was changed or is not trusted.
    """
    digests, present = {}, dict(flat(settings))
    for _, of in _taken(layout, pipeline):
        name = f"{of}.{REPAIRED}"
        whole, alone = (_command(layout, of, call, whole=whole) for whole in (True, False))
        made = ledger.entry(book, f"{of}.{_KEEPER}", f"run `{alone}`.")
        if "settings" not in made:
            raise BorderlineError(
                f"The repair of {of} did not finish, or its ledger is not there: run `{alone}`."
            )
        for setting, former in made["settings"].items():
            # A result that is gone, such as that of a removed generator, has no other value.
            now = present.get(setting, _ABSENT)
            if now not in (former, _ABSENT):
                again = alone if setting.startswith("repair.") else whole
                raise BorderlineError(
                    f"{setting} is {now!r}, but {of} was repaired with {former!r}: set it back, or "
                    f"run `{again}`."
                )
        dataset: Any = catalog.get(name)
        if ledger.changed_file(made.get("results", {}).get(name), digests_of(dataset)) is not None:
            raise BorderlineError(
                f"{dataset._filepath} was changed, damaged or removed after repair made it: put "
                f"the original back, or run `{alone}`."
            )
        dataset.check(f"make it again with `{alone}`")
        digests[name] = _digest(catalog, name)
    return digests


def digests_of_made(catalog: DataCatalog, layout: Layout, ran: Pipeline) -> dict[str, str]:
    """The digests of the repaired models that a pipeline has made and taken, by dataset."""
    names = {f"{of}.{REPAIRED}" for of in layout.repaired.values()} & ran.all_outputs()
    return {name: _digest(catalog, name) for name in names}


def is_keeper(node: str) -> bool:
    """Whether a node makes the file of a repaired model."""
    return node.endswith(f".{_KEEPER}")


def with_origins(
    entries: dict[str, ledger.Entry],
    road: Pipeline,
    settings: Mapping[str, Any],
    given: Mapping[str, Any],
) -> dict[str, ledger.Entry]:
    """The entries, in which that of a repaired model has the settings of all nodes before it."""
    for name, entry in entries.items():
        if is_keeper(name):
            for node in road.to_nodes(name).nodes:
                entry["settings"] |= ledger.settings_of(node, settings, given)
    return entries


def whole_call(env: str | None, changed: Mapping[str, Any] | None) -> CallParams:
    """The call of a run with all settings of ``--params``."""
    return CallParams(environment=env, changed=dict(flat(changed or {})))


def _taken(layout: Layout, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """The repaired models of a pipeline which it does not repair, and the models that were."""
    made, names = pipeline.all_outputs(), pipeline.datasets()
    for name, of in layout.repaired.items():
        if f"{of}.{REPAIRED}" not in made and any(d.startswith(f"{name}.") for d in names):
            yield name, of


def _command(layout: Layout, of: str, call: CallParams, *, whole: bool) -> str:
    """The command that repairs a model, with all stages before if ``whole``."""
    if whole or of not in layout.models:
        models = dict.fromkeys([*(m for m in layout.models if m not in layout.repaired), of])
        call = call.model_copy(update={"changed": {**call.changed, "grid.models": [*models]}})
    stages = [*STAGES, "repair"] if whole else ["repair"]
    return f"{call.command()} --pipelines {','.join(stages)}"


def _digest(catalog: DataCatalog, name: str) -> str:
    from borderline.datasets.tensors import digest_of_weights

    return digest_of_weights(catalog.load(name))
