"""A soak of the whole road: kills at random moments, two runs at once, truncated results.

Every case has to end in the tables of a run that nobody disturbed, or in one sentence. It takes
about half an hour, so it is no test of `make test`: run it from the project's folder with
``python tests/soak.py``, with fewer cases by ``--kills 5 --starts 2 --files 3``.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from borderline.pipeline_registry import STAGES
from conftest import (
    assert_same_tables,
    copy_project,
    cut_short,
    kedro_run,
    kedro_run_command,
    reporting_folder,
)

ROAD = ("--env", "test")
TABLES = 35
_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Seconds between the starts of two runs.
_DELAYS = (0, 0.05, 0.3, 1, 2, 3, 4, 6, 9, 14)
_SUFFIXES = (".csv", ".json", ".safetensors", ".pickle", ".pt", ".sqlite")
_COMMAND = re.compile(r"`kedro run ([^`]*)`")


def outcome_of(project: Path, reference: Path, done: subprocess.CompletedProcess[str]) -> str:
    """The end of a run: ``same tables``, ``one sentence``, or the fault with its output."""
    if done.returncode == 0:
        try:
            assert_same_tables(reporting_folder(project), reporting_folder(reference), least=TABLES)
        except AssertionError as error:
            return f"FAULT: other tables ({str(error).splitlines()[0]})"
        return "same tables"
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    if len(errors) == 1 and "Traceback" not in done.stderr:
        return "one sentence"
    return f"FAULT: status {done.returncode}, {done.stderr[-600:]}"


def kill_at_random(project: Path, reference: Path, kills: int, seconds: float) -> Counter[str]:
    """Kill runs at random moments, each of which goes on from what the one before has left."""
    counts: Counter[str] = Counter()
    while counts["kills"] < kills:
        process = subprocess.Popen(
            kedro_run_command(*ROAD),
            cwd=project,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        moment, chosen = random.uniform(0, seconds), random.choice(_SIGNALS)
        try:
            _, errors = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(chosen)
            process.communicate()
            counts["kills"] += 1
            counts[f"  by {chosen.name}"] += 1
            print(f"{counts['kills']}: {chosen.name} after {moment:.1f} s", flush=True)
            continue
        done = subprocess.CompletedProcess(process.args, process.returncode, "", errors)
        counts[outcome_of(project, reference, done)] += 1
        shutil.rmtree(project / "data")
    counts[outcome_of(project, reference, kedro_run(project, *ROAD))] += 1
    return counts


def start_two(project: Path, reference: Path, starts: int) -> Counter[str]:
    """Start two runs in one folder: one makes the tables, the other ends in one sentence."""
    counts: Counter[str] = Counter()
    for delay in _DELAYS[:starts]:
        shutil.rmtree(project / "data", ignore_errors=True)
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        first = subprocess.Popen(kedro_run_command(*ROAD), cwd=project, **pipes)  # type: ignore[call-overload]
        time.sleep(delay)
        second = subprocess.Popen(kedro_run_command(*ROAD), cwd=project, **pipes)  # type: ignore[call-overload]
        ends = []
        for process in (second, first):
            _, errors = process.communicate()
            done = subprocess.CompletedProcess(process.args, process.returncode, "", errors)
            ends.append(done)
        # The tables are complete only when both have ended.
        end = " and ".join(sorted(outcome_of(project, reference, done) for done in ends))
        counts[end] += 1
        print(f"{delay} s apart: {end}", flush=True)
    return counts


def truncate(project: Path, reference: Path, files: int) -> Counter[str]:
    """Cut results in half, and run the stages after them, each alone."""
    counts: Counter[str] = Counter()
    for path in results_of(reference, files):
        # With the key of the project, which its clusters have a tag of.
        shutil.rmtree(project)
        shutil.copytree(reference, project)
        damaged = project / path.relative_to(reference)
        os.truncate(damaged, damaged.stat().st_size // 2)
        end = end_of_damage(project, reference)
        counts[end] += 1
        print(f"{path.relative_to(reference / 'data')}: {end}", flush=True)
    return counts


def results_of(reference: Path, files: int) -> list[Path]:
    """Random results of a run, as many of each kind as possible."""
    by_kind: dict[str, list[Path]] = {suffix: [] for suffix in _SUFFIXES}
    for path in sorted((reference / "data").rglob("*")):
        if path.suffix in by_kind and path.is_file() and path.stat().st_size > 1:
            by_kind[path.suffix].append(path)
    for paths in by_kind.values():
        random.shuffle(paths)
    rounds = itertools.zip_longest(*by_kind.values())
    return [path for one in rounds for path in one if path is not None][:files]


def end_of_damage(project: Path, reference: Path) -> str:
    """The end of the stages that meet a damaged file; a command in the sentence is followed."""
    for stages in ([f"--pipelines={name}"] for name in reversed(STAGES)):
        done = kedro_run(project, *ROAD, *stages)
        if done.returncode == 0:
            continue
        end = outcome_of(project, reference, done)
        command = _COMMAND.search(done.stderr)
        if end != "one sentence" or command is None:
            return f"{end}: {done.stderr.strip()[-300:]}"
        again = kedro_run(project, *command[1].split())
        return f"one sentence, and its command leaves {outcome_of(project, reference, again)}"
    # No stage takes the file, so the stages made it again.
    return f"{outcome_of(project, reference, done)}, no sentence"


def main() -> None:
    """Run the soak, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--starts", type=int, default=len(_DELAYS))
    parser.add_argument("--files", type=int, default=14)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    random.seed(asked.seed)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        reference, project = (
            cut_short(copy_project(Path(folder) / name)) for name in ("reference", "project")
        )
        start = time.monotonic()
        done = kedro_run(reference, *ROAD)
        seconds = time.monotonic() - start
        if done.returncode != 0:
            sys.exit(done.stderr)
        print(f"A run takes {seconds:.0f} s.", flush=True)
        faults += shown("Kills", kill_at_random(project, reference, asked.kills, seconds))
        faults += shown("Two runs at once", start_two(project, reference, asked.starts))
        faults += shown("Truncated files", truncate(project, reference, asked.files))
    sys.exit(1 if faults else 0)


def shown(title: str, ends: Counter[str]) -> int:
    """Print the counts of a part; the number of faults."""
    print(f"\n{title}", *(f"  {count:3d} {end}" for end, count in sorted(ends.items())), sep="\n")
    return sum(count for end, count in ends.items() if "FAULT" in end)


if __name__ == "__main__":
    main()
