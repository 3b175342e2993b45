"""The table of Gomes et al. 2024 beside finished sweeps, in ``docs/reproduction.md``.

    python benchmarks/reproduction.py data/sweeps/paper
    python benchmarks/reproduction.py --fast data/sweeps/paper_fast

Rows of a sweep, which need not have ended, replace those of the same data set, pair, model and seed
in ``docs/reproduction/rows.csv`` (with ``--fast`` in ``fast.csv``). Without a sweep, the page is
written again from these files. The text of the page outside of its tables stays.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from reproduction_page import KEY, beside, count, first_seeds, tables_of_page, write_page

from borderline.sweeps.plan import STATE
from borderline.sweeps.state import State

DOCS = Path(__file__).parents[1] / "docs"
GASTEN, FLOW = "gasten_25", "diffusion"
REDUCTIONS, CLUSTERINGS = ("umap", "tsne"), ("gmm", "hdbscan")
"""The paper's; the search of the preset ``paper`` has more."""
STAGES = ("metrics", "clustering", "prototypes", "report")
SCORES = ("yield", "acd", "fd_lenet", "fd_lenet_n")
ON_BOUNDARY = {name: f"{name}_lenet_borderline" for name in ("fd", "precision", "density")}
VARIATION = "total_variation_borderline"
CLUSTERS = ("recipe", "silhouette", "davies_bouldin", "clusters", "silhouette_original")

Row = dict[str, Any]


def read_sweep(sweep: Path) -> pd.DataFrame:
    """A row for each finished model of a sweep over one or several environments."""
    rows = []
    for file in sorted([*sweep.glob(STATE), *sweep.glob(f"*/{STATE}")]):
        state = State.model_validate_json(file.read_text())
        dataset = state.settings["dataset"]
        for record in state.records.values():
            run = record.sweep_run
            data = file.parent / f"seed_{run.seed}"
            for model in record.finished:
                key = {"dataset": dataset, "pair": run.pair, "model": model, "seed": run.seed}
                rows.append(key | read_row(data, f"{dataset}_{run.pair}", model))
    return pd.DataFrame(rows, columns=None if rows else [*KEY, "seed"])


def read_row(data: Path, case: str, model: str) -> Row:
    """The figures of one model, from the tables of its run; those of a stage that has not run are
    left out."""
    reporting = data / "08_reporting" / case
    of_model = reporting / model
    scores = _table(of_model / "classifier_scores.csv").iloc[0]
    row: Row = {n: scores[n] for n in ("accuracy", "test_images", "borderline_test_images")}
    board = _table(of_model / "leaderboard.csv").set_index("source")
    chosen, real = board[board["chosen"].eq(True)].iloc[0], board.loc["real images"]
    if GASTEN in board.index:
        gasten = board.loc[GASTEN]
        row |= {f"gasten_{n}": gasten[n] for n in ("images", "borderline", *SCORES)}
        row["seconds_gasten"] = gasten["seconds"]
    row |= _of_clusters("gasten_", papers_best(_table(of_model / GASTEN / "alone.csv")))
    row |= {"generator": chosen.name, "rule": chosen["rule"], "images": chosen["images"]}
    row |= {name: chosen[name] for name in SCORES}
    for name, column in ON_BOUNDARY.items():
        row |= {
            name: chosen[column],
            f"{name}_n": chosen[f"{column}_n"],
            f"real_{name}": real[column],
        }
    if VARIATION in board:
        row |= {"total_variation": chosen[VARIATION], "real_total_variation": real[VARIATION]}
    row["seconds_generator"] = chosen["seconds"]
    finalists = _table(of_model / "finalists.csv")
    row |= _of_clusters(
        "", finalists[finalists["chosen"].eq(True)] if len(finalists) else finalists
    )
    summary = _table(of_model / "summary.csv")
    if len(summary):
        row |= {n: summary[n].iloc[0] for n in ("stability", "found_again", "found_again_p")}
        row |= _of_prototypes(of_model)
        card = (of_model / "model_card.md").read_text()
        row["versions"] = next(iter(re.findall(r"^Borderline \d.*$", card, re.M)), "")
    for name, network in {"step_1": "gan", "flow": FLOW}.items():
        history = _table(reporting / network / "history.csv")
        row[f"seconds_{name}"] = history["seconds"].sum() if len(history) else None
    return row | _seconds(data / "06_models" / case / "ledger", model)


