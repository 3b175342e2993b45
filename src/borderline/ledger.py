"""The ledger: the settings of each node, and digests of its results on disk.

A run of some stages or nodes takes the results of others, and must neither mix them with other
settings nor take a damaged file for a result. Each node has its own entry, a file, so that several
machines can run nodes at the same time. Checkpoints contain their own settings too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from kedro.io import DatasetError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from borderline.errors import BorderlineError
from borderline.params import flat

Entry = dict[str, Any]
"""The ``settings`` of a finished node by dotted name, its ``inputs`` and ``results``: digests by
dataset, and its ``seconds`` in this run, where its runner knows them; on a worker of Dask they
include the loading of its inputs.

Empty for a node that did not finish. Entries of earlier versions have no ``results`` or ``inputs``.
"""

Ledger = Mapping[str, Callable[[], Entry]]
"""Loaders of the nodes' entries by name, and of the entry about the images, ``SOURCE``."""

Digests = Callable[[str], Mapping[str, str] | None]
"""Gives the digests of a dataset's files as they are now; None for one without files."""

SOURCE = "source"
CODE = ".code"
"""Ends the name of the origin that is the code of a dataset made elsewhere."""
_MODELS = "grid.models"
_DIGEST = re.compile("[0-9a-f]{16,64} [0-9a-f]{16,64}")
_NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})


def settings_of(
    node: Node, parameters: Mapping[str, Any], given: Mapping[str, Any] = _NOTHING_GIVEN
) -> dict[str, Any]:
    """The settings that the results of a node depend on, by dotted name.

    ``parameters`` are nested JSON types; ``given`` has the origins of datasets made elsewhere, each
    a value, or values by name.
    """
    taken = {name: v for name, v in given.items() if name.removesuffix(CODE) in node.inputs}
    settings = dict(flat(taken))
    for path in _paths(node):
        group, *names = path.split(".")
        # Results do not depend on groups that are not there, such as the call.
        if group in parameters:
            value = reduce(lambda values, name: values[name], names, parameters[group])
            settings.update(flat({path: value}))
    # The nodes of a model do not depend on the other models of the grid.
    if node.name.partition(".")[0] in settings.get(_MODELS, ()):
        del settings[_MODELS]
    return settings


def _paths(node: Node) -> list[str]:
    """The settings and groups of settings that a node takes."""
    return [name.removeprefix("params:") for name in node.inputs if name.startswith("params:")]


def entry(ledger: Ledger, name: str, remedy: str, place: str = "") -> Entry:
    """The entry of a name; empty if there is none.

    Raises:
        BorderlineError: When the entry is damaged; the sentence names the ``place`` of another
            run's ledger, and ends with ``remedy``.
    """
    if name not in ledger:
        return {}
    try:
        found = ledger[name]()
        if all(isinstance(found.get(group, {}), dict) for group in ("settings", "results")):
            return found
    except (AttributeError, DatasetError):
        pass
    where = f"the ledger {place}" if place else "the ledger"
    raise BorderlineError(f"The entry {name!r} of {where} is damaged: {remedy}")


