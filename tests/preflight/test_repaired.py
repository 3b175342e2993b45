from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from borderline import grid, ledger
from borderline.datasets import CheckpointFolder, ModelDataset
from borderline.datasets.digests import digests_of
from borderline.datasets.tensors import digest_of_weights
from borderline.errors import BorderlineError
from borderline.grid import Layout
from borderline.params import CallParams, GeneratorParams, merged
from borderline.pipelines.classifier.params import RepairedModelParams
from borderline.pipelines.classifier.pipeline import create_pipeline
from borderline.pipelines.repair.pipeline import create_pipeline as repair_pipeline
from borderline.pipelines.report.pipeline import create_pipeline as report_pipeline
from borderline.preflight.checkpoints import check_checkpoints
from borderline.preflight.configuration import Parameters, repaired_models
from borderline.preflight.reading import read_parameters
from borderline.preflight.repaired import (
    check_repairable,
    check_repaired_there,
    digests_of_repaired,
    with_origins,
)
from borderline.training.networks import build_model
from conftest import base_settings

BOTH = Layout(models=("cnn_2", "cnn_2_repaired"), repaired={"cnn_2_repaired": "cnn_2"})
ALONE = Layout(models=("mlp_4", "cnn_2_repaired"), repaired={"cnn_2_repaired": "cnn_2"})
NETWORK = build_model("cnn", 1, (1, 8, 8))
STAGES = "classifier,gasten,metrics,clustering,prototypes,report,repair"


def parameters(models: list[str], **entries: dict[str, str]) -> Parameters:
    raw = {name: value for name, value in base_settings().items() if name != "preset"}
    numbers: dict[str, Any] = {"pair": {"positive": 7, "negative": 1}, "grid": {"models": models}}
    other = {"data_folder": None, "case": None, "trust": False}
    return read_parameters(merged(raw, {**numbers, "models": entries, "other_run": other}))