def papers_best(table: pd.DataFrame) -> pd.DataFrame:
    """The best of the paper's reductions and clusterings in ``alone.csv``."""
    if "objective" not in table:
        return table[:0]
    papers = table["reduction"].isin(REDUCTIONS) & table["clustering"].isin(CLUSTERINGS)
    return table[papers & table["objective"].notna()].sort_values("objective", ascending=False)


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.exists() else pd.DataFrame()


def _of_clusters(prefix: str, table: pd.DataFrame) -> Row:
    return {prefix + name: table[name].iloc[0] for name in CLUSTERS} if len(table) else {}


def _of_prototypes(of_model: Path) -> Row:
    """Coverage and facility location of the prototypes that the page shows."""
    shown = json.loads((of_model / "findings.json").read_text())["shown"]
    table = _table(of_model / "validation.csv")
    row: Row = {"prototypes": shown}
    for name, measure in {"coverage": "coverage_area", "facility": "facility_location"}.items():
        of_measure = table[table["measure"].eq(measure) & table["chosen_by"].eq(shown)]
        for _, one in of_measure.iterrows():
            row |= {
                name: one["value"],
                f"{name}_random": one["random"],
                f"{name}_q": one["q_value"],
            }
    return row


def _seconds(ledger: Path, model: str) -> Row:
    """The seconds of a model's nodes by stage; ``alone``, the clustering of GASTeN's images,
    apart. Those of a stage that has not run are left out."""
    seconds: dict[str, float] = {}
    for file in ledger.glob(f"{model}.*.json"):
        stage = file.name.removeprefix(f"{model}.").partition(".")[0]
        stage = "alone" if file.name.endswith(".cluster_alone.json") else stage
        of_node = json.loads(file.read_text()).get("seconds")
        if stage in (*STAGES, "alone") and of_node is not None:
            seconds[stage] = seconds.get(stage, 0.0) + of_node
    return {f"seconds_{stage}": round(number, 1) for stage, number in seconds.items()}


def merged(before: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """All rows, the new ones in place of those with the same key."""
    both = pd.concat([table for table in (before, new) if len(table)] or [before])
    latest = both.drop_duplicates([*KEY, "seed"], keep="last")
    return latest.sort_values([*KEY, "seed"], ignore_index=True)


def main(docs: Path = DOCS, arguments: Sequence[str] | None = None) -> None:
    """Read sweeps, write the files and the page, print the goals and the rows that differ most."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("sweeps", nargs="*", type=Path, help="such as data/sweeps/paper")
    parser.add_argument(
        "--fast", nargs="*", type=Path, default=[], help="those with gan.preset=fast"
    )
    given = parser.parse_args(arguments)
    folder = docs / "reproduction"
    tables = []
    for name, sweeps in {"rows": given.sweeps, "fast": given.fast}.items():
        file = folder / f"{name}.csv"
        table = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=[*KEY, "seed"])
        for sweep in sweeps:
            table = merged(table, read_sweep(sweep))
        table.to_csv(file, index=False, lineterminator="\n")
        tables.append(table)
    published = pd.read_csv(folder / "published.csv")
    page = docs / "reproduction.md"
    page.write_text(write_page(page.read_text(), tables_of_page(*tables, published)))
    joined = beside(first_seeds(tables[0]), published)
    print(count(joined).to_string(index=False))
    if "gasten_yield" in joined:
        joined["difference"] = (joined["gasten_yield"] - joined["paper_gasten_yield"]).abs()
        shown = [*KEY, "gasten_yield", "paper_gasten_yield"]
        print("\nThe rows whose yield differs most from that of the paper:")
        print(joined.nlargest(3, "difference")[shown].to_string(index=False))


if __name__ == "__main__":
    main()
