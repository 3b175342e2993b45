"""The road on two workers, one of which is killed while it trains: the same tables."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import (
    assert_same_tables,
    cut_short,
    kedro_run_command,
    models_folder,
    reporting_folder,
)

pytestmark = pytest.mark.road

DASK = ("--runner", "borderline.runners.DaskRunner")
TWO = ("--runner-params", "max_workers=2")
STAGES = ("--pipelines", "classifier,gasten,metrics,clustering")
BEGINS = re.compile(r"(\S+\.train_generator) begins on \d+ \(process (\d+)\)")
COMPLETED = re.compile(r"Completed node: (\S+)")


def entries(project: Path) -> dict[str, Path]:
    """The files of the ledger, by the name of the node."""
    return {file.stem: file for file in (models_folder(project) / "ledger").glob("*.json")}


def run_with_a_kill(project: Path) -> str:
    """The output of a run in which a worker is killed in the middle of a training."""
    with subprocess.Popen(
        kedro_run_command("--env", "test", *STAGES, *DASK, *TWO),
        cwd=project,
        env=os.environ | {"COLUMNS": "300"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output, victim, dead = "", None, False
        for line in process.stdout:
            output += line
            begins = BEGINS.search(line)
            # The longest, so that the kill comes in its middle.
            if victim is None and begins and ".gasten_10." in begins[1]:
                victim = begins
            if victim and not dead and f"{victim[1]} 1/" in line:
                # Nodes are entered when they have finished, so a run that is killed can go on. The
                # last one may not be entered yet.
                finished = COMPLETED.findall(output)[:-1]
                assert len(finished) > 5
                assert set(finished) <= set(entries(project))
                os.kill(int(victim[2]), signal.SIGKILL)
                dead = True
    assert process.returncode == 0, output
    assert dead
    return output


# One test, so that the run happens once for all pytest workers.
def test_run_with_a_killed_worker_gives_the_same_tables(short: Path, project: Path) -> None:
    output = run_with_a_kill(cut_short(project))

    # The tables are those of one process.
    assert_same_tables(reporting_folder(short), reporting_folder(project), least=25)

    # Each node has the seconds of its worker.
    of_nodes = [json.loads(file.read_text()) for n, file in entries(project).items() if "." in n]
    assert len(of_nodes) > 25
    assert all(entry["seconds"] >= 0 for entry in of_nodes)

    # The killed training ran again, and went on from its checkpoint.
    began = [name for name, _ in BEGINS.findall(output)]
    again = [name for name in set(began) if began.count(name) == 2]
    assert len(again) == 1
    assert output.count(f"{again[0]} 1/") <= 2, "one line when it was saved, one when it was read"

    assert "Traceback" not in output
    assert "Unable to create statistics" not in output
