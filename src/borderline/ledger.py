"""The ledger: the settings that each stage's results on disk were made with.

Trainings guard their checkpoints themselves. What the ledger adds is the rest: a stage that runs
alone takes what earlier stages left, and must not mix it with other settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kedro.pipeline import Pipeline

from borderline.errors import BorderlineError
from borderline.params import flat

Ledger = dict[str, dict[str, Any]]
"""Settings by dotted name, for each stage that ran to its end; and the images under ``SOURCE``."""

Given = Mapping[str, Mapping[str, Any]]

SOURCE = "source"
_NO_MATTER = ".device"
# Who called, and whom `compare` compares, changes no result.
_ABOUT_THE_CALL = ("params:call", "params:pairing")


def settings_of(stage: Pipeline, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting that a stage's nodes take, by dotted name.

    Args:
        stage: The stage's nodes.
        parameters: All settings of the run, as nested dictionaries of JSON's types.
    """
    settings: dict[str, Any] = {}
    for name in stage.inputs():
        if name.startswith("params:") and name not in _ABOUT_THE_CALL:
            value: Any = parameters
            path = name.removeprefix("params:")
            for part in path.split("."):
                value = value[part]
            settings.update(flat({path: value}))
    return {name: value for name, value in settings.items() if not name.endswith(_NO_MATTER)}


def check(
    ledger: Ledger,
    stages: Mapping[str, Pipeline],
    running: set[str],
    parameters: Mapping[str, Any],
    command: str,
    given: Given = MappingProxyType({}),
) -> None:
    """Make sure that what a run takes from stages outside of it was made with its settings.

    Args:
        ledger: What is on disk.
        stages: All stages in their order.
        running: The stages that are about to run.
        parameters: All settings of the run, as nested dictionaries of JSON's types.
        command: The start of a command that runs stages, for the message.
        given: Of stages, what they take that is no setting of their nodes.

    Raises:
        BorderlineError: When a stage has not run to its end, when one that it takes from runs
            again, or when it ran with other settings; it gives the command that helps.
    """
    order = list(stages)
    if not running:
        return
    last = max(order.index(stage) for stage in running)
    for position, stage in enumerate(order[:last]):
        if stage in running:
            continue
        again = [name for name in order[: last + 1] if name in running or name in order[position:]]
        remedy = f"run `{command} --pipelines {','.join(again)}`."
        if stage not in ledger or any(name in running for name in order[:position]):
            raise BorderlineError(
                f"The results of {stage} are not those of a run to its end with the present "
                f"results of the stages before it: {remedy}"
            )
        settings = settings_of(stages[stage], parameters) | dict(given.get(stage, {}))
        for name, value in settings.items():
            if ledger[stage].get(name) != value:
                raise BorderlineError(
                    f"{name} is {value!r}, but {stage} last ran with {ledger[stage].get(name)!r}: "
                    f"set it back, or {remedy}"
                )


def opened(ledger: Ledger, stages: Mapping[str, Pipeline], running: set[str]) -> Ledger:
    """The ledger at the start of a run: without the stages that run and all that follow them."""
    order = list(stages)
    first = min((order.index(stage) for stage in running), default=len(order))
    return {name: entry for name, entry in ledger.items() if name not in order[first:]}


def closed(
    ledger: Ledger,
    stages: Mapping[str, Pipeline],
    running: set[str],
    parameters: Mapping[str, Any],
    given: Given = MappingProxyType({}),
) -> Ledger:
    """The ledger at the end of a run: with the stages that ran."""
    return ledger | {
        stage: {**settings_of(stages[stage], parameters), **given.get(stage, {})}
        for stage in running
    }
