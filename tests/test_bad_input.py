"""Bad input: one sentence that names setting, value and remedy; nothing is written."""

from __future__ import annotations

import gzip
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from kedro.framework.cli.utils import KedroCliError

from borderline.commands.run import run as run_command
from borderline.preflight import folders
from conftest import SETTINGS, kedro_run, run_here, start_kedro


@pytest.fixture
def kedro(project: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """``kedro run`` in this process, which spares every case the start of another."""
    monkeypatch.chdir(project)
    start_kedro()
    return CliRunner()


def invoke(kedro: CliRunner, *arguments: str) -> Result:
    return kedro.invoke(run_command, ["--env", "test", *arguments])


def assert_one_sentence(result: Result, *words: str) -> None:
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code != 0
    assert len(errors) == 1, result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in errors[0]
    assert errors[0].endswith(".")


def assert_nothing_written(project: Path) -> None:
    assert not (project / "data").exists()


def configure(project: Path, **entries: object) -> None:
    path = project / "conf/test/globals.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | entries))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "gan.epohcs=3",
            ["setting 'gan.epohcs'. Did you mean 'gan.epochs'? ", "base/"],
        ),
        ("gann.epochs=3", ["Unknown setting 'gann'. Did you mean 'gan'?"]),
        ("gan.learning_rate=inf", ["gan.learning_rate", "finite"]),
        ("pair.test_share=0.999", ["pair.test_share", "0.999", "at least 4"]),
        ("gan.epochs=-1", ["gan.epochs", "-1", "greater than or equal to 1"]),
        ("classifier.epochs=0", ["classifier.epochs", "0", "greater than or equal to 1"]),
        ("generators.gasten_10.alpha=high", ["generators.gasten_10.alpha", "'high'", "number"]),
        ("generators.gasten_10.kind=gastn", ["generators.gasten_10.kind", "'gastn'", "'gasten'"]),
        ("generators.gasten_10.term=gausian", ["generators.gasten_10.term", "'gausian'"]),
        ("generators.gasten_10.term=mgda", ["generators.gasten_10 is invalid: mgda", "left out"]),
        ("generators.hybrid.start=2", ["generators.hybrid is invalid: gasten_10 is searched at"]),
        ("generators.gasten_10.start=true", ["generators.gasten_10.start is True", "'best'"]),
        ("generators.latent_search.realism.keep=2", ["generators.latent_search.realism"]),
        ("gan.architecture=resnet,gan.blocks=3", ["gan is invalid: a resnet", "blocks"]),
        ("gan.compile=true,gan.loss=wgan_gp", ["gan.compile is True", "'wgan_gp'"]),
        (
            "generators.gasten_10.alfa=3",
            ["'generators.gasten_10.alfa'. Did you mean 'generators.gasten_10.alpha'"],
        ),
        ("generators.gasten_10.start=bets", ["generators.gasten_10.start", "'bets'", "'best'"]),
        ("generators.gasten_10.start=4", ["generators.gasten_10.start is 4", "3 epochs"]),
        ("generators.gasten_10.start=best", ["generation.test_noise is 64", "64 features"]),
        ("generators.hybrid.space_of=gasten_20", ["generators.hybrid.space_of", "mean 'gasten_"]),
        (
            "generators.hybrid.space_of=latent_search",
            ["hybrid.space_of", "no trained or imported generator"],
        ),
        ("generators.latent_search.spread=0.2", ["spread add up to 0.21", "confusion.band"]),
        ("generators.latent_search.pairs=near", ["generators.latent_search.pairs", "'nearest'"]),
        ("preset=papers", ["preset is 'papers' (did you mean 'paper'?)", "paper_mnist"]),
        (
            "generator_kinds.gastn.term=kl",
            ["'generator_kinds.gastn'. Did you mean", ".gasten'"],
        ),
        (
            "model_kinds.imported.inputs=1",
            ["'model_kinds.imported.inputs'", ".input'"],
        ),
        ("generator_kinds.gasten=3", ["generator_kinds.gasten is 3", "must contain settings"]),
        ("generator_kinds.gasten.alpha=x", [".alpha is 'x'"]),
        ("gan.preset=quick", ["gan.preset", "'quick'", "'paper' or 'fast'"]),
        ("gan.loss=wgan", ["gan.loss", "'wgan'", "'ns' or 'wgan_gp'"]),
        ("gan.disc_iters=9", ["gan.disc_iters is 9", "only 8 steps"]),
        ("grid.runs=0", ["grid.runs", "0", "greater than or equal to 1"]),
        ("runs.run_2.seed=3", ["Unknown setting 'runs'"]),
        ("call.environment=mine", ["Unknown setting 'call'"]),
        ("pairing.this=a,pairing.other=b,pairing.elsewhere=false", ["Unknown setting 'pairing'"]),
        ("tracking.mode=sometimes", ["tracking.mode is 'sometimes'", "'offline'", "'disabled'"]),
        ("tracking.kind=mlflo", ["tracking.kind is 'mlflo'", "'wandb' or 'mlflow'"]),
        ("tracking.runs=models", ["tracking.runs is 'models'", "'stage' or 'generator'"]),
        ("classifier.training_accuracy=1", ["classifier.training_accuracy is 1"]),
        ("report.patterns=0", ["report.patterns is 0", "greater than or equal to 1"]),
        ("gate.limits.acuracy.least=1", ["gate.limits", "did you mean 'accuracy'"]),
        ("gate.limits.accuracy.lest=1", ["Unknown setting 'gate.limits.accuracy.lest'"]),
        ("gate.limits=null", ["gate is invalid", "limits must have at least one limit"]),
        ("gate.suites=v1", ["gate.suites is 'v1'", "a list"]),
        ("gate.suite_limits.weakness_accuracy.least=2", [".least is 2", "or equal to 1"]),
        ("gate.judged_by=eye", ["gate.judged_by is 'eye'", "'value' or 'interval'"]),
        ("compare.this=cnn_9", ["compare.this is 'cnn_9'", "choose one of cnn_1, mlp_4"]),
        ("compare.other=mlp_5", ["compare.other is 'mlp_5'", "did you mean 'mlp_4'"]),
        ("compare.unsure=0.5", ["compare.unsure is 0.5", "less than 0.5"]),
        ("rating.real=0", ["rating.real is 0", "greater than or equal to 1"]),
        ("rating.least_right=80", ["rating.least_right is 80", "less than or equal to 1"]),
        (
            "models.cnn_1.kind=rnn",
            ["models.cnn_1.kind", "'rnn'", "'cnn', 'mlp', 'torchvision', 'timm', 'imported'"],
        ),
        ("confusion.band=0", ["confusion.band", "0", "greater than 0"]),
        ("confusion.band=0.6", ["confusion is invalid: band is 0.6", "band to at most 0.5"]),
        ("pair.positive=12", ["pair.positive", "12", "choose one of 0, 1"]),
        ("pair.negative=seven", ["pair.negative", "'seven'", "choose one of 0, 1"]),
        ("pair.positive=1", ["pair.positive", "pair.negative", "both 1", "choose two classes"]),
        ("run.device=cuda:99", ["run.device", "'cuda:99'", "'cpu'"]),
        ("run.device=gpu", ["run.device", "'gpu'"]),
        ("clustering.alone=[gasten_24]", ["clustering.alone is 'gasten_24'", "gasten_25"]),
        ("metrics.choose=best", ["metrics.choose", "'best'", "max_yield", "gasten_10"]),
        ("metrics.choose=min_acd", ["metrics is invalid: choose: min_acd and fd_at_most", "both"]),
        ("metrics.fd_at_most=50", ["metrics is invalid: choose: min_acd and fd_at_most"]),
        ("metrics.sample_size=60", ["sample_size (60) must be at least fewest_images"]),
        (
            "metrics.sample_size=60,metrics.fewest_images=20",
            ["metrics.sample_size is 60", "generation.test_noise 64"],
        ),
        ("generation.images=60", ["generation.images is 60", "generation.test_noise 64"]),
        ("generation.images=64", ["generation.images is 64", "64 features"]),
        ("metrics.neighbours=200", ["fewest_images", "must be more than neighbours"]),
        (
            "metrics.neighbours=900,metrics.fewest_images=1000",
            ["metrics.neighbours is 900", "only 80", "training images"],
        ),
        ("clustering.trials=none", ["clustering.trials", "'none'", "integer"]),
        ("clustering.objective=accuracy", ["clustering.objective", "'accuracy'", "'silhouette'"]),
        ("clustering.objective=bic", ["clustering is invalid: objective 'bic'", "[none]", "[gmm]"]),
        ("clustering.structure.clouds=1", ["clustering.structure is invalid", "raise clouds to 3"]),
        ("clustering.fewest_in_cluster=1", ["clustering.fewest_in_cluster is 1", "equal to 3"]),
        ("prototypes.shown=medoids", ["prototypes.shown", "'medoids'", "'medoid'"]),
        (
            "prototypes.shown=centroid_embedding",
            ["prototypes is invalid: shown is 'centroid_embedding'", "choose one of medoid"],
        ),
        ("prototypes.shap_samples=5", ["Unknown setting 'prototypes.shap_samples'"]),
        ("prototypes.validation.draws=5", ["prototypes.validation.draws is 5", "equal to 19"]),
        (
            "prototypes.validation.level=0.01",
            ["prototypes.validation is invalid", "raise draws to 99"],
        ),
        ("prototypes.explanation.shap_baseline=white", ["shap_baseline", "'white'", "'black'"]),
        ("judge.members=0", ["judge.members is 0", "greater than or equal to 1"]),
        ("judge.blended=2", ["judge.blended is 2", "less than or equal to 1"]),
        ("verdicts.split=0.05", ["verdicts is invalid", "must add up to more than 1"]),
        ("verdicts.memorized=0.1", ["'verdicts.memorized'", "'verdicts.memorised'"]),
        ("prototypes.tipping.confident=0.5", ["prototypes.tipping.confident is 0.5", "0.5"]),
    ],
)
def test_impossible_setting(
    kedro: CliRunner, project: Path, setting: str, words: list[str]
) -> None:
    assert_one_sentence(invoke(kedro, "--params", setting), *words)
    assert_nothing_written(project)


