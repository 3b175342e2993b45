"""Tracking: what an offline run wrote, read back; and that a tracker that fails fails no run."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from wandb.proto import wandb_internal_pb2

from borderline.datasets import CSVDataset, PickleDataset
from borderline.hooks.tracking import TrackingHooks
from conftest import GENERATORS, MODELS, reporting_folder

_HEADER, _BLOCK, _HEAD = 7, 32768, 7
_FULL, _FIRST, _LAST = 1, 2, 4


def records(path: Path) -> Iterator[Any]:
    """What the tracker wrote: records in the log format of LevelDB, cut at its blocks."""
    content, at, whole = path.read_bytes(), _HEADER, b""
    while at + _HEAD <= len(content):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + _HEAD])
        part = content[at + _HEAD : at + _HEAD + size]
        at += _HEAD + size
        whole = part if kind in (_FULL, _FIRST) else whole + part
        if kind in (_FULL, _LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record


def _row(history: Any) -> dict[str, Any]:
    """What was logged at once, by name; pictures and tables are dictionaries."""
    row: dict[str, Any] = {}
    for item in history.item:
        name, *inside = item.nested_key or [item.key]
        value = json.loads(item.value_json)
        if inside:
            row.setdefault(name, {})["/".join(inside)] = value
        else:
            row[name] = value
    return row


class Tracked(SimpleNamespace):
    """A run of the tracker, read back."""

    def __init__(self, path: Path) -> None:
        by_kind: dict[str, list[Any]] = {}
        for record in records(path):
            kind = record.WhichOneof("record_type")
            by_kind.setdefault(kind, []).append(getattr(record, kind))
        run = by_kind["run"][0]
        config = {item.key: json.loads(item.value_json) for item in run.config.update}
        rows = [_row(row) for row in by_kind.get("history", [])]
        super().__init__(
            stage=run.job_type,
            group=run.run_group,
            project=run.project,
            tags=list(run.tags),
            config=config,
            rows=rows,
            steps={own.glob_name: own.step_metric for own in by_kind.get("metric", [])},
            artifacts={own.name: own for own in by_kind.get("artifact", [])},
            files=path.parent / "files",
            ended=[own.exit_code for own in by_kind.get("exit", [])],
        )

    def curve(self, name: str) -> list[float]:
        return [row[name] for row in self.rows if name in row]


@pytest.fixture(scope="module")
def tracked(once: Callable[..., Path]) -> dict[str, Tracked]:
    project = once(
        *("tracked", "--env", "test", "--pipelines", "classifier,gasten,metrics", "--params"),
        "tracking.mode=offline,tracking.project=borders",
    )
    assert "Tracking stopped" not in (project / "output.txt").read_text()
    runs = [Tracked(path) for path in (project / "data/test/wandb").glob("offline-run-*/*.wandb")]
    by_stage = {run.stage: run for run in runs}
    assert len(by_stage) == len(runs)
    by_stage["project"] = project  # type: ignore[assignment]
    return by_stage


@pytest.mark.road
def test_stages_are_job_types_of_one_group(tracked: dict[str, Any]) -> None:
    stages = {name: run for name, run in tracked.items() if name != "project"}
    assert set(stages) == {"classifier", "gasten", "metrics"}
    assert len({run.group for run in stages.values()}) == 1
    for run in stages.values():
        assert run.group.startswith("mnist_sample_7v1-")
        assert run.project == "borders"
        assert run.config["gan"]["epochs"] == 3
        assert run.config["dataset"] == "mnist_sample"
        assert run.config["call"]["environment"] == "test"
        assert run.ended == [0]


@pytest.mark.road
def test_curves_are_those_of_the_histories(tracked: dict[str, Any]) -> None:
    for stage, names in {
        "classifier": ["judge_history", "cnn_1.classifier_history"],
        "gasten": ["gan.history", "cnn_1.gasten_10.history", "mlp_4.gasten_25.history"],
    }.items():
        run = tracked[stage]
        for name in names:
            path = reporting_folder(tracked["project"]) / f"{name.replace('.', '/')}.csv"
            key, table = name.replace(".", "/"), pd.read_csv(path)
            assert run.curve(f"{key}/epoch") == table["epoch"].tolist()
            column = next(column for column in table if column.endswith("loss"))
            known = table[column].dropna().tolist()
            assert run.curve(f"{key}/{column}") == pytest.approx(known)
            assert run.steps[f"{key}/*"] == f"{key}/epoch"


@pytest.mark.road
def test_samples_come_an_epoch_at_a_time(tracked: dict[str, Any]) -> None:
    for name in ("gan", "cnn_1/gasten_10"):
        folder = reporting_folder(tracked["project"]) / name / "samples"
        logged = tracked["gasten"].curve(f"{name}/samples")
        assert len(logged) == len(list(folder.glob("*.png")))
        for images in logged:
            assert (tracked["gasten"].files / images["filenames"][0]).exists()


@pytest.mark.road
def test_tables_and_figures_are_there(tracked: dict[str, Any]) -> None:
    metrics, kinds = tracked["metrics"], {}
    for row in metrics.rows:
        kinds |= {name: own["_type"] for name, own in row.items() if isinstance(own, dict)}
    for model in MODELS:
        assert kinds[f"{model}/leaderboard"] == "table-file"
        assert kinds[f"{model}/front_figure"] == "plotly-file"
        assert kinds[f"{model}/generators_figure"] == "image-file"
        (saved,) = metrics.curve(f"{model}/leaderboard")
        table = json.loads((metrics.files / saved["path"]).read_text())
        assert "source" in table["columns"]
        assert len(table["data"]) == len(GENERATORS) + 1


@pytest.mark.road
def test_models_are_artifacts(tracked: dict[str, Any]) -> None:
    found = tracked["classifier"].artifacts["mnist_sample_7v1-classifier"]
    assert {entry.path for entry in found.manifest.contents} == {
        f"{model}.classifier.pickle" for model in MODELS
    }


class Tracker(SimpleNamespace):
    """A tracker that does as it is told."""

    def __init__(self, fails_at: str) -> None:
        self.calls: list[str] = []
        self.arguments: dict[str, Any] = {}
        self.rows: list[Any] = []

        def act(name: str) -> Any:
            def called(*values: Any, **arguments: Any) -> Any:
                self.calls.append(name)
                if name == "init":
                    self.arguments = arguments
                if name == "log":
                    self.rows += values
                if name == fails_at:
                    raise RuntimeError("the network is down")
                return self

            return called

        names = (
            *("init", "log", "define_metric", "finish", "Table", "Settings", "Artifact"),
            *("add_file", "log_artifact"),
        )
        super().__init__(**{name: act(name) for name in names}, summary={})


@pytest.fixture
def hooks(project: Path) -> TrackingHooks:
    bootstrap_project(project)
    with KedroSession.create(project, env="test") as session:
        context = session.load_context()
    hooks = TrackingHooks()
    hooks.after_context_created(context)
    hooks._parameters = context.checked.model_copy(
        update={"tracking": context.checked.tracking.model_copy(update={"mode": "offline"})}
    )
    return hooks


def history() -> Any:
    yield pd.DataFrame({"epoch": [1], "loss": [0.5]})


NODE = Node(history, None, "history", name="train_gan", tags="gasten")


JUDGE = Node(history, None, "judge_history", name="train_judge", tags="classifier")


def drive(hooks: TrackingHooks) -> None:
    """Two epochs of a training in one stage, an epoch in another, and a model to keep."""
    catalog = DataCatalog({"cnn_1.classifier": PickleDataset(filepath="classifier.pickle")})
    hooks.before_pipeline_run(catalog=catalog)
    for epoch in (1, 2):
        table = pd.DataFrame(
            {"epoch": range(1, epoch + 1), "loss": [0.5 / n for n in (1, 2)[:epoch]]}
        )
        hooks.after_dataset_saved("history", table, NODE)
    hooks.after_dataset_saved("judge_history", table[:1], JUDGE)
    hooks.after_dataset_saved("cnn_1.classifier", object(), JUDGE)
    hooks.after_pipeline_run(pipeline=Pipeline([]))


@pytest.mark.parametrize(
    "fails_at", ["init", "log", "define_metric", "add_file", "log_artifact", "finish"]
)
def test_tracker_that_fails_fails_no_run(
    hooks: TrackingHooks, monkeypatch: pytest.MonkeyPatch, fails_at: str, caplog: Any
) -> None:
    tracker = Tracker(fails_at)
    monkeypatch.setitem(sys.modules, "wandb", tracker)
    drive(hooks)
    once = tracker.calls.count("init") if fails_at == "finish" else 1
    assert tracker.calls.count(fails_at) == once, "it is asked no more"
    assert caplog.text.count("Tracking stopped, and the run goes on: the network is down") == 1
    assert caplog.text.count("Tracking stopped") == 1
    begun = tracker.calls.count("init") - (fails_at == "init")
    assert tracker.calls.count("finish") == begun, "what was begun is finished"


def test_without_the_tracker_a_run_is_as_ever(
    hooks: TrackingHooks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with caplog.at_level("INFO"):
        drive(hooks)
    assert "Nothing is tracked, for wandb is not installed" in caplog.text
    assert "Tracking stopped" not in caplog.text


def test_each_row_is_logged_once(hooks: TrackingHooks, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker("")
    monkeypatch.setitem(sys.modules, "wandb", tracker)
    drive(hooks)
    assert tracker.rows == [
        {"history/epoch": 1, "history/loss": 0.5},
        {"history/epoch": 2, "history/loss": 0.25},
        {"judge_history/epoch": 1, "judge_history/loss": 0.5},
    ]


def test_what_other_processes_saved_is_logged_at_the_end(
    hooks: TrackingHooks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tracker = Tracker("")
    monkeypatch.setitem(sys.modules, "wandb", tracker)
    saved = CSVDataset(filepath=str(tmp_path / "scores.csv"))
    saved.save(pd.DataFrame({"accuracy": [0.9]}))
    node = Node(lambda: None, None, "scores", name="score", tags="classifier")
    hooks.before_pipeline_run(catalog=DataCatalog({"scores": saved}))
    hooks.after_pipeline_run(pipeline=Pipeline([node]))
    assert tracker.calls.count("log") == 1
    assert tracker.summary == {"scores/accuracy": 0.9}


def test_environment_comes_before_the_settings(
    hooks: TrackingHooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker("")
    monkeypatch.setitem(sys.modules, "wandb", tracker)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_RUN_GROUP", "mine")
    drive(hooks)
    assert tracker.arguments["mode"] == "offline"
    assert tracker.arguments["job_type"] == "classifier"
    assert not {"project", "group"} & set(tracker.arguments), "for arguments would win"
    tracker.calls.clear()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    drive(hooks)
    assert tracker.calls == []
