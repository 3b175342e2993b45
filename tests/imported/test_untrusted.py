"""Files that can run code are refused without trust, before PyTorch opens them.

Each attack leaves a file behind, the trace, if its code runs.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from kedro.io import DatasetError
from omegaconf import OmegaConf

from borderline.cli import cli
from borderline.datasets import CheckpointDataset, ImageSource
from borderline.errors import BorderlineError, causes
from borderline.imported.kinds import read_network
from borderline.imported.params import RUN_CODE
from conftest import imported_source, start_kedro
from elsewhere import Net, RunsCode, pickled, saved

IMAGES = torch.zeros(2, 1, 12, 12)


def torch_saved(trace: Path) -> bytes:
    file = io.BytesIO()
    torch.save({"weight": RunsCode(trace)}, file)
    return file.getvalue()


def exported(trace: Path) -> bytes:
    """A .pt2 with a pickled weight, which ``torch.export.load`` unpickles without restriction."""
    content = io.BytesIO(saved("torch_export", Net().eval(), IMAGES))
    with zipfile.ZipFile(content) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in parts if name.endswith("data/weights/model_weights_config.json"))
    config = json.loads(parts[name])
    weight = next(iter(config["config"].values()))
    weight["use_pickle"] = True
    parts[name] = json.dumps(config).encode()
    parts[f"{name.rpartition('/')[0]}/{weight['path_name']}"] = torch_saved(trace)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


class WritesAFile(torch.nn.Module):
    """Writes with an operator of TorchScript."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        written = torch.from_file(self.path, True, 4, dtype=torch.uint8).fill_(1)
        return images.mean((2, 3)) + written.sum()


def scripted(trace: Path) -> bytes:
    return saved("torchscript", WritesAFile(str(trace)), IMAGES)


ATTACKS: dict[str, Callable[[Path], bytes]] = {
    "pickle": torch_saved,
    "torch_export": exported,
    "torchscript": scripted,
}
SUFFIXES = {"pickle": "pt", "torch_export": "pt2", "torchscript": "ts"}


def test_every_kind_with_code_has_an_attack() -> None:
    assert set(ATTACKS) == set(RUN_CODE)


@pytest.mark.parametrize("kind", ATTACKS)
def test_trusted_file_is_read(kind: str, trace: Path) -> None:
    """And so the attacks are real."""
    source = imported_source(kind, path="m.file", trust=True)
    try:
        read_network(source, ATTACKS[kind](trace))(IMAGES)
    except BorderlineError:  # The code has run, and then the file holds no model.
        assert kind != "torchscript"
    assert trace.exists()


