"""The seconds of each stage beside those of an earlier revision, on whole runs from nothing.

Both revisions make the same runs in turns, each in its own process and data folder: the default run
on the embedded digits, and one on Fashion-MNIST with 15,000 images and 20 trials of the clustering
search. The seconds of a stage are those of its nodes, with reading and writing. The tables of both
are compared too. The first argument names the revision, ``--only`` a run. It takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from common import FASHION
from start import HERE, checkout

from borderline.pipeline_registry import STAGES

BEFORE = "6ff94ca"
ROADS = {
    "default": [],
    "fashion": [
        *("--env", "fashion_3v0", "--params"),
        "grid.models=[cnn_4],grid.generators=[latent_search],gan.preset=fast,clustering.trials=20",
    ],
}
# Kedro has no place for the seconds of a node, and the earlier revision has no hook for them.
TIMED = """
import json, sys, time
from kedro.framework.cli.cli import main
from kedro.runner.task import Task
execute, file = Task.execute, sys.argv.pop(1)
def timed(task):
    start = time.perf_counter()
    try:
        return execute(task)
    finally:
        with open(file, "a") as lines:
            print(json.dumps([task.node.name, time.perf_counter() - start]), file=lines)
Task.execute = timed
main()
"""


def seconds_of(project: Path, road: list[str], data: Path) -> pd.Series:
    """The seconds of each node of a run, and of the whole run as ``all``."""
    *options, params = road or ["--params", ""]
    settings = ",".join(filter(None, [params, f"data_folder={data}", "tracking.mode=disabled"]))
    file = data.with_suffix(".nodes")
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", TIMED, str(file), "run", *options, settings],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src"), "KEDRO_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    whole = time.perf_counter() - start
    nodes = dict(json.loads(line) for line in file.read_text().splitlines())
    return pd.Series(nodes | {"all": whole})


def by_stage(nodes: pd.Series) -> pd.Series:
    """The sum of each stage."""
    stages = [next((s for s in STAGES if s in name.split(".")), name) for name in nodes.index]
    return nodes.groupby(stages, sort=False).sum()


def compare_tables(before: Path, ours: Path) -> Counter[str]:
    """How many tables are the same, the same up to rounding, or different."""
    counts: Counter[str] = Counter()
    for table in sorted(before.rglob("*.csv")):
        other = ours / table.relative_to(before)
        if not other.exists():
            kind = "missing"
        elif table.read_bytes() == other.read_bytes():
            kind = "same"
        else:
            kind = _difference(
                *(pd.read_csv(t).drop(columns="seconds", errors="ignore") for t in (table, other))
            )
        if kind in ("different", "missing"):
            print(f"{kind}: {table.relative_to(before)}")
        counts[kind] += 1
    return counts


def _difference(table: pd.DataFrame, other: pd.DataFrame) -> str:
    try:
        pd.testing.assert_frame_equal(table, other, check_dtype=False, rtol=1e-6, atol=1e-9)
    except AssertionError:
        return "different"
    return "same up to rounding"


def main() -> None:
    """Print the seconds of each stage and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", default=BEFORE)
    parser.add_argument("--only", choices=list(ROADS))
    given = parser.parse_args()
    with checkout(given.revision) as before, TemporaryDirectory() as folder:
        for name in [given.only] if given.only else ROADS:
            if name == "fashion" and not FASHION.is_dir():
                print("Debian's package dataset-fashion-mnist is missing.")
                continue
            folders = [Path(folder) / name / side for side in ("before", "ours")]
            for data in folders:
                data.mkdir(parents=True)
            theirs, ours = (
                seconds_of(project, ROADS[name], data)
                for project, data in zip((before, HERE), folders, strict=True)
            )
            nodes = pd.DataFrame({"before": theirs, "ours": ours})
            print(f"\n{name}, seconds of the slowest nodes:")
            print(nodes.nlargest(25, "before").round(1).to_string())
            stages = pd.DataFrame({"before": by_stage(theirs), "ours": by_stage(ours)})
            for stage, row in stages.iterrows():
                label = "run" if stage == "all" else f"stage_{stage}"
                print(f"{label}: {row['ours']:.1f} s, {given.revision} {row['before']:.1f} s")
                print(f"ratio {label}_{name}: {row['before'] / row['ours']:.2f}")
            print(f"tables: {dict(compare_tables(*folders))}")


if __name__ == "__main__":
    main()