@pytest.mark.parametrize(("group", "known"), [("models", "mlp_4"), ("generators", "gasten_25")])
def test_unknown_name_in_the_grid(kedro: CliRunner, project: Path, group: str, known: str) -> None:
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["grid"][group] = ["nobody"]
    path.write_text(yaml.safe_dump(parameters))
    assert_one_sentence(invoke(kedro), f"grid.{group}", "'nobody'", "choose one of", known)
    assert_nothing_written(project)


@pytest.mark.parametrize(
    ("judges", "words"),
    [
        (["classifier"], ["grid.judges", "must name 'lenet'"]),
        (["lenet", "lenet"], ["grid.judges", "each judge once"]),
        (["lenet", "inception"], ["metrics.sample_size is 2048", "inception", "2048 features"]),
        (["lenet", "inceptoin"], ["grid.judges", "'inceptoin'", "'inception'"]),
    ],
)
def test_judges_that_cannot_be(
    kedro: CliRunner, project: Path, judges: list[str], words: list[str]
) -> None:
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["grid"]["judges"] = judges
    path.write_text(yaml.safe_dump(parameters))
    assert_one_sentence(invoke(kedro), *words)
    assert_nothing_written(project)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            {"kind": "mnist_smaple"},
            ["source.kind", "'mnist_smaple'", "did you mean 'mnist_sample'"],
        ),
        (
            {"kind": "torchvision", "name": "FashonMNIST", "path": "x"},
            ["source.name", "'FashonMNIST'", "did you mean 'FashionMNIST'"],
        ),
        ({"kind": "idx"}, ["source.path", "name the folder"]),
        ({"kind": "idx", "path": "nowhere"}, ["source.path", "nowhere", "no such folder"]),
        ({"kind": "idx", "path": "conf"}, ["source.path", "conf'", "train-images"]),
    ],
)
def test_source_that_is_not_there(
    kedro: CliRunner, project: Path, source: dict[str, str], words: list[str]
) -> None:
    configure(project, source=source)
    assert_one_sentence(invoke(kedro), *words)
    assert_nothing_written(project)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"pair": {"positiv": 7, "negative": 1}}, ["pair.positive", "missing", "globals.yml"]),
        ({"source": "mnist_sample"}, ["source", "'mnist_sample'", "a group of settings"]),
        ({"pair": {"positive": {"a": 1}, "negative": 1}}, ["pair.positive is invalid"]),
        ({"pair": {"positive": None, "negative": 1}}, ["pair.positive is None", "'null' in quo"]),
        (
            {"source": {"kind": "mnist_sample", "clases": []}},
            ["Unknown setting 'source.clases'. Did you mean 'source.classes'"],
        ),
        (
            {"datset": "x"},
            ["Unknown setting 'datset'. Did you mean 'dataset'? ", "base/globals.yml"],
        ),
        ({"study_storage": "nosuch://x"}, ["study_storage is 'nosuch://x'", "nosuch", "globals"]),
    ],
)
def test_bad_globals(
    kedro: CliRunner, project: Path, entries: dict[str, object], words: list[str]
) -> None:
    configure(project, **entries)
    assert_one_sentence(invoke(kedro), *words)
    assert_nothing_written(project)


