"""A process that shares a search with others: everything is imported once, then it forks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

import numpy as np

from borderline.params import RunParams
from borderline.pipelines.clustering.params import ClusteringParams


@dataclass(frozen=True)
class Searcher:
    """A process of its own, and the line to it."""

    process: ForkServerProcess
    line: Connection

    def says(self) -> Any:
        """The next word of the process; an error if none comes."""
        assert self.line.poll(300), "nothing is heard of it"
        return self.line.recv()

    def finish(self) -> tuple[list[int], list[int]]:
        """The numbers of the trials that it has begun, and of those in its table, at its end."""
        begun = []
        while (word := self.says())[0] == "begun":
            begun.append(word[1])
        self.process.join(60)
        assert self.process.exitcode == 0
        return begun, word[1]


def fork_server() -> ForkServerContext:
    """A fresh process that has imported what a search needs, and forks the searchers.

    It is clean: no thread runs in it, and no connection to a database is open.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["searcher", "psycopg", "borderline.datasets", "borderline.pipelines.clustering.search"]
    )
    return context


def start(
    context: ForkServerContext,
    url: str,
    points: np.ndarray,
    params: ClusteringParams,
    *,
    seconds: float,
    heartbeat: int = 60,
) -> Searcher:
    """A process that waits for ``begin``; several can be started at the same time.

    ``seconds`` is how long a trial takes at least, ``heartbeat`` those between two beats.
    """
    ours, theirs = context.Pipe()
    process = context.Process(
        target=search, args=(theirs, url, points, params, seconds, heartbeat), daemon=True
    )
    process.start()
    theirs.close()
    return Searcher(process, ours)


def begin(*searchers: Searcher) -> None:
    """Let processes begin together, once all of them are ready."""
    for searcher in searchers:
        assert searcher.says() == "ready"
    for searcher in searchers:
        searcher.line.send("begin")


def search(
    line: Connection,
    url: str,
    points: np.ndarray,
    params: ClusteringParams,
    seconds: float,
    heartbeat: int,
) -> None:
    """Search when told to, and say what is done."""
    from borderline.datasets import StudyStorage, study_storage
    from borderline.pipelines.clustering import search

    study_storage._HEARTBEAT_SECONDS = heartbeat
    tried = search._try

    def slow(trial: Any, *arguments: Any) -> Any:
        line.send(("begun", trial.number))
        time.sleep(seconds)
        return tried(trial, *arguments)

    search._try = slow
    storage = StudyStorage(filepath="unused", url=url).load()
    line.send("ready")
    line.recv()
    *_, table = search.search(points, storage, params, RunParams(seed=0, device="cpu"))
    line.send(("table", table["trial"].drop_duplicates().tolist()))