def check(
    ledger: Ledger,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    parameters: Mapping[str, Any],
    command: str,
    given: Mapping[str, Any] = _NOTHING_GIVEN,
    earlier: Mapping[str, Any] = _NOTHING_GIVEN,
) -> None:
    """Make sure that the results that a run takes from other nodes were made with its settings.

    ``earlier`` has the values of settings that entries of earlier versions lack.

    Raises:
        BorderlineError: When such a node did not finish, when a node before it runs again, when it
            ran with other settings, or when its entry is damaged; the message gives the command
            that helps.
    """
    names = {node.name for node in running.nodes}
    if not names:
        return
    home = {node.name: name for name, stage in stages.items() for node in stage.nodes}
    order = list(stages)
    road = Pipeline(stages.values())
    outside = [node for node in road.to_nodes(*names).nodes if node.name not in names]
    following = {node.name for node in road.from_nodes(*names).nodes}
    for node in sorted(outside, key=lambda node: order.index(home[node.name])):
        stage = home[node.name]
        remedy = f"run `{again(stages, running, stage, command)}`."
        made = entry(ledger, node.name, remedy).get("settings")
        if made is None or node.name in following:
            raise BorderlineError(
                f"The results of {stage} are not from a finished run on the present results of the "
                f"stages before it: {remedy}"
            )
        for name, former, value in _changed_settings(node, made, parameters, given, earlier):
            if _DIGEST.fullmatch(f"{former} {value}"):
                raise BorderlineError(
                    f"{name} has another content than when {stage} last ran: put the former file "
                    f"back, or {remedy}"
                )
            # A setting of a later version cannot be set back.
            known = name in made or name in earlier
            then = f"with {former!r}: set it back, or" if known else "without this setting:"
            # Labels follow the classes, and folders hold results of the same labels only.
            other = "set dataset in conf/<env>/globals.yml to another name, and run all stages."
            done = other if name == f"{SOURCE}.classes" else remedy
            raise BorderlineError(f"{name} is {value!r}, but {stage} last ran {then} {done}")


def _changed_settings(
    node: Node,
    made: Mapping[str, Any],
    parameters: Mapping[str, Any],
    given: Mapping[str, Any],
    earlier: Mapping[str, Any],
) -> Iterator[tuple[str, Any, Any]]:
    """The settings of a node that changed since its entry was ``made``, each with its values then
    and now; None for one that is not there.

    A group that is taken away, ``realism: null`` in place of ``realism: {by: judge}``, leaves its
    settings behind in the entry.
    """
    now = settings_of(node, parameters, given)
    # The entries of repaired models have settings of other nodes too.
    groups = tuple(f"{path}." for path in _paths(node) if path.partition(".")[0] in parameters)
    left = [name for name in made if name.startswith(groups) and name != _MODELS]
    for name in dict.fromkeys([*now, *left]):
        former, value = made.get(name, earlier.get(name)), now.get(name)
        if former != value:
            yield name, former, value


def unfinished(
    ledger: Ledger,
    asked: Pipeline,
    parameters: Mapping[str, Any],
    is_there: Callable[[str], bool],
    digests: Digests,
    given: Mapping[str, Any] = _NOTHING_GIVEN,
    earlier: Mapping[str, Any] = _NOTHING_GIVEN,
) -> list[str]:
    """The nodes without finished results of the present settings and of the present inputs, and
    all nodes after them.

    Args:
        ledger: The ledger.
        asked: The nodes in question.
        parameters: The present settings, as of :func:`settings_of`.
        is_there: Tells whether a dataset is saved, where other runs find it.
        digests: Gives the present digests of a dataset. An earlier run may have made the inputs of
            a node again, or wired other ones, without the node.
        given: The origins of datasets made elsewhere.
        earlier: The values of settings that entries of earlier versions lack.

    Returns:
        Their names, in the order in which they run.

    Raises:
        BorderlineError: When an entry of the ledger is damaged.
    """
    names: list[str] = []
    remade: set[str] = set()
    for node in asked.nodes:
        whole = entry(ledger, node.name, "run without --only-missing-outputs.")
        made = whole.get("settings")
        finished = (
            made is not None
            and whole.get("inputs") == inputs_of(node, digests)
            and remade.isdisjoint(node.inputs)
            and all(map(is_there, node.outputs))
            and not any(_changed_settings(node, made, parameters, given, earlier))
        )
        if not finished:
            names.append(node.name)
            remade.update(node.outputs)
    return names


def inputs_of(node: Node, digests: Digests) -> dict[str, str]:
    """A digest of each dataset that a node takes, by name; empty for one without files."""
    taken = {name: digests(name) for name in node.inputs if not name.startswith("params:")}
    return {
        name: sha256(json.dumps(dict(now), sort_keys=True).encode()).hexdigest() if now else ""
        for name, now in sorted(taken.items())
    }