def test_early_stopping_of_step_1_by_a_figure_that_it_does_not_have(
    kedro: CliRunner, project: Path
) -> None:
    settings = "gan.early_stopping.metric=acd,gan.early_stopping.patience=2"
    result = invoke(kedro, "--params", settings)
    assert_one_sentence(result, "gan.early_stopping.metric is 'acd'", "'fd_lenet'")


def edit_generators(project: Path, **entries: dict[str, object]) -> None:
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["generators"] |= entries
    parameters["grid"]["generators"] = list(entries)
    path.write_text(yaml.safe_dump(parameters))


def test_best_in_a_list_of_starts_needs_figures_too(kedro: CliRunner, project: Path) -> None:
    edit_generators(project, gasten_10={"start": ["best", 2], "epochs": 2})
    assert_one_sentence(invoke(kedro), "generation.test_noise is 64", "64 features")


def test_two_generators_of_one_name(kedro: CliRunner, project: Path) -> None:
    other = {"kind": "gasten", "epochs": 1}
    edit_generators(project, gasten_10={"start": [2, 3], "epochs": 2}, gasten_10_from_2=other)
    assert_one_sentence(invoke(kedro), "'gasten_10_from_2'", "two generators", "rename")


def test_compiled_networks_of_mgda(kedro: CliRunner, project: Path) -> None:
    edit_generators(project, mgda={"kind": "gasten", "term": "mgda", "epochs": 1})
    result = invoke(kedro, "--params", "gan.compile=true")
    assert_one_sentence(result, "gan.compile is True", "generators.mgda.term 'mgda'")


