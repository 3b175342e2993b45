"""The ledger: the settings that each node's results on disk were made with.

Trainings guard their checkpoints themselves. What the ledger adds is the rest: a run of some stages
or nodes takes what others left, and must not mix it with other settings. A node has an entry of its
own, a file, so that parts of the road may run at the same time, on several machines too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from borderline.errors import BorderlineError
from borderline.params import flat

Entry = dict[str, Any]
"""``settings``, by dotted name, that a node ran to its end with; empty for one that did not."""

Ledger = Mapping[str, Callable[[], Entry]]
"""What loads the entry of a node, by name; and the one about the images, under ``SOURCE``."""

SOURCE = "source"
# Neither does where a file is: its content counts.
_NO_MATTER = (".device", ".source.path", ".source.credentials", ".source.trust")
# Who called, and whom `compare` compares, changes no result.
_ABOUT_THE_CALL = ("params:call", "params:pairing")
_NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})


def settings_of(
    node: Node, parameters: Mapping[str, Any], given: Mapping[str, Any] = _NOTHING_GIVEN
) -> dict[str, Any]:
    """Every setting that a node takes, by dotted name.

    Args:
        node: The node.
        parameters: All settings of the run, as nested dictionaries of JSON's types.
        given: Of datasets that come from elsewhere, where from.
    """
    settings = {name: value for name, value in given.items() if name in node.inputs}
    for name in node.inputs:
        if name.startswith("params:") and name not in _ABOUT_THE_CALL:
            value: Any = parameters
            path = name.removeprefix("params:")
            for part in path.split("."):
                value = value[part]
            settings.update(flat({path: value}))
    return {name: value for name, value in settings.items() if not name.endswith(_NO_MATTER)}


def entry(ledger: Ledger, name: str) -> Entry:
    """The entry of a name; empty where there is none."""
    return ledger[name]() if name in ledger else {}


def check(
    ledger: Ledger,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    parameters: Mapping[str, Any],
    command: str,
    given: Mapping[str, Any] = _NOTHING_GIVEN,
) -> None:
    """Make sure that what a run takes from nodes outside of it was made with its settings.

    Args:
        ledger: What is on disk.
        stages: All stages in their order.
        running: The nodes that are about to run.
        parameters: All settings of the run, as nested dictionaries of JSON's types.
        command: The start of a command that runs stages, for the message.
        given: Of datasets that come from elsewhere, where from.

    Raises:
        BorderlineError: When such a node has not run to its end, when one that it takes from runs
            again, or when it ran with other settings; it gives the command that helps.
    """
    order = list(stages)
    place = {node.name: order.index(name) for name in order for node in stages[name].nodes}
    names = {node.name for node in running.nodes}
    if not names:
        return
    road = sum(stages.values(), Pipeline([]))
    outside = [node for node in road.to_nodes(*names).nodes if node.name not in names]
    following = {node.name for node in road.from_nodes(*names).nodes}
    touched = {place[name] for name in names}
    for node in sorted(outside, key=lambda node: place[node.name]):
        position, stage = place[node.name], order[place[node.name]]
        again = [
            name
            for i, name in enumerate(order[: max(touched) + 1])
            if i in touched or i >= position
        ]
        remedy = f"run `{command} --pipelines {','.join(again)}`."
        made = entry(ledger, node.name).get("settings")
        if made is None or node.name in following:
            raise BorderlineError(
                f"The results of {stage} are not those of a run to its end with the present "
                f"results of the stages before it: {remedy}"
            )
        for name, value in settings_of(node, parameters, given).items():
            if made.get(name) != value:
                raise BorderlineError(
                    f"{name} is {value!r}, but {stage} last ran with {made.get(name)!r}: "
                    f"set it back, or {remedy}"
                )


def opened(ledger: Ledger, stages: Mapping[str, Pipeline], running: Pipeline) -> dict[str, Entry]:
    """What a run enters at its start: no settings for its nodes and all that follow them."""
    road = sum(stages.values(), Pipeline([]))
    following = road.from_nodes(*(node.name for node in running.nodes)).nodes
    return {node.name: {} for node in following if node.name in ledger}


def closed(
    running: Pipeline,
    parameters: Mapping[str, Any],
    given: Mapping[str, Any] = _NOTHING_GIVEN,
) -> dict[str, Entry]:
    """What a run enters at its end: the settings of its nodes."""
    return {node.name: {"settings": settings_of(node, parameters, given)} for node in running.nodes}
