"""The CPU time of a start: ``kedro registry list``, and the answer to a misspelt setting.

Both run in this checkout and in one of another git revision, in turns. The first argument names the
revision; the default is the last one that imported every library at the start.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

HERE = Path(__file__).parents[1]
BEFORE = "8b91410"
ROUNDS = 5
COMMANDS = {
    "kedro registry list": 0,
    "kedro run --params gan.epohs=3": 1,
}
"""The commands with their exit statuses."""


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """A temporary checkout of a revision."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "before"
        git = ("git", "-C", str(HERE), "worktree")
        subprocess.run([*git, "add", "--quiet", "--detach", str(path), revision], check=True)
        try:
            yield path
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=True)


def user_seconds(project: Path, command: str) -> float:
    """The user CPU time of a command and all its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src"), "KEDRO_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == COMMANDS[command], process.stdout + process.stderr
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    """Print the seconds of each command, and the ratio of their sums."""
    revision = sys.argv[1] if len(sys.argv) > 1 else BEFORE
    with checkout(revision) as before:
        sums = {HERE: 0.0, before: 0.0}
        for command in COMMANDS:
            seconds: dict[Path, list[float]] = {HERE: [], before: []}
            # The first round compiles the modules and is left out.
            for _ in range(ROUNDS + 1):
                for project, times in seconds.items():
                    times.append(user_seconds(project, command))
            ours, theirs = (median(times[1:]) for times in seconds.values())
            print(f"{command}: {ours:.2f} s of CPU, {revision} {theirs:.2f} s")
            sums[HERE] += ours
            sums[before] += theirs
    print(f"ratio start: {sums[before] / sums[HERE]:.2f}")


if __name__ == "__main__":
    main()