@pytest.mark.parametrize(
    "content", [{"weight": torch.zeros(2)}, {"epoch": 1, "state": None}, b"no checkpoint"]
)
def test_given_step_1_that_is_something_else(
    kedro: CliRunner, project: Path, content: dict[str, object] | bytes
) -> None:
    path = project / "given.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    configure(project, step_1_checkpoints=str(path))
    result = invoke(kedro)
    assert_one_sentence(result, f"step_1_checkpoints is '{path}'", "holds no checkpoints")
    assert "delete" not in result.stderr
    assert_nothing_written(project)


def test_given_step_1_that_is_not_there(kedro: CliRunner, project: Path) -> None:
    configure(project, step_1_checkpoints="nowhere")
    assert_one_sentence(invoke(kedro), "step_1_checkpoints is 'nowhere'", "no checkpoint is there")
    assert_nothing_written(project)


def test_inception_without_its_weights(
    kedro: CliRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    monkeypatch.setenv("TORCH_HOME", str(project / "cache"))
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["grid"]["judges"] = ["lenet", "inception"]
    parameters["generation"]["images"] = 3000
    parameters["metrics"]["sample_size"] = 3000
    path.write_text(yaml.safe_dump(parameters))
    result = invoke(kedro)
    assert_one_sentence(result, "inception", "Name or service not known", "inception_weights")
    configure(project, inception_weights=str(project / "nowhere.pth"))
    assert_one_sentence(invoke(kedro), "inception_weights", "nowhere.pth", "no such file")
    torch.save({"weight": torch.zeros(2)}, project / "other.pth")
    configure(project, inception_weights=str(project / "other.pth"))
    assert_one_sentence(invoke(kedro), "other.pth", "not the file of weights of 2015-12-05")
    assert_nothing_written(project)


def test_pair_that_would_be_filed_under_another(kedro: CliRunner, project: Path) -> None:
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text()) | {"pair": {"positive": 9}}
    path.write_text(yaml.safe_dump(parameters))
    assert_one_sentence(invoke(kedro), "pair.positive is 9", "paths carry 7", "globals.yml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pipelines", "gastn"], ["--pipelines is 'gastn' (did you mean 'gasten'?): choose"]),
        (["--nodes", "nosuch"], ["nosuch"]),
        (["--to-outputs", "nosuch"], ["nosuch"]),
        (["--tags", "nosuch"], ["--tags", "correct them"]),
        (["--env", "nosuch"], ["--env is 'nosuch'", "choose one of base, ", "fashion_3v0"]),
        (["--env", "tests"], ["--env is 'tests' (did you mean 'test'?)"]),
        (["--runner", "Nosuch"], ["--runner is 'Nosuch'", "SequentialRunner"]),
        (["--runner-params", "a=[1"], ["--runner-params has 'a=[1'", "bracket"]),
        (["--runner-params", "nosuch=1"], ["--runner-params does not fit", "'nosuch'"]),
        (["--params", "gan.epochs=[1"], ["--params has 'gan.epochs=[1'", "close it with ]"]),
        (["--params", "gan.epochs"], ["--params has 'gan.epochs'", "<name>=<value>"]),
        (["--params", "pair.positive=007"], ["pair.positive is 7", "written as 007"]),
        (["--params", "gan=[1]"], ["gan is [1], but it must be a group of settings"]),
        (["--params", "grid.models={a: 1}"], ["grid.models is invalid", "it must be a list"]),
        (["--config", "conf/base/globals.yml"], ["--config is", "no group 'run'"]),
    ],
)
def test_unknown_pipeline_node_or_environment(
    kedro: CliRunner, project: Path, arguments: list[str], words: list[str]
) -> None:
    result = invoke(kedro, *arguments)
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    error = next(line for line in result.stderr.splitlines() if line.startswith("Error: "))
    for word in words:
        assert word in error
    assert error.endswith(".")


