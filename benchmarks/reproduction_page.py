"""The goals and the tables of ``docs/reproduction.md``, from the rows of ``reproduction.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

KEY = ["dataset", "pair", "model"]
EXTRA = [("mnist", "9v4", model) for model in ("cnn_1", "cnn_2", "cnn_4")]
"""Rows that the paper does not have."""
FIGURES = {
    "paper": {
        "accuracy %": "paper_accuracy/accuracy:.2%",
        "test images in the band": "paper_borderline_test_images/borderline_test_images:.0f",
        "borderline of 15,000": "paper_gasten_borderline/gasten_borderline:.0f",
        "yield %": "paper_gasten_yield/gasten_yield:.1%",
        "silhouette": "paper_gasten_silhouette/gasten_silhouette:.2f",
        "Davies-Bouldin": "paper_gasten_davies_bouldin/gasten_davies_bouldin:.2f",
        "clusters": "paper_gasten_clusters/gasten_clusters:.0f",
        "FID (paper only)": "paper_gasten_fid:.1f",
        "`fd_lenet` (here only)": "gasten_fd_lenet:.1f",
        "ACD (here only)": "gasten_acd:.3f",
    },
    "ours": {
        "generator": "generator:",
        "images": "images:.0f",
        "yield %": "yield:.1%",
        "ACD": "acd:.4f",
        "precision: generated / real": "precision/real_precision:.2f",
        "density: generated / real": "density/real_density:.2f",
        "N of precision and density": "precision_n:.0f",
        "`fd_lenet`: generated / real": "fd/real_fd:.1f",
        "N of `fd_lenet`": "fd_n:.0f",
        "total variation: generated / real": "total_variation/real_total_variation:.3f",
        "coverage: prototypes / random": "coverage/coverage_random:.2f",
        "corrected p": "coverage_q:.3f",
        "facility location: prototypes / random": "facility/facility_random:.2f",
        "corrected p ": "facility_q:.3f",
    },
    "clusters": {
        "silhouette: paper / ours": "paper_gasten_silhouette/silhouette:.2f",
        "Davies-Bouldin: paper / ours": "paper_gasten_davies_bouldin/davies_bouldin:.2f",
        "clusters: paper / ours": "paper_gasten_clusters/clusters:.0f",
        "recipe of ours": "recipe:",
        "silhouette in the original space: `gasten_25` / ours": (
            "gasten_silhouette_original/silhouette_original:.2f"
        ),
        "adjusted Rand index of resamples": "stability:.2f",
        "found again in other images": "found_again:.2f",
        "p": "found_again_p:.3f",
    },
    "seconds": {
        "step 1 (of the pair)": "seconds_step_1:.0f",
        "`gasten_25`": "seconds_gasten:.0f",
        "its clustering": "seconds_alone:.0f",
        "flow (of the pair)": "seconds_flow:.0f",
        "chosen generator": "seconds_generator:.0f",
        "its clustering and tests": "seconds_clustering:.0f",
        "metrics": "seconds_metrics:.0f",
        "prototypes and validation": "seconds_prototypes:.0f",
        "report": "seconds_report:.0f",
    },
}
"""The tables with a line for each row: their figures, as ``cell`` reads them, by head."""
COMPARED = {
    "yield of `gasten_25` %": "gasten_yield:.1%",
    "its ACD": "gasten_acd:.3f",
    "its `fd_lenet`": "gasten_fd_lenet:.1f",
    "its silhouette": "gasten_silhouette:.2f",
    "images of the chosen generator": "images:.0f",
    "its yield %": "yield:.1%",
    "ACD": "acd:.4f",
    "precision": "precision:.2f",
    "density": "density:.2f",
    "`fd_lenet`": "fd:.1f",
    "total variation": "total_variation:.3f",
    "silhouette": "silhouette:.2f",
    "silhouette in the original space": "silhouette_original:.2f",
    "seconds of step 1": "seconds_step_1:.0f",
    "seconds of `gasten_25`": "seconds_gasten:.0f",
    "seconds of the flow": "seconds_flow:.0f",
    "seconds of the chosen generator": "seconds_generator:.0f",
}
"""The figures of the comparison of seeds, and of the presets ``paper`` and ``fast``."""


class Goal(NamedTuple):
    """A goal: the number of rows that it needs, and whether a row with the paper's figures beside
    it (``paper_<column>``) meets it; None where that cannot be measured."""

    says: str
    needed: int
    met: Callable[[pd.Series], bool | None]


def _met(columns: Sequence[str], test: Callable[..., bool]) -> Callable[[pd.Series], bool | None]:
    def met(row: pd.Series) -> bool | None:
        values = [row.get(column) for column in columns]
        return None if any(pd.isna(value) for value in values) else bool(test(*values))

    return met


GOALS = [
    Goal(
        "Yield of the chosen generator at least 99 %, ACD at most .02",
        15,
        _met(["yield", "acd"], lambda share, acd: share >= 0.99 and acd <= 0.02),
    ),
    Goal(
        "Silhouette at least and Davies-Bouldin index at most those of the paper",
        15,
        _met(
            [
                *("silhouette", "paper_gasten_silhouette"),
                *("davies_bouldin", "paper_gasten_davies_bouldin"),
            ],
            lambda ours, papers, index, papers_index: ours >= papers and index <= papers_index,
        ),
    ),
    Goal(
        "Precision of its borderline images at least that of real borderline images minus .03",
        12,
        _met(["precision", "real_precision"], lambda ours, real: ours >= real - 0.03),
    ),
    Goal(
        "Prototypes better than random images in coverage and facility location, corrected p at "
        "most .05",
        12,
        _met(["coverage_q", "facility_q"], lambda one, other: max(one, other) <= 0.05),
    ),
]


def beside(rows: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """All rows of the table in its order, with the paper's figures as ``paper_<column>``; empty
    where a row is not there yet. ``there`` says whether it is, ``published`` whether it counts."""
    order = pd.concat([published[KEY], pd.DataFrame(EXTRA, columns=KEY)], ignore_index=True)
    figures = published.drop(columns="source").rename(
        columns={name: f"paper_{name}" for name in published if name not in KEY}
    )
    table = order.merge(figures.assign(published=True), on=KEY, how="left")
    table["published"] = table["published"].eq(True)
    return table.merge(rows.assign(there=True), on=KEY, how="left").assign(
        there=lambda joined: joined["there"].eq(True)
    )


def count(table: pd.DataFrame) -> pd.DataFrame:
    """Each goal with its result over the published rows that are there.

    Args:
        table: Of ``beside``.

    Returns:
        ``goal``, ``needed``, ``met``, ``rows``; the names of the rows ``missed`` and
        ``not_measured``, which do not meet it either; ``result``: ``reached``, ``missed``, or
        ``open`` while rows that are not there yet decide.
    """
    counted = table[table["published"]]
    there = counted[counted["there"]]
    results = []
    for goal in GOALS:
        names = {True: list[str](), False: list[str](), None: list[str]()}
        for _, row in there.iterrows():
            names[goal.met(row)].append(f"{row['pair']} {row['model']}")
        met, possible = len(names[True]), len(names[True]) + len(counted) - len(there)
        result = (
            "reached" if met >= goal.needed else "open" if possible >= goal.needed else "missed"
        )
        results.append(
            {
                **{"goal": goal.says, "needed": goal.needed, "met": met, "rows": len(there)},
                **{"missed": ", ".join(names[False]), "not_measured": ", ".join(names[None])},
                "result": result,
            }
        )
    return pd.DataFrame(results)


def first_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The row with the lowest seed of each model."""
    return rows.sort_values("seed").drop_duplicates(KEY)


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    rules = ["---"] * len(heads)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rules, *lines))


