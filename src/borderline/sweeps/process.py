"""A run in a process of its own: a crash ends nothing but the run, and the log has all it said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kedro.framework.startup import bootstrap_project
from kedro.runner import AbstractRunner
from kedro.runner.task import Task

import borderline
from borderline.errors import causes


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        says: What went wrong, in one sentence; empty for nothing.
        node: The node that failed; None where it is not known, or where none did.
        began: Whether nodes had begun to run.
    """

    says: str = ""
    node: str | None = None
    began: bool = False


def run_apart(
    arguments: Sequence[str], settings: Mapping[str, Any], project: Path, files: Path
) -> Outcome:
    """``kedro run`` in a process of its own, which ends with this one.

    Args:
        arguments: Of ``kedro run``, but for ``--params``.
        settings: Those of ``--params``, nested.
        project: The project's folder.
        files: The start of the names of its files: ``.log`` goes on, the others are for the two.
    """
    request, answer, log_file = (
        files.with_name(files.name + end) for end in (".request.json", ".outcome.json", ".log")
    )
    request.write_text(json.dumps({"arguments": list(arguments), "settings": settings}))
    answer.unlink(missing_ok=True)
    command = [sys.executable, "-m", "borderline.sweeps.process", str(request), str(answer)]
    here = str(Path(borderline.__file__).parents[1])
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    with log_file.open("a") as log:
        print("$ kedro run", *arguments, "with", json.dumps(settings), file=log, flush=True)
        process = subprocess.Popen(
            command,
            cwd=project,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait()
        finally:
            # Also where this process is interrupted: its workers end with it.
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
    try:
        if status == 0:
            return Outcome()
        if answer.exists():
            return Outcome(**json.loads(answer.read_text()))
        return Outcome(_killed(status))
    finally:
        request.unlink()
        answer.unlink(missing_ok=True)


def _killed(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        memory = ", as a system does that runs out of memory" if name == "SIGKILL" else ""
        return f"Its process was ended by {name}{memory}."
    return f"Its process ended with status {status}."


def outcome_of(error: BaseException) -> Outcome:
    """What an error says, and the node that it comes from.

    Kedro tells nobody which node failed; but its frames, where the run was in this process, do.
    """
    says = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    node, began = None, False
    for cause in causes(error):
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            owner = frame.f_locals.get("self")
            if isinstance(owner, Task):
                node = owner.node.name
            began = began or (isinstance(owner, AbstractRunner) and frame.f_code.co_name == "_run")
    return Outcome(" ".join(str(says).split()), node, began)


def _end_with_parent() -> None:
    """Wait for the end of the pipe from the parent, which comes with its end, however it ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """The other side of :func:`run_apart`."""
    request, answer = map(Path, sys.argv[1:])
    asked = json.loads(request.read_text())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    bootstrap_project(Path.cwd())
    from borderline.commands.run import run

    try:
        run.main(
            asked["arguments"],
            prog_name="kedro run",
            standalone_mode=False,
            default_map={"params": asked["settings"]},
        )
    except Exception as error:
        traceback.print_exc()
        beside = answer.with_suffix(".half")
        beside.write_text(json.dumps(asdict(outcome_of(error))))
        beside.replace(answer)
        sys.exit(1)


if __name__ == "__main__":
    main()