def test_syntax_error_in_a_file(kedro: CliRunner, project: Path) -> None:
    (project / "conf/test/globals.yml").write_text("pair:\n\tpositive: 7")
    assert_one_sentence(invoke(kedro), "Line 2, column 1 of conf/test/globals.yml", "with spaces")
    assert_nothing_written(project)


@pytest.mark.parametrize(
    ("content", "words"),
    [("run: [", ["line 1, column 7", "bracket"]), ("run: {env: test}\nrun: {}", ["twice"])],
)
def test_syntax_error_in_the_file_of_options(
    kedro: CliRunner, project: Path, content: str, words: list[str]
) -> None:
    (project / "options.yml").write_text(content)
    result = invoke(kedro, "--config", "options.yml")
    assert_one_sentence(result, "--config is", "options.yml'", *words)


@pytest.mark.parametrize(("name", "content"), [("source", "5"), ("extra", "[a]"), ("extra", "{}")])
def test_entry_of_the_catalog_that_is_none(
    kedro: CliRunner, project: Path, name: str, content: str
) -> None:
    (project / "conf/test/catalog.yml").write_text(f"{name}: {content}")
    assert_one_sentence(invoke(kedro), name, "catalog")
    assert_nothing_written(project)


GOOD_LABELS = struct.pack(">HBBI", 0, 8, 1, 20) + bytes([1, 7] * 10)
GOOD_IMAGES = struct.pack(">HBBIII", 0, 8, 3, 20, 28, 28) + bytes(20 * 28 * 28)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (GOOD_IMAGES[:-1], GOOD_LABELS, ["train-images", "truncated", "replace it"]),
        (b"\x89PNG" + GOOD_IMAGES, GOOD_LABELS, ["train-images", "89 50 4e 47", "IDX"]),
        (b"", GOOD_LABELS, ["train-images", "(none)", "IDX"]),
        (GOOD_IMAGES, GOOD_LABELS[:9], ["train-labels", "truncated"]),
        (GOOD_IMAGES, None, ["train-labels", "missing"]),
        (GOOD_LABELS, GOOD_LABELS, ["one image and one label each"]),
        (
            struct.pack(">HBBIII", 0, 8, 3, 20, 28, 4) + bytes(20 * 28 * 4),
            GOOD_LABELS,
            ["4x28", "at least 8 pixels"],
        ),
    ],
)
def test_damaged_idx_file(
    kedro: CliRunner, project: Path, images: bytes, labels: bytes | None, words: list[str]
) -> None:
    folder = project / "idx"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(images)
    if labels is not None:
        (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    configure(project, source={"kind": "idx", "path": str(folder)})
    assert_one_sentence(invoke(kedro), *words)
    assert_nothing_written(project)


def test_damaged_gzip_file(kedro: CliRunner, project: Path) -> None:
    folder = project / "idx"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(GOOD_IMAGES)[:-20])
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(GOOD_LABELS))
    configure(project, source={"kind": "idx", "path": str(folder)})
    assert_one_sentence(invoke(kedro), "train-images-idx3-ubyte.gz", "cannot be read", "replace it")