@pytest.fixture
def kedro(project: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(project)
    start_kedro()
    return CliRunner()


def sentence_of(result: Result) -> str:
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code == 1
    assert len(errors) == 1, result.output
    assert "can run code on your machine when it is read" in errors[0]
    assert "if you trust the author of the file" in errors[0]
    assert "ask for the weights as safetensors" in errors[0]
    assert "the model as ONNX" in errors[0]
    return errors[0]


def run_with(kedro: CliRunner, project: Path, settings: dict[str, Any]) -> Result:
    path = project / "conf/test/parameters.yml"
    merged = OmegaConf.merge(yaml.safe_load(path.read_text()), settings)
    path.write_text(OmegaConf.to_yaml(merged))
    return kedro.invoke(cli, ["run", "--env", "test"])


def untrusted_source(project: Path, kind: str, trace: Path) -> dict[str, Any]:
    (project / "m.file").write_bytes(ATTACKS[kind](trace))
    return {"kind": kind, "path": "m.file"}


@pytest.mark.parametrize("kind", ATTACKS)
def test_model_of_a_run(kind: str, kedro: CliRunner, project: Path, trace: Path) -> None:
    source = untrusted_source(project, kind, trace)
    mine = {"kind": "imported", "source": source, "outputs": "logits"}
    result = run_with(kedro, project, {"grid": {"models": ["mine"]}, "models": {"mine": mine}})
    assert "models.mine.source.trust is False" in sentence_of(result)
    assert not trace.exists()
    assert not (project / "data").exists()


@pytest.mark.parametrize("kind", ATTACKS)
def test_generator_of_a_run(kind: str, kedro: CliRunner, project: Path, trace: Path) -> None:
    source = untrusted_source(project, kind, trace)
    theirs = {"kind": "imported", "source": source, "latent_dim": 4}
    settings = {"grid": {"generators": ["theirs"]}, "generators": {"theirs": theirs}}
    result = run_with(kedro, project, settings)
    assert "generators.theirs.source.trust is False" in sentence_of(result)
    assert not trace.exists()
    assert not (project / "data").exists()


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin"])
def test_checkpoint_with_more_than_weights(
    suffix: str, kedro: CliRunner, project: Path, trace: Path
) -> None:
    (project / f"m.{suffix}").write_bytes(torch_saved(trace))
    source = {"kind": "state_dict", "path": f"m.{suffix}", "import_path": "elsewhere.Net"}
    mine = {"kind": "imported", "source": source, "outputs": "logits"}
    result = run_with(kedro, project, {"grid": {"models": ["mine"]}, "models": {"mine": mine}})
    assert "models.mine.source.trust is False" in sentence_of(result)
    assert not trace.exists()
    assert not (project / "data").exists()
    with pytest.raises(BorderlineError, match="no state dictionary"):
        read_network(imported_source(**source, trust=True), torch_saved(trace))
    assert trace.exists()


def test_trusted_checkpoint_with_more_than_weights_is_read() -> None:
    net = Net().eval()
    file = io.BytesIO()
    torch.save({"state_dict": net.state_dict(), "source": imported_source("onnx", path="a")}, file)
    source = {"kind": "state_dict", "path": "m.pt", "import_path": "elsewhere.Net", "trust": True}
    network = read_network(imported_source(**source), file.getvalue())
    assert torch.equal(network(IMAGES), net(IMAGES))


@pytest.mark.parametrize("kind", ATTACKS)
def test_model_of_a_new_case(kind: str, kedro: CliRunner, project: Path, trace: Path) -> None:
    file = f"m.{SUFFIXES[kind]}"
    (project / file).write_bytes(ATTACKS[kind](trace))
    options = ["--model", file, "--images", "nowhere", "--positive", "7", "--negative", "1"]
    sentence = sentence_of(kedro.invoke(cli, ["new-case", "mine", *options]))
    assert f"--trust is missing, but {file} is of kind {kind}" in sentence
    assert not trace.exists()
    assert not (project / "conf/mine").exists()


@pytest.mark.parametrize("attack", [pickled, torch_saved])
@pytest.mark.parametrize(
    "source",
    [
        {"kind": "state_dict", "path": "m.pt", "import_path": "elsewhere.Net"},
        {"kind": "state_dict", "path": "m.safetensors", "import_path": "elsewhere.Net"},
        {"kind": "onnx", "path": "m.onnx"},
    ],
)
def test_kinds_without_code_never_unpickle(
    source: dict[str, Any], attack: Callable[[Path], bytes], trace: Path
) -> None:
    with pytest.raises(BorderlineError, match=r"source\.(path|trust) is"):
        read_network(imported_source(**source), attack(trace))
    assert not trace.exists()


def test_picture_that_would_start_a_program(tmp_path: Path) -> None:
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 12\n%%EndComments\nshowpage\n"
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "looks.png").write_bytes(page)
    with pytest.raises(DatasetError, match=r"looks\.png \(each: cannot identify image file"):
        ImageSource(kind="image_folder", path=str(tmp_path)).load()


def test_malicious_array(tmp_path: Path, trace: Path) -> None:
    np.save(tmp_path / "images.npy", np.array([RunsCode(trace)], dtype=object))
    np.save(tmp_path / "labels.npy", np.zeros(1, int))
    np.savez(tmp_path / "both.npz", images=np.array([RunsCode(trace)], dtype=object), labels=[0])
    for path in (tmp_path, tmp_path / "both.npz"):
        with pytest.raises(DatasetError) as error:
            ImageSource(kind="arrays", path=str(path)).load()
        cause = next(cause for cause in causes(error.value) if isinstance(cause, BorderlineError))
        assert "Python objects, whose reading would run code" in str(cause)
    assert not trace.exists()


def test_malicious_checkpoint(tmp_path: Path, trace: Path) -> None:
    path = tmp_path / "epoch_0001.pt"
    path.write_bytes(torch_saved(trace))
    with pytest.raises(DatasetError):
        CheckpointDataset(filepath=str(path)).load()
    assert not trace.exists()
