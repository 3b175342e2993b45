from __future__ import annotations

import pandas as pd
from rich.console import Console

from borderline.hooks.closing import _summary_table
from borderline.hooks.progress import _figures

ROW = {
    "model": "cnn_2",
    "generator": "gasten_10",
    "accuracy": 0.985,
    "images": 3000,
    "borderline": 12,
    "yield": 0.004,
    "acd": 0.4567,
    "fd_lenet": 8.04,
    "fd_lenet_n": 200,
    "fd_lenet_borderline": float("nan"),
    "silhouette": None,
    "stability": None,
    "prototypes": 0,
    "doubts": "",
    "note": "too few",
}


def test_summary_shows_every_figure_with_its_n_and_a_dash_for_none() -> None:
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(_summary_table(pd.DataFrame([ROW])))
    text = console.export_text()
    for figure in (
        "cnn_2",
        "gasten_10",
        "98.5%",
        "0.4%",
        "0.457",
        "8.0",
        "N=200",
        "-",
        "cnn_2 has no prototypes: too few.",
    ):
        assert figure in text
    assert "nan" not in text


def test_summary_tells_the_doubts_about_patterns() -> None:
    row = ROW | {"note": "", "silhouette": 0.4, "stability": 0.31, "doubts": "one cloud"}
    table = _summary_table(pd.DataFrame([row]))
    assert table.caption == "The patterns of cnn_2 in doubt: one cloud."
    assert _summary_table(pd.DataFrame([row | {"doubts": ""}])).caption is None


def test_live_figures_are_those_of_the_last_row() -> None:
    table = pd.DataFrame({"epoch": [1, 2], "loss": [0.5, 0.25], "acd": [0.1, None]})
    assert _figures(table) == "loss=0.25"
    repeats = pd.DataFrame({"repeat": [0], "images": [100], "clusters": [3], "note": [""]})
    assert _figures(repeats) == "clusters=3"
    trials = pd.DataFrame({"trial": [0, 1], "objective": [0.5, None], "noise": [0, 0.1]})
    assert _figures(trials) == "best=0.5"