@pytest.mark.parametrize(
    ("stage", "command"),
    [
        ("gasten", "kedro run --env test --pipelines classifier,gasten"),
        ("metrics", "kedro run --env test --pipelines classifier,gasten,metrics"),
        ("prototypes", "classifier,gasten,metrics,clustering,prototypes"),
    ],
)
def test_stage_without_its_inputs_gives_the_command_that_helps(
    kedro: CliRunner, project: Path, stage: str, command: str
) -> None:
    assert_one_sentence(invoke(kedro, "--pipelines", stage), stage, command)
    assert_nothing_written(project)


def test_data_folder_that_cannot_be_written(kedro: CliRunner, project: Path) -> None:
    (project / "file").touch()
    # The download of such a source must not come first.
    source = {"kind": "torchvision", "name": "MNIST", "path": str(project / "data/01_raw")}
    configure(project, data_folder="file/data", source=source)
    assert_one_sentence(invoke(kedro), "data_folder", "file", "cannot be written", "globals.yml")
    assert_nothing_written(project)


def test_full_disk_before_the_run(
    kedro: CliRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_LEAST_FREE_BYTES", 2**62)
    assert_one_sentence(invoke(kedro), "data_folder", "MB left", "free disk space")
    assert_nothing_written(project)


def test_disk_that_fills_up_during_the_run(
    kedro: CliRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "pair_train.safetensors")

    monkeypatch.setattr("borderline.datasets.atomic.BinaryFile.save", full)
    result = invoke(kedro, "--pipelines", "classifier")
    assert_one_sentence(
        result, "pair_train.safetensors", "No space left on device", "free disk space"
    )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("compare.other=cnn_1", ["compare.other is 'cnn_1', and so is compare.this", "other_run"]),
        (
            "other_run.data_folder=elsewhere",
            ["other_run.data_folder is 'elsewhere'", "/mnist_sample_7v1/", "no finished run"],
        ),
    ],
)
def test_nothing_to_compare(
    kedro: CliRunner, project: Path, setting: str, words: list[str]
) -> None:
    result = invoke(kedro, "--pipelines", "compare", "--params", setting)
    assert_one_sentence(result, *words)
    assert_nothing_written(project)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (",gate.limits=null", ["gate.suites: The suite", "nowhere is no folder"]),
        ("", ["limits of the findings about cnn_1", "set gate.limits to null"]),
    ],
)
def test_suite_is_read_before_a_new_model_is_trained(
    kedro: CliRunner, limits: str, words: list[str]
) -> None:
    params = f"gate.suites=[nowhere]{limits}"
    result = invoke(kedro, "--pipelines", "classifier,gate", "--params", params)
    assert_one_sentence(result, *words)
    assert not Path("data/test").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--params", "grid.models=[cnn_1_repaired]", "--pipelines", "repair"],
            ["grid.models is cnn_1_repaired", "add cnn_1"],
        ),
        (
            ["--params", "grid.models=[mlp_4,cnn_1_repaired]"],
            ["has not been repaired yet", 'grid.models=["mlp_4", "cnn_1"]', "report,repair` first"],
        ),
    ],
)
def test_a_repaired_model_needs_the_other_one(
    kedro: CliRunner, project: Path, arguments: list[str], words: list[str]
) -> None:
    assert_one_sentence(invoke(kedro, *arguments), *words)
    assert_nothing_written(project)


