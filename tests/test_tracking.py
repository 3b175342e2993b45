"""Tracking: what reaches the tracker, and that a tracker that fails fails no run."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from matplotlib.figure import Figure

from borderline.context import BorderlineContext
from borderline.datasets import (
    CSVDataset,
    FigureFolder,
    MatplotlibDataset,
    PickleDataset,
    PlotlyDataset,
    TensorDataset,
)
from borderline.errors import BorderlineError
from borderline.hooks.marks import has_mark
from borderline.hooks.tracking import TrackingHooks
from borderline.names import plain_name
from borderline.streaming import streams
from conftest import copy_project, start_kedro
from tracker import Tracker


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> BorderlineContext:
    project = copy_project(tmp_path_factory.mktemp("tracked") / "project")
    start_kedro()
    settings = {"tracking": {"mode": "offline", "project": "borders"}}
    with KedroSession.create(project, env="test", runtime_params=settings) as session:
        loaded = session.load_context()
    assert isinstance(loaded, BorderlineContext)
    return loaded


@pytest.fixture
def hooks(context: BorderlineContext) -> TrackingHooks:
    hooks = TrackingHooks()
    hooks.after_context_created(context)
    return hooks


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> Tracker:
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_RUN_GROUP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(mpl.rcParams, "savefig.dpi", "figure")  # the sizes are compared
    return use(monkeypatch, Tracker())


def use(monkeypatch: pytest.MonkeyPatch, tracker: Tracker) -> Tracker:
    monkeypatch.setitem(sys.modules, "wandb", tracker)
    return tracker


LOSSES = (0.5, 0.25)


@streams("judge_history_table", step="epoch", total=lambda: 2)
def train_judge() -> Iterator[pd.DataFrame]:
    for epoch in (1, 2):
        yield pd.DataFrame({"epoch": range(1, epoch + 1), "loss": LOSSES[:epoch]})


@streams("history_table", step="epoch", total=lambda: 2)
def train_gan() -> Iterator[tuple[pd.DataFrame, dict[str, Figure]]]:
    for epoch, table in enumerate(train_judge(), start=1):
        yield table, {f"epoch_{epoch:04d}": Figure(figsize=(epoch, 1), dpi=10)}


def score() -> tuple[pd.DataFrame, set[int], dict[str, Any]]:
    return pd.DataFrame({"accuracy": [0.9], "note": [""]}), {1}, {}


def compare() -> tuple[pd.DataFrame, go.Figure, Figure]:
    table = pd.DataFrame({"source": ["gasten_10", "hybrid"], "yield": [0.5, None]})
    return table, go.Figure(go.Scatter(x=[0], y=[0])), Figure(figsize=(3, 2), dpi=10)


ROAD = Pipeline(
    [
        Node(train_judge, None, "judge_history_table", tags="classifier"),
        Node(score, None, ["cnn_1.scores_table", "cnn_1.model", "pair_train"], tags="classifier"),
        Node(train_gan, None, ["gan.history_table", "gan.samples"], tags="gasten"),
        Node(
            compare,
            None,
            ["cnn_1.board_table", "cnn_1.front_chart", "cnn_1.images_figure"],
            tags=["metrics", "cnn_1"],
        ),
    ]
)


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    def path(name: str) -> str:
        return str(tmp_path / name)

    kept = {"borderline": {"artifact": True}}
    return DataCatalog(
        {
            "judge_history_table": CSVDataset(filepath=path("judge.csv")),
            "cnn_1.scores_table": CSVDataset(filepath=path("scores.csv")),
            "cnn_1.model": PickleDataset(filepath=path("model.pickle"), metadata=kept),
            "pair_train": TensorDataset(filepath=path("pair.safetensors")),
            "gan.history_table": CSVDataset(filepath=path("history.csv")),
            "gan.samples": FigureFolder(path=path("samples")),
            "cnn_1.board_table": CSVDataset(filepath=path("board.csv")),
            "cnn_1.front_chart": PlotlyDataset(filepath=path("front.json")),
            "cnn_1.images_figure": MatplotlibDataset(filepath=path("images.png")),
        }
    )


def drive(hooks: TrackingHooks, catalog: DataCatalog, road: Pipeline = ROAD) -> None:
    """A run, as Kedro drives it."""
    manager = _create_hook_manager()
    manager.register(hooks)
    hooks.before_pipeline_run(catalog=catalog)
    SequentialRunner().run(road, catalog, manager)
    hooks.after_pipeline_run(pipeline=road)


def with_settings(hooks: TrackingHooks, **settings: Any) -> TrackingHooks:
    tracking = hooks._parameters.tracking.model_copy(update=settings)
    hooks._parameters = hooks._parameters.model_copy(update={"tracking": tracking})
    return hooks


def rank() -> pd.DataFrame:
    return pd.DataFrame({"source": ["gasten_10", "real"], "acd": [0.125, 0.5], "note": ["", ""]})


COMPARED = ROAD + Pipeline(
    [
        Node(
            train_gan,
            None,
            ["cnn_1.gasten_10.history_table", "cnn_1.gasten_10.samples"],
            tags=["gasten", "cnn_1"],
        ),
        Node(rank, None, "cnn_1.leaderboard_table", tags=["metrics", "cnn_1"]),
    ]
)


@pytest.fixture
def compared(catalog: DataCatalog, tmp_path: Path) -> DataCatalog:
    """The catalog of ``COMPARED``."""
    scores = {"borderline": {"scores": True}}
    path = str(tmp_path / "cnn_1" / "leaderboard.csv")
    catalog["cnn_1.leaderboard_table"] = CSVDataset(filepath=path, metadata=scores)
    path = str(tmp_path / "cnn_1" / "history.csv")
    catalog["cnn_1.gasten_10.history_table"] = CSVDataset(filepath=path)
    catalog["cnn_1.gasten_10.samples"] = FigureFolder(path=str(tmp_path / "cnn_1" / "samples"))
    return catalog


def test_stages_are_job_types_of_one_group(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    drive(hooks, catalog)
    stages = tracker.stages()
    assert set(stages) == {"classifier", "gasten", "metrics"}
    assert len({run.arguments["group"] for run in tracker.runs}) == 1
    for stage, run in stages.items():
        assert run.arguments["group"].startswith("mnist_sample_7v1-")
        assert run.arguments["name"] == f"mnist_sample_7v1-{stage}"
        assert run.arguments["project"] == "borders"
        assert run.arguments["mode"] == "offline"
        assert run.arguments["config"]["gan"]["epochs"] == 3
        assert run.arguments["config"]["dataset"] == "mnist_sample"
        assert run.arguments["config"]["call"]["environment"] == "test"
        assert run.ended == [0]


def test_curves_are_those_of_the_histories(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    drive(hooks, catalog)
    for stage, name in (("classifier", "judge_history_table"), ("gasten", "gan/history_table")):
        run = tracker.stages()[stage]
        # Each row is logged once, although the table is saved with every epoch.
        assert run.values(f"{name}/epoch") == [1, 2]
        assert run.values(f"{name}/loss") == list(LOSSES)
        assert run.steps == {f"{name}/*": f"{name}/epoch"}


def test_samples_come_an_epoch_at_a_time(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    drive(hooks, catalog)
    samples = tracker.stages()["gasten"].values("gan/samples")
    assert [[image.caption for image in images] for images in samples] == [
        ["epoch_0001"],
        ["epoch_0002"],
    ]
    assert samples[1][0].size == (20, 10)


def test_tables_charts_and_figures_are_there(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    drive(hooks, catalog)
    metrics = tracker.stages()["metrics"]
    (table,) = metrics.values("cnn_1/board_table")
    assert (table.columns, table.rows) == (["source", "yield"], 2)
    assert metrics.values("cnn_1/front_chart")[0].traces == 1
    assert metrics.values("cnn_1/images_figure")[0].size == (30, 20)
    # The numbers of a single row are in the summary too.
    assert tracker.stages()["classifier"].summary == {"cnn_1/scores_table/accuracy": 0.9}


def test_marked_files_are_an_artifact(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    drive(hooks, catalog)
    artifacts = {stage: run.artifacts for stage, run in tracker.stages().items()}
    assert artifacts == {
        "classifier": {"mnist_sample_7v1-classifier": ["cnn_1.model.pickle"]},
        "gasten": {},
        "metrics": {},
    }


def test_long_names_of_classes_are_cut_for_the_tracker(
    context: BorderlineContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = TrackingHooks()
    monkeypatch.setattr("borderline.hooks.tracking.name_of_pair", lambda *_: "x" * 121)
    hooks.after_context_created(context)
    assert len(f"{hooks._case}-20261126-120000") <= 128


def test_artifact_of_classes_with_blanks_in_their_names(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    hooks._case = "shoes_ankle bootvcaf\u00e9"
    drive(hooks, catalog)
    assert list(tracker.stages()["classifier"].artifacts) == [
        plain_name("shoes_ankle bootvcafé-classifier")
    ]


def test_catalog_marks_models_pages_and_cards_as_artifacts(context: BorderlineContext) -> None:
    names = ["cnn_1.classifier", "cnn_1.gasten_10.generator", "cnn_1.findings", "cnn_1.model_card"]
    catalog = context.catalog
    for name in (*names, "report", "comparison"):
        assert has_mark(catalog.get(name), "artifact"), name
    for name, mark in (("report", "page"), ("comparison", "page"), ("gate_table", "gate")):
        assert has_mark(catalog.get(name), mark), name
    assert has_mark(catalog.get("summary_table"), "summary")
    assert not has_mark(catalog.get("cnn_1.summary_table"), "summary")
    for name in ("own_counterfactuals", "own_images_table", "own_images_figure"):
        assert has_mark(catalog.get(f"cnn_1.{name}"), "private"), name


def test_what_is_private_reaches_no_tracker(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    for name in ("board_table", "images_figure"):
        dataset: Any = catalog.get(f"cnn_1.{name}")
        dataset.metadata = {"borderline": {"private": True}}
    drive(hooks, catalog)
    metrics = tracker.stages()["metrics"]
    assert not metrics.values("cnn_1/board_table")
    assert not metrics.values("cnn_1/images_figure")
    assert metrics.values("cnn_1/front_chart")


@pytest.mark.parametrize(
    "fails_at", ["init", "log", "define_metric", "add_file", "log_artifact", "finish"]
)
@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_tracker_that_fails_fails_no_run(
    hooks: TrackingHooks,
    catalog: DataCatalog,
    monkeypatch: pytest.MonkeyPatch,
    fails_at: str,
    error: type[BaseException],
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = use(monkeypatch, Tracker(fails_at, error=error))
    drive(hooks, catalog)
    once = tracker.calls.count("init") if fails_at == "finish" else 1
    assert tracker.calls.count(fails_at) == once, "the hook calls it no more"
    assert caplog.text.count("Tracking stopped, and the run goes on: the network is down") == 1
    assert caplog.text.count("Tracking stopped") == 1
    assert tracker.calls.count("finish") == len(tracker.runs), "each run that began is finished"


def test_run_goes_on_without_the_tracker(
    hooks: TrackingHooks,
    catalog: DataCatalog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with caplog.at_level("INFO"):
        drive(hooks, catalog)
    assert "Nothing is tracked, because wandb is not installed" in caplog.text
    assert "Tracking stopped" not in caplog.text


def test_results_of_other_processes_are_logged_at_the_end(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog
) -> None:
    SequentialRunner().run(ROAD, catalog, _create_hook_manager())
    hooks.before_pipeline_run(catalog=catalog)
    hooks.after_pipeline_run(pipeline=ROAD)
    stages = tracker.stages()
    assert stages["classifier"].values("judge_history_table/loss") == list(LOSSES)
    assert stages["classifier"].summary == {"cnn_1/scores_table/accuracy": 0.9}
    assert list(stages["classifier"].artifacts.values()) == [["cnn_1.model.pickle"]]
    assert stages["metrics"].values("cnn_1/front_chart")[0].traces == 1
    assert stages["metrics"].values("cnn_1/images_figure")[0].size == (30, 20)


def test_environment_comes_before_the_settings(
    hooks: TrackingHooks, tracker: Tracker, catalog: DataCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_RUN_GROUP", "mine")
    drive(hooks, catalog)
    for run in tracker.runs:
        assert run.arguments["mode"] == "offline"
        assert not {"project", "group"} & set(run.arguments), "an argument would win"
    tracker.calls.clear()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    drive(hooks, catalog)
    assert tracker.calls == []


def test_real_tracker_leaves_a_folder_for_each_stage(
    hooks: TrackingHooks, context: BorderlineContext, catalog: DataCatalog, caplog: Any
) -> None:
    drive(hooks, catalog)
    assert "Tracking stopped" not in caplog.text
    folder = context.project_path / context.about.data_folder / "wandb"
    assert len(list(folder.glob("offline-run-*"))) == 3


def test_generator_is_a_run_with_its_curves_settings_and_scores(
    hooks: TrackingHooks, tracker: Tracker, compared: DataCatalog
) -> None:
    drive(with_settings(hooks, runs="generator"), compared, COMPARED)
    runs = tracker.stages()
    assert set(runs) == {"classifier", "gasten", "metrics", "generator"}
    run = runs["generator"]
    assert run.arguments["name"] == "mnist_sample_7v1-cnn_1-gasten_10"
    config = run.arguments["config"]
    assert (config["model"], config["model_settings"]["filters"]) == ("cnn_1", 1)
    assert (config["generator"], config["generator_settings"]["alpha"]) == ("gasten_10", 10)
    assert run.values("history_table/epoch") == [1, 2]
    assert run.values("history_table/loss") == list(LOSSES)
    assert run.steps == {"history_table/*": "history_table/epoch"}
    assert [image.caption for (image,) in run.values("samples")] == ["epoch_0001", "epoch_0002"]
    assert run.summary == {"leaderboard_table/acd": 0.125}
    # The rest stays with the stages.
    assert runs["gasten"].values("gan/history_table/epoch") == [1, 2]
    assert runs["metrics"].values("cnn_1/leaderboard_table")[0].rows == 2


def test_generators_are_in_their_stages_by_default(
    hooks: TrackingHooks, tracker: Tracker, compared: DataCatalog
) -> None:
    drive(hooks, compared, COMPARED)
    runs = tracker.stages()
    assert set(runs) == {"classifier", "gasten", "metrics"}
    assert runs["gasten"].values("cnn_1/gasten_10/history_table/epoch") == [1, 2]
    assert runs["metrics"].summary == {}


def test_catalog_marks_the_scores_of_generators(context: BorderlineContext) -> None:
    assert has_mark(context.catalog.get("cnn_1.leaderboard_table"), "scores")
    assert not has_mark(context.catalog.get("cnn_1.realism_table"), "scores")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, context: BorderlineContext) -> Path:
    """The folder of MLflow."""
    for name in ("TRACKING_URI", "EXPERIMENT_NAME", "EXPERIMENT_ID", "DISABLE_TELEMETRY"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    return context.project_path / context.about.data_folder / "mlflow"


def test_real_mlflow_gets_the_same(
    hooks: TrackingHooks,
    store: Path,
    compared: DataCatalog,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_settings(hooks, kind="mlflow", runs="generator", tags=("a b", "c"))
    drive(hooks, compared, COMPARED)
    assert "Tracking stopped" not in caplog.text
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    mlflow = importlib.import_module("mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("borders").experiment_id
    runs = {run.data.tags["kind"]: run for run in client.search_runs([experiment])}
    assert set(runs) == {"classifier", "gasten", "metrics", "generator"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert len({run.data.tags["group"] for run in runs.values()}) == 1
    run = runs["generator"]
    assert run.info.run_name == "mnist_sample_7v1-cnn_1-gasten_10"
    assert run.data.params["generator"] == "gasten_10"
    assert run.data.params["generator_settings.alpha"] == "10.0"
    assert (run.data.tags["a b"], run.data.tags["c"]) == ("true", "true")
    assert run.data.metrics["leaderboard_table/acd"] == 0.125
    history = client.get_metric_history(run.info.run_id, "history_table/loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.25)]
    assert runs["classifier"].data.metrics["cnn_1/scores_table/accuracy"] == 0.9

    def files(stage: str) -> set[str]:
        root = Path(runs[stage].info.artifact_uri.removeprefix("file://"))
        assert root.is_relative_to(store / "files")
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    assert files("classifier") == {"cnn_1/scores_table.csv", "results/cnn_1.model/model.pickle"}
    assert files("metrics") == {
        *("cnn_1/board_table.csv", "cnn_1/leaderboard_table.csv"),
        *("cnn_1/front_chart.html", "cnn_1/images_figure.png"),
    }
    steps = sorted(name.split("+")[2] for name in files("generator") if name.endswith(".png"))
    assert steps == ["1", "2"]

    # The environment decides about the experiment.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    drive(hooks, compared, Pipeline([Node(rank, None, "cnn_1.board_table", tags="metrics")]))
    assert len(client.search_runs([client.get_experiment_by_name("mine").experiment_id])) == 1


def test_mlflow_that_fails_fails_no_run(
    hooks: TrackingHooks,
    store: Path,
    catalog: DataCatalog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://")
    drive(with_settings(hooks, kind="mlflow", mode="online"), catalog)
    assert caplog.text.count("Tracking stopped, and the run goes on") == 1


def test_run_tells_that_mlflow_is_missing(
    hooks: TrackingHooks,
    catalog: DataCatalog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    drive(with_settings(hooks, kind="mlflow"), catalog)
    assert "Nothing is tracked, because mlflow is not installed" in caplog.text
    assert "borderline[mlflow]" in caplog.text


def test_online_mlflow_needs_a_server(
    hooks: TrackingHooks, store: Path, catalog: DataCatalog
) -> None:
    with pytest.raises(BorderlineError, match="MLFLOW_TRACKING_URI to its address"):
        drive(with_settings(hooks, kind="mlflow", mode="online"), catalog)
