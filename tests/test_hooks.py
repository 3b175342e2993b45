from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from borderline.datasets import CSVDataset, MatplotlibDataset, TextDataset
from borderline.errors import GateClosed
from borderline.hooks.closing import GateHooks, SummaryHooks
from borderline.hooks.memory import MemoryHooks
from borderline.hooks.progress import ProgressHooks
from borderline.streaming import streams

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


def marked(*marks: str) -> dict[str, Any]:
    return {"borderline": dict.fromkeys(marks, True)}


def closing(capsys: pytest.CaptureFixture[str], catalog: DataCatalog) -> str:
    """The end of a run that made every dataset of a catalog."""
    pipeline = Pipeline([Node(lambda: None, None, name, name=name) for name in catalog])
    SummaryHooks().after_pipeline_run(pipeline=pipeline, catalog=catalog)
    return capsys.readouterr().out


def summary_of(row: dict[str, Any]) -> DataCatalog:
    table = MemoryDataset(pd.DataFrame([row]), metadata=marked("summary"))
    return DataCatalog({"models_table": table})


def test_summary_shows_every_score_with_its_n_and_a_dash_for_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = closing(capsys, summary_of(ROW))
    for part in (
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
        assert part in text
    assert "nan" not in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("models", [1, 4])
def test_no_name_in_the_summary_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, models: int
) -> None:
    monkeypatch.setattr("borderline.hooks.closing._WIDTH_OF_LOGS", width)
    row = ROW | {"generator": "pixel_bisection", "fd_lenet_borderline_n": 2000}
    rows = pd.DataFrame([row | {"model": f"cnn_{n}", "note": "few [b]"} for n in range(models)])
    table = MemoryDataset(rows, metadata=marked("summary"))
    text = closing(capsys, DataCatalog({"models_table": table}))
    assert text.count("pixel_bisection") == models
    for name in ("accuracy", "silhouette", "prototypes", "borderline", "cnn_0", "98.5%", "0.457"):
        assert name in text
    assert "cnn_0 has no prototypes: few [b]." in text, "brackets are no markup"
    assert max(map(len, text.splitlines()[:12])) <= width


def test_summary_tells_the_doubts_about_patterns(capsys: pytest.CaptureFixture[str]) -> None:
    row = ROW | {"note": "", "silhouette": 0.4, "stability": 0.31, "doubts": "one cloud"}
    text = closing(capsys, summary_of(row))
    assert "Doubts about the patterns of cnn_2: one cloud." in text
    assert "has no prototypes" not in text
    assert "Doubts" not in closing(capsys, summary_of(row | {"doubts": ""}))


def test_run_ends_with_the_places_of_marked_pages_and_of_pictures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = TextDataset(filepath=str(tmp_path / "page.html"), metadata=marked("page"))
    other = TextDataset(filepath=str(tmp_path / "other.md"))
    picture = MatplotlibDataset(filepath=str(tmp_path / "pictures/map.png"))
    text = closing(capsys, DataCatalog({"report": page, "card": other, "map": picture}))
    assert f"Report:\n  {tmp_path}/page.html" in text
    assert "other.md" not in text
    assert "Pictures" not in text, "a run without a summary has not made all pictures"
    datasets = {"map": picture, "models_table": summary_of(ROW).get("models_table")}
    assert f"Pictures:\n  {tmp_path}/pictures\n" in closing(capsys, DataCatalog(datasets))


@pytest.mark.parametrize("mark", ["gate", "artifact"])
def test_run_fails_if_a_limit_of_the_marked_table_does_not_hold(tmp_path: Path, mark: str) -> None:
    table = CSVDataset(filepath=str(tmp_path / "x.csv"), metadata=marked(mark))
    table.save(pd.DataFrame({"holds": [True, False], "says": ["yield is 1", "acd is 2"]}))
    pipeline = Pipeline([Node(lambda: None, None, "limits", name="check")])
    hooks, catalog = GateHooks(), DataCatalog({"limits": table})
    if mark == "gate":
        with pytest.raises(GateClosed, match="acd is 2"):
            hooks.after_pipeline_run(pipeline=pipeline, catalog=catalog)
    else:
        hooks.after_pipeline_run(pipeline=pipeline, catalog=catalog)