@pytest.mark.parametrize("pipeline", ["gate", "compare", "rating"])
def test_what_is_beside_the_road_needs_a_finished_run(
    kedro: CliRunner, project: Path, pipeline: str
) -> None:
    result = invoke(kedro, "--pipelines", pipeline)
    assert_one_sentence(result, f"{pipeline} needs", "not there yet", "kedro run --env test")
    assert_nothing_written(project)


def test_broken_answers_of_a_rater(kedro: CliRunner, project: Path) -> None:
    folder = project / "data/test/01_raw/ratings/mnist_sample_7v1"
    folder.mkdir(parents=True)
    (folder / "anna.json").write_text('{"format": 1, "page": "0", "answers": {}}')
    result = invoke(kedro, "--pipelines", "rating")
    assert_one_sentence(result, "anna.json", "(rater: field required)", "or remove it")


@pytest.mark.road
def test_checkpoints_made_with_other_settings(kedro: CliRunner, project: Path, whole: Path) -> None:
    shutil.copytree(whole / "data", project / "data", dirs_exist_ok=True)
    path = project / "conf/test/parameters.yml"
    settings = yaml.safe_load(path.read_text())
    name, _, epochs = SETTINGS.removeprefix("gan.").partition("=")
    settings["gan"][name] = int(epochs)
    path.write_text(yaml.safe_dump(settings))
    before = {p: p.read_bytes() for p in (project / "data").rglob("*.*") if p.is_file()}
    for setting, words in {
        "gan.filters=5": ["gan.filters", "5", "made with 4", "gan/checkpoints", "move that folder"],
        "classifier.batch_size=32": ["classifier.batch_size", "32", "64", "checkpoints"],
        "generators.gasten_25.alpha=3": ["generators.gasten_25.alpha is 3", "25", "gasten_25/chec"],
        "models.mlp_4.filters=9": ["models.mlp_4.filters is 9", "made with 4", "mlp_4"],
        "run.seed=1": ["run.seed", "1", "0"],
        "gan.epochs=2": ["gan.epochs", "2", epochs],
        "judge.blended=0.2": ["judge.blended is 0.2", "made with 1.0", "judge_2/checkpoints"],
    }.items():
        for arguments in ([], ["--pipelines", "metrics"]):
            result = invoke(kedro, "--params", setting, *arguments)
            assert_one_sentence(result, *words)
    for setting, words in {
        "generators.gasten_10.epochs=3": ["generators.gasten_10.epochs is 3", "ran with 2"],
        "generation.images=200": ["generation.images is 200", "gasten last ran with 300"],
        "judge.epochs=2": ["judge.epochs is 2", "classifier last ran with 1"],
    }.items():
        result = invoke(kedro, "--params", setting, "--pipelines", "metrics")
        assert_one_sentence(result, *words, f"kedro run --env test --params {setting} --pipelines")
    images = torch.zeros(400, 28, 28)
    (project / "idx").mkdir()
    for part, content in (("images-idx3", images), ("labels-idx1", torch.arange(400) % 10)):
        path = project / "idx" / f"train-{part}-ubyte"
        shape = struct.pack(f">HBB{content.ndim}I", 0, 8, content.ndim, *content.shape)
        path.write_bytes(shape + bytes(content.flatten().to(torch.uint8).tolist()))
    configure(project, source={"kind": "idx", "path": "idx"})
    assert_one_sentence(invoke(kedro), "source holds other images", "set dataset")
    after = {p: p.read_bytes() for p in (project / "data").rglob("*.*") if p.is_file()}
    assert after == before


@pytest.mark.road
def test_the_real_command_is_quick_and_plain(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds() -> float:
        # Of a core, which do not depend on what else the machine does.
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    start = seconds()
    load = "from borderline.datasets import ImageSource; ImageSource(kind='mnist_sample').load()"
    subprocess.run([sys.executable, "-c", load], capture_output=True, check=True)
    loaded = seconds()
    result = kedro_run(project, "--env", "test", "--params", "pair.positive=12")
    assert seconds() - loaded < 3 * (loaded - start), "mostly imports"
    assert result.returncode == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("Error: pair.positive is 12, but")
    assert_nothing_written(project)
    monkeypatch.setattr(KedroCliError, "VERBOSE_ERROR", False)  # what --verbose sets, for good
    verbose = run_here(project, "--env", "test", "--params", "pair.positive=12", "--verbose")
    assert "Traceback" in verbose.output
