"""How well the patterns of one fixed model repeat over seeds, numbers of threads and CPU paths.

The embedded experiment (7 v 1) runs with three values of ``run.seed``, one and two threads, and
PyTorch's kernels ``default`` (not vectorised) and ``avx2``: twelve runs. All have the same images,
model under test and judge (``fixed_experiment.py``), and compute only what the prototypes depend
on. Every two runs of the same mode are compared:

- clusters: the adjusted Rand index. The cluster model of each run assigns the borderline images of
  the other; the mean of both directions counts. Noise counts as a cluster.
- continuum: the exemplars are matched. Their cosine similarity is compared with that of as many
  random borderline images of the same two runs, in the model's embedding and in the judge's
  features. ``closed`` is the share of the gap between random and 1. If one run has more exemplars,
  its first ones count.

A run takes about 6 minutes and 250 MB, the whole about two hours. With ``--folder``, a later call
continues there and keeps the finished runs, even if the code has changed since; the table says
which revision made each of them.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from fixed_experiment import HERE, MODEL, RUN, Condition, catalog_of, kedro_run, prepare
from kedro.framework.startup import bootstrap_project
from sklearn.metrics import adjusted_rand_score

from borderline.measures.inference import embed
from borderline.pipelines.prototypes.choosing.matching import matched_similarities
from borderline.sampling import chosen_generator

OUTPUTS = [f"{MODEL}.{name}" for name in ("leaderboard_table", "prototypes")]
DRAWS = 199
SPACES = {"embedding": "embeddings", "judge": "features"}
"""The field of ``Result`` for each space."""
SCORES = ["ari", *(f"{space}_closed" for space in SPACES)]
COLUMNS = ["first", "second", "same_seed", "mode", "ari"]
COLUMNS += [space + end for space in SPACES for end in ("", "_random", "_closed")]
# The goals.
SAME_MODE = 10 / 12  # least share of the runs
RANGE = 1  # largest difference of the numbers of clusters
ARI = 0.8  # least median
CLOSED = 0.5  # least median, in both spaces


@dataclass(frozen=True)
class Result:
    """The result of a run to compare: n borderline images, and the rows of K prototypes."""

    condition: Condition
    mode: str
    embeddings: np.ndarray  # of the model, (n, D)
    features: np.ndarray  # of the judge, (n, F)
    labels: np.ndarray  # (n,)
    rows: np.ndarray  # (K,), exemplars in the order of their choice
    cluster_model: Any


def run_all(folder: Path, conditions: Sequence[Condition], changed: str) -> None:
    """Run what has not finished; a file beside each data folder says how it was made."""
    git = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    revision = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    for condition in conditions:
        finished = folder / f"{condition.name}.json"
        if finished.exists():
            if json.loads(finished.read_text())["params"] != changed:
                raise SystemExit(f"{finished} has other --params: name another --folder.")
            continue
        start = time.perf_counter()
        kedro_run(folder, condition.name, condition, OUTPUTS, changed)
        made = {"seconds": time.perf_counter() - start, "params": changed, "revision": revision}
        finished.write_text(json.dumps(made))
        print(f"{condition.name}: {made['seconds']:.0f} s", flush=True)


def result_of(folder: Path, condition: Condition) -> tuple[Result, dict[str, Any]]:
    """A run, and its row of the table."""
    catalog = catalog_of(folder, condition.name)
    names = ("borderline", "embeddings", "clusters", "prototypes", "cluster_model")
    saved = {name: catalog.load(f"{MODEL}.{name}") for name in names}
    scores = catalog.load(f"{MODEL}.cluster_scores_table").iloc[0]
    images = saved["borderline"]["images"]
    result = Result(
        condition,
        "continuum" if scores["continuum"] else "none" if scores["note"] else "clusters",
        saved["embeddings"]["embeddings"].numpy(),
        embed(catalog.load("judge"), images, RUN.torch_device()).numpy(),
        saved["clusters"]["labels"].numpy(),
        saved["prototypes"]["rows"].numpy(),
        saved["cluster_model"],
    )
    made = json.loads((folder / f"{condition.name}.json").read_text())
    return result, {
        "run": condition.name,
        "mode": result.mode,
        "number": int(scores["clusters"]),
        "generator": chosen_generator(catalog.load(f"{MODEL}.leaderboard_table")),
        "images": len(images),
        "seconds": made["seconds"],
        "revision": made["revision"],
    }


def compare(first: Result, second: Result) -> dict[str, Any]:
    """A row of the table of pairs; without scores if the modes differ."""
    row: dict[str, Any] = {"first": first.condition.name, "second": second.condition.name}
    row["same_seed"] = first.condition.seed == second.condition.seed
    row["mode"] = first.mode if first.mode == second.mode else "different"
    if row["mode"] == "clusters":
        row["ari"] = (assigned(first, second) + assigned(second, first)) / 2
    if row["mode"] == "continuum":
        for space, field in SPACES.items():
            values = match_exemplars(first, second, field)
            row |= {space + end: value for end, value in values.items()}
    return row


def assigned(first: Result, second: Result) -> float:
    """The adjusted Rand index on the second run's images, which the first run's clusters assign."""
    labels, _, _ = first.cluster_model.assign(second.embeddings)
    return float(adjusted_rand_score(second.labels, labels))


def match_exemplars(first: Result, second: Result, field: str) -> dict[str, float]:
    """The mean similarity of matched exemplars, that of random images, and the closed gap."""
    a, b = (getattr(result, field) for result in (first, second))
    count, random = min(len(first.rows), len(second.rows)), np.random.default_rng(0)

    def similarity(rows: np.ndarray, others: np.ndarray) -> float:
        return float(matched_similarities(a[rows], b[others])[0].mean())

    draws = [
        [random.choice(len(vectors), count, replace=False) for vectors in (a, b)]
        for _ in range(DRAWS)
    ]
    chance = float(np.mean([similarity(*rows) for rows in draws]))
    value = similarity(first.rows[:count], second.rows[:count])
    return {"": value, "_random": chance, "_closed": (value - chance) / (1 - chance)}


def medians(pairs: pd.DataFrame) -> pd.DataFrame:
    """The median scores of all pairs, of those with other seeds, and of those with the same one."""
    same = pairs["same_seed"].astype(bool)
    groups = {"all": pairs, "other seed": pairs[~same], "same seed": pairs[same]}
    rows = [
        {"runs with": name, "pairs": len(group), **group[SCORES].median()}
        for name, group in groups.items()
    ]
    return pd.DataFrame(rows)


def goals(runs: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, bool]:
    """The goals in words, and whether they are met; those of a mode only if two runs have it."""
    most, wanted = runs["mode"].value_counts().iloc[0], math.ceil(len(runs) * SAME_MODE)
    met = {f"runs in the same mode: {most} of {len(runs)} (at least {wanted})": most >= wanted}
    ari, *closed = pairs[SCORES].median()
    if (pairs["mode"] == "clusters").any():
        numbers = runs["number"][runs["mode"] == "clusters"]
        span = numbers.max() - numbers.min()
        met[f"difference of the numbers of clusters: {span} (at most {RANGE})"] = span <= RANGE
        met[f"median ARI: {ari:.2f} (at least {ARI})"] = ari >= ARI
    if (pairs["mode"] == "continuum").any():
        for space, gap in zip(SPACES, closed, strict=True):
            met[f"median closed gap, {space}: {gap:.2f} (at least {CLOSED})"] = gap >= CLOSED
    return met


def report(folder: Path, conditions: Sequence[Condition], output: Path) -> None:
    """Print and save the tables of runs and pairs; print modes, medians and goals."""
    results, rows = zip(*(result_of(folder, condition) for condition in conditions), strict=True)
    runs = pd.DataFrame(rows)
    compared = [compare(*pair) for pair in combinations(results, 2)]
    pairs = pd.DataFrame(compared, columns=COLUMNS)
    modes = runs.groupby("mode")["number"].agg(["count", "min", "max"])
    modes = modes.rename(columns={"count": "runs", "min": "fewest", "max": "most"}).reset_index()
    output.mkdir(parents=True, exist_ok=True)
    for name, table in {"runs": runs, "pairs": pairs}.items():
        table.to_csv(output / f"{name}.csv", index=False)
    for table in (runs, pairs, modes, medians(pairs)):
        print(table.to_string(index=False, float_format="{:.2f}".format, na_rep="-"), "\n")
    for words, met in goals(runs, pairs).items():
        print("pass" if met else "FAIL", words)


def main() -> None:
    """Run what has not finished, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cpu", nargs="+", default=["default", "avx2"])
    parser.add_argument("--params", default="", help="other settings, as of kedro run")
    parser.add_argument("--folder", type=Path, help="of the runs, to continue in; else temporary")
    parser.add_argument("--output", type=Path, default=HERE / "build/reproducibility")
    arguments = parser.parse_args()
    grid = product(arguments.seeds, arguments.threads, arguments.cpu)
    conditions = [Condition(*values) for values in grid]
    logging.disable(logging.WARNING)
    bootstrap_project(HERE)
    with TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder)
        run_all(folder, conditions, arguments.params)
        report(folder, conditions, arguments.output)


if __name__ == "__main__":
    main()
