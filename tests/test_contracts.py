"""Contracts: every environment resolves and validates, nothing lives in memory by accident."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import MemoryDataset

from borderline import grid, ledger
from borderline.context import BorderlineContext
from borderline.hooks.preflight import PreflightHooks
from borderline.params import flat
from borderline.pipeline_registry import BESIDE, STAGES
from borderline.pipelines.classifier.params import JudgeParams, judge_settings
from borderline.pipelines.gasten.gan_params import gan_settings
from borderline.preflight.configuration import Parameters
from borderline.training.params import ModelParams, classifier_settings
from conftest import ENVIRONMENTS, ROOT, imported_model, start_kedro


def context_of(environment: str) -> BorderlineContext:
    start_kedro()
    with KedroSession.create(ROOT, env=environment) as session:
        return session.load_context()


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def context(request: pytest.FixtureRequest) -> BorderlineContext:
    return context_of(request.param)


def test_environments_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(ENVIRONMENTS) == 9
    for name in ENVIRONMENTS:
        assert f"`{name}`" in readme


def test_environment_is_valid_and_its_pipelines_build(context: BorderlineContext) -> None:
    parameters = context.checked
    assert set(pipelines) == {"__default__", *STAGES, *BESIDE}
    namespaces = {node.namespace for node in pipelines["__default__"].nodes} - {None}
    models, generators = parameters.grid.models, parameters.grid.generators
    assert namespaces == {
        *("classifier", "gasten", "gasten.gan", "metrics", "report"),
        *(f"classifier.{member}" for member in context.layout.members[1:]),
        *(f"{model}.{stage}" for model in models for stage in STAGES if stage != "gasten"),
        *(
            f"{model}.{stage}.{generator}"
            for model in models
            for stage in ("gasten", "metrics")
            for generator in generators
        ),
        *(f"{m}.clustering.{name}" for m in models for name in parameters.clustering.alone),
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
    base = context_of("base").checked
    of_case, of_base = (dict(flat(p.plain())) for p in (parameters, base))
    generators = ["gasten_25", "latent_search", "hybrid", "pixel_bisection"]
    changed = {
        "grid.models": list(models),
        "grid.generators": generators,
        "classifier.epochs": epochs[0],
        "judge.epochs": 4,
        "judge.members": 5,
        "gan.preset": "paper",
        "gan.epochs": epochs[1],
        "gan.steps_per_epoch": None,
        "gan.filters": 64,
        "gan.learning_rate": 2e-4,
        "generators.gasten_25.epochs": epochs[2],
        "generators.hybrid.space_of": "gasten_25",
        # The paper has no flow: these are for who adds one to the grid.
        "generators.diffusion.epochs": 16,
        "generators.flow_search.budget": 250_000,
        "generation.images": 15_000,
        "clustering.together": False,
        "clustering.alone": ["gasten_25"],
        "clustering.trials": 25,
        "clustering.reductions": ["umap", "tsne", "pca", "none"],
        "clustering.clusterings": ["gmm", "hdbscan", "kmeans"],
        "clustering.objective": "silhouette",
        "clustering.pca.n_components": [5, 60],
        "metrics.most_borderline": 4000,
    }
    if environment.startswith("mnist"):
        changed["generators.flow_search.truncation"] = 1.25
    of_pair = {name: of_case[name] for name in ("pair.positive", "pair.negative")}
    assert of_case == of_base | of_pair | changed
    assert of_case["generators.gasten_25.alpha"] == 25


def test_fingerprints_of_the_default_run() -> None:
    p = context_of("base").checked
    run, pair = {"run.seed": 0}, {"pair.positive": 7, "pair.negative": 1, "pair.test_share": 0.2}
    training = {
        "batch_size": 64,
        "learning_rate": 0.001,
        "validation_share": 0.16666667,
        "patience": 3,
    }
    assert isinstance(p.judge, JudgeParams)
    of_judge = {
        **run,
        "pair.test_share": 0.2,
        "judge.kind": "lenet",
        **{f"judge.{name}": value for name, value in training.items()},
    }
    assert judge_settings(p.run, p.pair, p.judge) == of_judge
    of_member = {"judge.member": 2, "judge.blended": 1.0}
    assert judge_settings(p.run, p.pair, p.judge, 2) == of_judge | of_member
    model = p.models["cnn_2"]
    assert isinstance(model, ModelParams)
    assert classifier_settings(p.run, p.pair, model, p.classifier) == {
        **run,
        **pair,
        "model.kind": "cnn",
        "model.filters": 2,
        **{f"classifier.{name}": value for name, value in training.items()},
    }
    assert gan_settings(p.run, p.pair, p.gan) == {
        **run,
        **pair,
        "gan.steps_per_epoch": 120,
        "gan.latent_dim": 64,
        "gan.architecture": "dcgan",
        "gan.filters": 24,
        "gan.blocks": None,
        "gan.loss": "ns",
        "gan.disc_iters": 1,
        "gan.batch_size": 64,
        "gan.learning_rate": 0.0004,
        "gan.precision": "auto",
    }
    assert p.generators["gasten_10"].fingerprint("generator") == {
        "generator.kind": "gasten",
        "generator.term": "gasten",
        "generator.alpha": 10.0,
        "generator.alpha_growth": 1.0,
        "generator.real_borderline": 0.0,
    }
    assert p.confusion.fingerprint("confusion") == {
        "confusion.threshold": 0.5,
        "confusion.band": 0.1,
        "confusion.scale": "probability",
    }


def test_fingerprint_of_an_imported_model_has_its_contract_and_not_its_place() -> None:
    source = {"kind": "torchscript", "path": "m.ts", "credentials": "s3", "trust": True}
    model = imported_model(source=source, outputs="logits", columns=[7, 5])
    assert model.fingerprint("model") == {
        "model.kind": "imported",
        "model.source.kind": "torchscript",
        "model.source.import_path": None,
        "model.source.key": None,
        "model.source.output": None,
        "model.input.size": None,
        "model.input.channels": None,
        "model.input.range": "[0.0, 1.0]",
        "model.input.mean": None,
        "model.input.std": None,
        "model.input.dtype": "float32",
        "model.input.fit": False,
        "model.input.layout": "nchw",
        "model.input.grey": None,
        "model.outputs": "logits",
        "model.columns": "[7, 5]",
        "model.most_other_mass": 0.5,
        "model.embedding": None,
    }


def test_call_and_ledger_leave_out_what_results_do_not_depend_on() -> None:
    changed = {
        "gan": {"epochs": 3, "compile": True},
        "run": {"device": "cpu"},
        "grid": {"runs": 2},
        "preset": "paper",
        **{"gate": {"judged_by": "interval"}, "compare": {"members": 3}, "data_folder": "x"},
        "rating": {"real": 3},
        **{"tracking": {"tags": ["a"]}, "other_run": {"data_folder": "y"}},
    }
    start_kedro()
    with KedroSession.create(ROOT, env="base", runtime_params=changed) as session:
        context = session.load_context()
    assert context.derived.call.changed == {
        "gan.epochs": 3,
        "gan.compile": True,
        "run.device": "cpu",
        "grid.runs": 2,
        "preset": "paper",
    }
    beside = {*BESIDE, "other_run", "search", "tracking", "images"}
    listed = set(Parameters.model_fields) - beside
    assert set(context.derived.call.listed) == listed
    hooks = PreflightHooks()
    hooks.after_context_created(context)
    nodes = pipelines["gasten"].nodes + pipelines["compare"].nodes + pipelines["report"].nodes
    entries = [ledger.settings_of(node, hooks.settings) for node in nodes]
    names = {name for entry in entries for name in entry}
    assert {"run.seed", "runs.run_2.seed", "gan.epochs", "gan.compile", "compare.members"} <= names
    groups = {name.partition(".")[0] for name in names}
    assert groups.isdisjoint({"call", "pairing", "tracking"})
    assert not [name for name in names if name.endswith(".device")]


def test_parameters_cover_what_the_nodes_ask_for() -> None:
    context_of("base")
    asked = {
        name.removeprefix("params:").split(".")[0]
        for name in pipelines["__default__"].inputs()
        if name.startswith("params:")
    }
    # For the hooks, for sweeps, and for what is beside the road.
    beside = {*BESIDE, "tracking", "other_run", "search", "images"}
    assert asked == {*Parameters.model_fields, "call", "gans", "members"} - beside


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
    assert len(pipelines["clustering"].nodes) == 27
    context_of("base")
    assert len(pipelines["clustering"].nodes) == 8
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
    start_kedro()
    with KedroSession.create(ROOT, env=environment, runtime_params=asked) as session:
        context = session.load_context()
    path = str(context.catalog.get("other_run.cnn_2.findings")._filepath)
    assert path.endswith(f"before/08_reporting/{folder}/cnn_2/findings.json")
    assert any(name.startswith("other_run.") for name in pipelines["compare"].inputs())
