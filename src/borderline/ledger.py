"""The ledger: the settings that each node's results on disk were made with.

A run of some stages or nodes takes the results of others, and must not mix them with other
settings. Each node has its own entry, a file, so that several machines can run nodes at the same
time. Checkpoints are not in the ledger, because each contains its settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from borderline.errors import BorderlineError
from borderline.params import flat

Entry = dict[str, Any]
"""The ``settings`` of a finished node, by dotted name; empty for a node that did not finish."""

Ledger = Mapping[str, Callable[[], Entry]]
"""Loaders of the nodes' entries by name, and of the entry about the images, ``SOURCE``."""

SOURCE = "source"
_NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})


def settings_of(
    node: Node, parameters: Mapping[str, Any], given: Mapping[str, Any] = _NOTHING_GIVEN
) -> dict[str, Any]:
    """The settings that the results of a node depend on, by dotted name.

    ``parameters`` are nested JSON types; ``given`` has the origins of datasets made elsewhere.
    """
    settings = {name: value for name, value in given.items() if name in node.inputs}
    paths = [name.removeprefix("params:") for name in node.inputs if name.startswith("params:")]
    for path in paths:
        group, *names = path.split(".")
        # Results do not depend on groups that are not there, such as the call.
        if group in parameters:
            value = reduce(lambda values, name: values[name], names, parameters[group])
            settings.update(flat({path: value}))
    return settings


def entry(ledger: Ledger, name: str) -> Entry:
    """The entry of a name; empty if there is none."""
    return ledger[name]() if name in ledger else {}


def check(
    ledger: Ledger,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    parameters: Mapping[str, Any],
    command: str,
    given: Mapping[str, Any] = _NOTHING_GIVEN,
) -> None:
    """Make sure that the results that a run takes from other nodes were made with its settings.

    Raises:
        BorderlineError: When such a node did not finish, when a node before it runs again, or when
            it ran with other settings; the message gives the command that helps.
    """
    order = list(stages)
    place = {node.name: order.index(name) for name in order for node in stages[name].nodes}
    names = {node.name for node in running.nodes}
    if not names:
        return
    road = Pipeline(stages.values())
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
                f"The results of {stage} are not from a finished run on the present results of the "
                f"stages before it: {remedy}"
            )
        for name, value in settings_of(node, parameters, given).items():
            if made.get(name) != value:
                raise BorderlineError(
                    f"{name} is {value!r}, but {stage} last ran with {made.get(name)!r}: "
                    f"set it back, or {remedy}"
                )


def opened(ledger: Ledger, stages: Mapping[str, Pipeline], running: Pipeline) -> dict[str, Entry]:
    """The entries at the start of a run: empty for its nodes and all nodes after them."""
    road = Pipeline(stages.values())
    following = road.from_nodes(*(node.name for node in running.nodes)).nodes
    return {node.name: {} for node in following if node.name in ledger}


def closed(
    running: Pipeline,
    parameters: Mapping[str, Any],
    given: Mapping[str, Any] = _NOTHING_GIVEN,
) -> dict[str, Entry]:
    """The entries at the end of a run: the settings of its nodes."""
    return {node.name: {"settings": settings_of(node, parameters, given)} for node in running.nodes}