def lines_of(
    caplog: pytest.LogCaptureFixture, declare: Any, tables: dict[str, list[dict[str, Any]]]
) -> list[str]:
    """The lines that a streaming node logs; its tables are saved row by row."""

    @declare
    def work(images: int, *, settings: dict[str, int]) -> None: ...

    inputs = {"images": "cnn_2.images", "settings": "params:x"}
    node = Node(work, inputs, [f"cnn_2.{name}" for name in tables], name="cnn_2.work")
    hooks = ProgressHooks()
    hooks.before_pipeline_run()
    hooks.before_node_run(node=node, inputs={"cnn_2.images": 7, "params:x": {"steps": 5}})
    with caplog.at_level("INFO"):
        for name, rows in tables.items():
            for count in range(len(rows) + 1):
                hooks.after_dataset_saved(f"cnn_2.{name}", pd.DataFrame(rows[:count]), node)
    hooks.after_pipeline_run()
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("table", ["history_table", "judge_2_history_table"])
def test_progress_shows_step_total_and_the_numbers_of_the_last_row(
    caplog: pytest.LogCaptureFixture, table: str
) -> None:
    declare = streams("history_table", step="epoch", total=lambda settings: settings["steps"])
    rows = [
        {"epoch": 1, "loss": 0.5, "acd": 0.1, "note": ""},
        {"epoch": 2, "loss": 0.25, "acd": None, "note": "slow"},
    ]
    tables = {table: rows, "scores_table": [{"epoch": 9, "x": 1.0}]}
    assert lines_of(caplog, declare, tables) == [
        "cnn_2.work 1/5 loss=0.5 acd=0.1",
        "cnn_2.work 2/5 loss=0.25",
    ]


def test_progress_counts_rows_from_zero_and_shows_the_best(
    caplog: pytest.LogCaptureFixture,
) -> None:
    declare = streams(
        *("trials_table",), step="trial", first=0, total=lambda images: images, best="objective"
    )
    rows = [{"trial": 0, "objective": 0.5, "noise": 0}, {"trial": 1, "objective": None, "noise": 1}]
    assert lines_of(caplog, declare, {"trials_table": rows}) == [
        "cnn_2.work 1/7 best=0.5",
        "cnn_2.work 2/7 best=0.5",
    ]


def test_progress_names_what_a_step_is_of(caplog: pytest.LogCaptureFixture) -> None:
    declare = streams("history_table", step="training", total=lambda images: images, named="arm")
    rows = [{"training": 1, "arm": "again", "seed": 1}]
    assert lines_of(caplog, declare, {"history_table": rows}) == ["cnn_2.work 1/7 again seed=1"]


def test_warning_of_a_stream_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    declare = streams("outcome_table", step="images", total=lambda images: images, warning="note")
    rows = [{"images": n, "note": note} for n, note in ((1, ""), (2, "too slow"), (3, "too slow"))]
    lines = lines_of(caplog, declare, {"outcome_table": rows})
    assert lines.count("cnn_2.work: too slow.") == 1
    assert len(lines) == 4


def test_each_part_is_freed_as_soon_as_it_is_saved() -> None:
    made: list[weakref.ref[np.ndarray]] = []
    alive = []

    @streams("outcome_table", step="images", total=lambda: 9)
    def make() -> Iterator[tuple[dict[str, np.ndarray], pd.DataFrame]]:
        for number in range(9):
            alive.append(sum(part() is not None for part in made))
            images = np.zeros(3)
            made.append(weakref.ref(images))
            part = {f"part_{number}": images}
            del images
            yield part, pd.DataFrame({"images": [number]})
            del part

    class Saved(MemoryDataset):
        def save(self, data: Any) -> None:
            assert len(data)

    hooks = _create_hook_manager()
    hooks.register(MemoryHooks())
    outputs = ["images", "outcome_table"]
    catalog = DataCatalog({name: Saved() for name in outputs})
    SequentialRunner().run(Pipeline([Node(make, None, outputs, name="make")]), catalog, hooks)
    assert max(alive) == 0
