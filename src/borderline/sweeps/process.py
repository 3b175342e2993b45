"""A run in its own process: a crash ends only this run, and its output goes to a log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kedro.runner import AbstractRunner
from kedro.runner.task import Task

import borderline
from borderline.commands.project import start
from borderline.errors import causes


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes:
        says: The error, in one sentence; empty for success.
        node: The node that failed; None if it is unknown, or if none failed.
        began: Whether nodes had started to run.
        outside: Whether the machine is the reason, such as a full disk.
        status: The exit status of the command for an error that a user can correct; None for a bug.
    """

    says: str = ""
    node: str | None = None
    began: bool = False
    outside: bool = False
    status: int | None = None


def run_in_process(
    arguments: Sequence[str],
    settings: Mapping[str, Any],
    project: Path,
    files: Path,
    began: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
) -> Outcome:
    """``kedro run`` in its own process, which ends with this one; ``began`` gets the process."""
    request, answer, log_file = (
        files.with_name(files.name + end) for end in (".request.json", ".outcome.json", ".log")
    )
    request.write_text(json.dumps({"arguments": list(arguments), "settings": settings}))
    answer.unlink(missing_ok=True)
    command = [sys.executable, "-m", "borderline.sweeps.process", str(request), str(answer)]
    here = str(Path(borderline.__file__).parents[1])
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    # A request may hold characters that no file can.
    with log_file.open("a", errors="backslashreplace") as log:
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
            began(process)
            status = process.wait()
        finally:
            # Closing the pipe ends the process and its workers, also after an interrupt.
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
        memory = ", probably because the machine ran out of memory" if name == "SIGKILL" else ""
        return f"Its process was ended by {name}{memory}."
    return f"Its process ended with status {status}."


def outcome_of(error: BaseException) -> Outcome:
    """The message of an error, and the node that it comes from.

    Kedro does not report the node, but the frames of the traceback hold it if the run was in this
    process.
    """
    says = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    node, began, outside = None, False, False
    for cause in causes(error):
        memory = isinstance(cause, MemoryError) or "OutOfMemory" in type(cause).__name__
        outside = outside or memory or isinstance(cause, OSError)
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            owner = frame.f_locals.get("self")
            if isinstance(owner, Task):
                node = owner.node.name
            began = began or (isinstance(owner, AbstractRunner) and frame.f_code.co_name == "_run")
    status = getattr(error, "exit_code", None)
    return Outcome(" ".join(str(says).split()), node, began, outside, status)


def _end_with_parent() -> None:
    """End this process group when the pipe from the parent closes, however the parent ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Run ``kedro run`` for :func:`run_in_process`."""
    request, answer = map(Path, sys.argv[1:])
    wanted = json.loads(request.read_text())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start(Path.cwd())
    from borderline.commands.run import run

    try:
        run.main(
            wanted["arguments"],
            prog_name="kedro run",
            standalone_mode=False,
            default_map={"params": wanted["settings"]},
        )
    except Exception as error:
        traceback.print_exc()
        temporary = answer.with_suffix(".half")
        temporary.write_text(json.dumps(asdict(outcome_of(error))))
        temporary.replace(answer)
        sys.exit(1)


if __name__ == "__main__":
    main()