def again(stages: Mapping[str, Pipeline], running: Pipeline, stage: str, command: str) -> str:
    """The command that runs a stage again, and from there on the stages of a run."""
    order = list(stages)
    names = {node.name for node in running.nodes}
    touched = {stage} | {name for name in order if names & {n.name for n in stages[name].nodes}}
    last = max(map(order.index, touched))
    wanted = [
        name
        for place, name in enumerate(order[: last + 1])
        if name in touched or place >= order.index(stage)
    ]
    return f"{command} --pipelines {','.join(wanted)}"


def changed_results(
    ledger: Ledger,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    asked: Pipeline,
    digests: Digests,
    command: str,
) -> Iterator[tuple[str, str, str, str]]:
    """The datasets that changed after an earlier run saved them, and that this run takes.

    Args:
        ledger: The ledger.
        stages: All stages that may have made them.
        running: The nodes of the run.
        asked: All nodes that the user asked for; the run may leave out those with results.
        digests: Gives their present digests.
        command: The beginning of the command that makes them again.

    Yields:
        The name of the dataset, the file, the stage that made it, and the command.

    Raises:
        BorderlineError: When an entry of the ledger is damaged.
    """
    repeated = {node.name for node in running.nodes}
    makers = {
        output: (stage, node.name)
        for stage, nodes in stages.items()
        for node in nodes.nodes
        for output in node.outputs
        if node.name not in repeated
    }
    for name in sorted(makers.keys() & asked.datasets()):
        stage, maker = makers[name]
        left_out = maker in {node.name for node in asked.nodes}
        after = asked.from_nodes(maker) if left_out else Pipeline([])
        remedy = again(stages, Pipeline({*running.nodes, *after.nodes}), stage, command)
        made = entry(ledger, maker, f"run `{remedy}`.").get("results", {}).get(name)
        file = changed_file(made, digests(name))
        if file is not None:
            yield name, file, stage, remedy


def changed_file(made: object, now: Mapping[str, str] | None) -> str | None:
    """The first file, by name, whose digest is not that of the ledger; None if all agree.

    Args:
        made: Digests by file, from the ledger; None if it says nothing.
        now: The present digests; None if nothing is there.
    """
    if made is None or now is None:
        return None
    former = made if isinstance(made, dict) else {}
    for name in sorted(map(str, {*former, *now})):
        one, other = str(former.get(name)), str(now.get(name))
        # Results that were copied from a bucket to this machine, or back, have another kind.
        kinds = {digest.partition(":")[0] for digest in (one, other)}
        if one != other and kinds != {"bucket", "sha256"}:
            return name
    return None


def opened(ledger: Ledger, stages: Mapping[str, Pipeline], running: Pipeline) -> dict[str, Entry]:
    """The entries at the start of a run: empty for its nodes and all nodes after them."""
    road = Pipeline(stages.values())
    following = road.from_nodes(*(node.name for node in running.nodes)).nodes
    return {node.name: {} for node in following if node.name in ledger}


def closed(
    running: Pipeline,
    parameters: Mapping[str, Any],
    digests: Digests,
    given: Mapping[str, Any] = _NOTHING_GIVEN,
    seconds: Mapping[str, float] = _NOTHING_GIVEN,
) -> dict[str, Entry]:
    """The entries at the end of a run: the settings of its nodes, and the digests of their inputs
    and results.

    The digests are taken from the disk, whatever process has saved the results.
    """
    return {
        node.name: {
            "settings": settings_of(node, parameters, given),
            "inputs": inputs_of(node, digests),
            "results": {name: made for name in node.outputs if (made := digests(name)) is not None},
            **({"seconds": round(seconds[node.name], 3)} if node.name in seconds else {}),
        }
        for node in running.nodes
    }