def cell(row: pd.Series, figure: str) -> str:
    """A figure such as ``yield:.1%``, or two beside each other, ``precision/real_precision:.2f``;
    empty where there is none."""
    columns, _, form = figure.partition(":")
    cells = []
    for column in columns.split("/"):
        value = row.get(column)
        missing = value is None or pd.isna(value)
        # The heads have the percent sign.
        cells.append("" if missing else format(value, form).removesuffix("%"))
    return " / ".join(one or "-" for one in cells) if any(cells) else ""


def table_of(rows: pd.DataFrame, figures: Mapping[str, str]) -> str:
    """A table with a line for each row; ``figures`` by their heads."""
    lines = []
    for _, row in rows.iterrows():
        fashion = " (Fashion)" if row["dataset"] == "fashion" else ""
        line = [f"{row['pair']}{fashion}", row["model"]]
        lines.append([*line, *(cell(row, figure) for figure in figures.values())])
    return markdown(["pair", "model", *figures], lines)


def tables_of_page(
    rows: pd.DataFrame, fast: pd.DataFrame, published: pd.DataFrame
) -> dict[str, str]:
    """The tables of the page by name."""
    table = beside(first_seeds(rows), published)
    there, counts = table["there"], table["published"]
    goals = [list(map(str, row)) for row in count(table).itertuples(index=False)]
    return {
        "state": f"{(there & counts).sum()} of {counts.sum()} rows are there, and of 9v4 "
        f"{(there & ~counts).sum()} of {len(EXTRA)}.",
        "goals": markdown(
            ["goal", "needed", "met", "of", "missed", "not measured", "result"], goals
        ),
        **{name: table_of(table, figures) for name, figures in FIGURES.items()},
        "seeds": table_of(rows[rows.duplicated(KEY, keep=False)], {"seed": "seed:d", **COMPARED}),
        "fast": _means(first_seeds(rows), first_seeds(fast)),
    }


def _means(rows: pd.DataFrame, fast: pd.DataFrame) -> str:
    """Means over the rows that both have."""
    both = rows[KEY].merge(fast[KEY], on=KEY)
    lines = []
    for head, figure in COMPARED.items():
        column, _, form = figure.partition(":")
        sides = {
            name: both.merge(side, on=KEY).get(column, pd.Series(dtype=float))
            for name, side in (("paper", rows), ("fast", fast))
        }
        values = pd.DataFrame(sides).dropna()
        means = values.mean()
        cells = [cell(means, f"{name}:{form}") for name in sides]
        lines.append([head, *cells, str(len(values))])
    return markdown(["mean", "`paper`", "`fast`", "rows"], lines)


def write_page(page: str, tables: dict[str, str]) -> str:
    """The page with new tables between ``<!-- table: name -->`` and ``<!-- end -->``."""
    for name, text in tables.items():
        head = f"<!-- table: {name} -->"
        before, found, rest = page.partition(head)
        assert found, f"the page has no table {name}"
        page = f"{before}{head}\n{text}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    return page