def running(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> Pipeline:
    """The stage ``classifier`` of a layout."""
    monkeypatch.setattr(grid, "_current", layout)
    return create_pipeline()


def test_a_repaired_model_of_the_grid_needs_no_entry() -> None:
    own = {"kind": "repaired", "of": "mlp_4"}
    read = parameters(["cnn_2", "cnn_2_repaired", "fixed"], fixed=own)
    assert read.models["cnn_2_repaired"] == RepairedModelParams(kind="repaired", of="cnn_2")
    assert repaired_models(read) == {"cnn_2_repaired": "cnn_2", "fixed": "mlp_4"}
    named = parameters(["cnn_2_repaired"], cnn_2_repaired={"kind": "cnn", "filters": 3})  # type: ignore[dict-item]
    assert repaired_models(named) == {}, "an entry of that name is what it says"


@pytest.mark.parametrize(
    ("models", "entries", "words"),
    [
        (
            ["cnn2_repaired"],
            {},
            r"grid\.models is 'cnn2_repaired', the repaired version of 'cnn2', which models does "
            r"not have \(did you mean 'cnn_2'\?\)",
        ),
        (
            ["cnn_2_repaired_repaired"],
            {},
            r"a repaired model is not repaired again: name 'cnn_2_repaired'",
        ),
        (
            ["fixed"],
            {"fixed": {"kind": "repaired", "of": "cnn_22"}},
            r"models\.fixed\.of is 'cnn_22', which models does not have \(did you mean 'cnn_2'\?\)",
        ),
        (
            ["fixed_repaired"],
            {"fixed": {"kind": "repaired", "of": "cnn_2"}},
            r"models\.fixed_repaired\.of is 'fixed', which is itself a repaired model.*: choose",
        ),
        (["fixed"], {"fixed": {"kind": "repaired"}}, r"models\.fixed\.of is missing"),
        (
            ["fixed"],
            {"fixed": {"kind": "repaired", "of": "cnn_2", "filters": 2}},
            r"Unknown setting 'models\.fixed\.filters'",
        ),
    ],
)
def test_a_repaired_model_is_one_of_a_model_that_is_not_repaired(
    models: list[str], entries: dict[str, dict[str, str]], words: str
) -> None:
    with pytest.raises(BorderlineError, match=words):
        parameters(models, **entries)


@pytest.mark.parametrize("layout", [BOTH, Layout(models=("fixed",), repaired={"fixed": "cnn_2"})])
def test_a_repaired_model_is_taken_and_evaluated(
    monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    name = layout.models[-1]
    inputs = {node.name: set(node.inputs) for node in running(monkeypatch, layout).nodes}
    of_one = {n: i for n, i in inputs.items() if n.startswith(f"{name}.")}
    assert len(of_one) == 5, "it is not trained"
    settings = {f"params:models.{name}", "params:models.cnn_2", "params:confusion"}
    taken = {"cnn_2.repaired", "pair_test", *settings}
    assert of_one[f"{name}.classifier.take_repaired"] == taken
    for node in ("choose_boundary", "calibrate_classifier"):
        assert f"params:models.{name}" in inputs[f"{name}.classifier.{node}"]
        other = inputs.get(f"cnn_2.classifier.{node}", set())
        assert "params:models.cnn_2" not in other, "the ledger of finished runs has no such setting"
    found = {node.name: node.inputs for node in report_pipeline().nodes}
    assert f"params:models.{name}" in found[f"{name}.report.gather_findings"]
    repaired = {node.name.partition(".")[0] for node in repair_pipeline().nodes}
    assert repaired - {"repair"} == {*layout.models} - {name}


def test_only_other_models_are_repaired() -> None:
    check_repairable(BOTH)
    check_repairable(Layout())
    with pytest.raises(BorderlineError, match=r"grid\.models is x, but a repaired .*: add cnn_2\."):
        check_repairable(Layout(models=("x",), repaired={"x": "cnn_2"}))


@pytest.mark.parametrize(
    ("layout", "finished", "command"),
    [
        (BOTH, ["cnn_2.findings"], "kedro run --env e --params a=1 --pipelines repair"),
        (
            BOTH,
            [],
            f"kedro run --env e --params 'a=1,grid.models=[\"cnn_2\"]' --pipelines {STAGES}",
        ),
        (
            ALONE,
            ["cnn_2.findings"],
            'kedro run --env e --params \'a=1,grid.models=["mlp_4", "cnn_2"]\' --pipelines repair',
        ),
    ],
)
def test_a_model_that_is_not_repaired_yet_is_told_with_the_command(
    monkeypatch: pytest.MonkeyPatch, layout: Layout, finished: list[str], command: str
) -> None:
    catalog = DataCatalog({name: MemoryDataset(1) for name in finished})
    call = CallParams(environment="e", changed={"a": 1})
    with pytest.raises(BorderlineError) as error:
        check_repaired_there(catalog, layout, running(monkeypatch, layout), call)
    sentence = "cnn_2_repaired is the repaired version of cnn_2, which has not been repaired yet"
    assert str(error.value) == f"{sentence}: run `{command}` first."
    # The run that repairs it needs none.
    check_repaired_there(catalog, layout, repair_pipeline(), call)


class Disk:
    """A repaired model on disk, with the ledger's entry of its repair."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dataset = ModelDataset(filepath=str(folder / "repaired.safetensors"))
        self.dataset.save(NETWORK)
        self.catalog = DataCatalog({"cnn_2.repaired": self.dataset})
        self.pipeline = running(monkeypatch, BOTH)
        self.entry: ledger.Entry = {
            "settings": {"repair.images": 9, "gan.epochs": 3, "generators.gone.alpha": 1},
            "results": {"cnn_2.repaired": digests_of(self.dataset)},
        }

    def digests(self, **changed: object) -> dict[str, str]:
        book = {"cnn_2.repair.keep_repaired": lambda: self.entry}
        settings = {"repair": {"images": 9}, "gan": {"epochs": 3}, **changed}
        call = CallParams()
        return digests_of_repaired(book, self.catalog, BOTH, self.pipeline, settings, call)


def test_a_repaired_model_is_known_by_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, monkeypatch)
    assert disk.digests() == {"cnn_2.repaired": digest_of_weights(NETWORK)}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"repair": {"images": 8}}, "repair.images is 8, but cnn_2 was repaired with 9"),
        ({"gan": {"epochs": 4}}, f"'grid.models=[\"cnn_2\"]' --pipelines {STAGES}`."),
    ],
)
def test_a_model_that_was_repaired_with_other_settings_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], words: str
) -> None:
    with pytest.raises(BorderlineError) as error:
        Disk(tmp_path, monkeypatch).digests(**changed)
    assert words in str(error.value)


def test_a_repair_that_did_not_finish_or_was_changed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, monkeypatch)
    disk.dataset.save(build_model("cnn", 2, (1, 8, 8)))
    with pytest.raises(BorderlineError, match=r"repaired\.safetensors was changed, .*repair`"):
        disk.digests()
    disk.entry = {}
    with pytest.raises(BorderlineError, match="The repair of cnn_2 did not finish"):
        disk.digests()


def test_the_entry_of_a_repair_has_the_settings_of_all_nodes_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    road = running(monkeypatch, BOTH) + repair_pipeline()
    name = "cnn_2.repair.keep_repaired"
    settings = parameters(["cnn_2", "cnn_2_repaired"]).plain()
    entries = with_origins({name: {"settings": {"own": 1}}}, road, settings, {})
    made = entries[name]["settings"]
    assert made["own"] == 1
    assert (made["models.cnn_2.filters"], made["classifier.epochs"]) == (2, 10)
    assert not {"grid.models", "models.cnn_2_repaired.of"} & set(made)


class Trained(GeneratorParams):
    """A generator that trains."""

    trains = True
    epochs: int = 1

    def training_settings(self, *inputs: Any, **_: Any) -> dict[str, Any]:
        """The fingerprint of the model alone."""
        return dict(inputs[1])


def test_generators_of_another_repair_are_told_before_the_run(tmp_path: Path) -> None:
    read = parameters(["cnn_2", "cnn_2_repaired"])
    folder = CheckpointFolder(path=str(tmp_path), may_be_empty=True)
    made = {"model.filters": 2, "classifier digest": "old"}
    folder.save({"epoch_0001": {"epoch": 1, "settings": made, "history": [], "state": {}}})
    empty = CheckpointFolder(path=str(tmp_path / "none"), may_be_empty=True)
    catalog: Any = SimpleNamespace(
        get=lambda name: folder if name.startswith("cnn_2_repaired.") else empty
    )
    layout = Layout(
        BOTH.models,
        {"g": grid.Placed(Trained(kind="g"), 1)},
        trains_gan=False,
        repaired=BOTH.repaired,
        members=(),
    )
    check_checkpoints(catalog, read, layout, {"cnn_2.repaired": "old"})
    check_checkpoints(catalog, read, layout, {})
    with pytest.raises(BorderlineError, match=r"is 'new', but the checkpoints in .* with 'old'"):
        check_checkpoints(catalog, read, layout, {"cnn_2.repaired": "new"})
