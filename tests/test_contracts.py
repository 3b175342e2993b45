"""Contracts: every environment resolves and validates, nothing lives in memory by accident."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset

from borderline import grid
from borderline.context import BorderlineContext
from borderline.pipeline_registry import BESIDE, STAGES
from borderline.preflight.configuration import Parameters
from conftest import ENVIRONMENTS, ROOT


def context_of(environment: str) -> BorderlineContext:
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=environment) as session:
        return session.load_context()


@pytest.fixture(params=ENVIRONMENTS)
def context(request: pytest.FixtureRequest) -> BorderlineContext:
    return context_of(request.param)


def test_environments_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(ENVIRONMENTS) == 8
    for name in ENVIRONMENTS:
        assert f"`{name}`" in readme


def test_environment_is_valid_and_its_pipelines_build(context: BorderlineContext) -> None:
    parameters = context.checked
    assert set(pipelines) == {"__default__", *STAGES, *BESIDE}
    namespaces = {node.namespace for node in pipelines["__default__"].nodes} - {None}
    models, generators = parameters.grid.models, parameters.grid.generators
    assert namespaces == {
        *("classifier", "gasten", "gasten.gan", "metrics", "prototypes", "report"),
        *(f"{model}.{stage}" for model in models for stage in STAGES if stage != "gasten"),
        *(
            f"{model}.{stage}.{generator}"
            for model in models
            for stage in ("gasten", "metrics")
            for generator in generators
        ),
    }


def test_every_dataset_is_in_the_catalog_and_none_in_memory(context: BorderlineContext) -> None:
    catalog = context.catalog
    every = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    for name in every - {"parameters"}:
        if name.startswith("params:"):
            continue
        assert name in catalog, f"{name} would be kept in memory only"
        assert not isinstance(catalog.get(name), MemoryDataset)


def test_every_path_is_in_the_data_folder_and_no_two_outputs_share_one(
    context: BorderlineContext,
) -> None:
    folder = ROOT / context.config_loader["globals"]["data_folder"]
    paths, catalog = [], context.catalog
    for name in {name for pipeline in pipelines.values() for name in pipeline.all_outputs()}:
        dataset = catalog.get(name)
        path = Path(str(getattr(dataset, "_filepath", None) or dataset._path))
        assert path.is_relative_to(folder), f"{name} is outside of the data folder"
        paths.append(path)
    assert len(set(paths)) == len(paths)


def test_test_environment_redirects_every_path() -> None:
    assert context_of("test").config_loader["globals"]["data_folder"] != "data"


def test_everything_that_a_person_might_open_has_a_layer(context: BorderlineContext) -> None:
    catalog = context.catalog
    for name in pipelines["__default__"].all_outputs():
        metadata = catalog.get(name).metadata
        layers = {"images", "judge and GAN", "models under test", "report"}
        assert metadata["kedro-viz"]["layer"] in layers, name


@pytest.mark.parametrize(
    ("environment", "models", "epochs"),
    [
        ("mnist_7v1", ("cnn_1", "cnn_2", "cnn_4"), (1, 5, 10)),
        ("fashion_3v0", ("cnn_4", "cnn_8", "cnn_16"), (3, 10, 15)),
    ],
)
def test_pair_environments_hold_the_settings_of_the_paper(
    environment: str, models: tuple[str, ...], epochs: tuple[int, int, int]
) -> None:
    parameters = context_of(environment).checked
    generator = parameters.generators["gasten_25"]
    assert parameters.grid.models == models
    assert (parameters.classifier.epochs, parameters.gan.epochs, generator.epochs) == epochs
    assert (generator.alpha, parameters.generation.images) == (25, 15_000)
    assert (parameters.gan.filters, parameters.gan.learning_rate) == (64, 2e-4)
    assert parameters.gan.steps_per_epoch is None
    assert parameters.clustering.trials == 25


def test_parameters_cover_what_the_nodes_ask_for() -> None:
    context_of("base")
    asked = {
        name.removeprefix("params:").split(".")[0]
        for name in pipelines["__default__"].inputs()
        if name.startswith("params:")
    }
    # For the hooks, and for what is beside the road.
    beside = {"tracking", "gate", "compare", "other_run", "pairing"}
    assert asked == set(Parameters.model_fields) - {"runs", *beside}, "runs is for repetitions only"


def test_stages_are_listed_without_a_context() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "kedro", "registry", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for stage in (*STAGES, *BESIDE):
        assert f"- {stage}" in result.stdout


def test_walls_between_the_stages_stand() -> None:
    subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, check=True)


def test_two_environments_in_one_process_do_not_mix() -> None:
    context_of("fashion_3v0")
    assert len(pipelines["clustering"].nodes) == 21
    context_of("base")
    assert len(pipelines["clustering"].nodes) == 7
    assert grid.current().models == ("cnn_2",)


@pytest.mark.parametrize(
    ("environment", "changed", "folder"),
    [
        ("base", {}, "mnist_sample_7v1"),
        ("fashion_3v0", {}, "fashion_3v0"),
        ("base", {"pair": {"positive": 9}}, "mnist_sample_9v1"),
        ("base", {"other_run": {"case": "mnist_7v1"}}, "mnist_7v1"),
    ],
)
def test_other_run_is_looked_for_under_the_case_of_this_one(
    environment: str, changed: dict[str, dict[str, object]], folder: str
) -> None:
    asked = {**changed, "other_run": {"data_folder": "before", **changed.get("other_run", {})}}
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=environment, runtime_params=asked) as session:
        context = session.load_context()
    path = str(context.catalog.get("other_run.cnn_2.findings")._filepath)
    assert path.endswith(f"before/08_reporting/{folder}/cnn_2/findings.json")
    assert any(name.startswith("other_run.") for name in pipelines["compare"].inputs())
