"""No file runs code unless it is trusted: each attack would leave a file behind."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kedro.io import DatasetError

from borderline.datasets import CheckpointDataset, ImageSource
from borderline.errors import BorderlineError, causes
from borderline.imported.kinds import read_network
from conftest import imported_source
from elsewhere import Net, RunsCode, saved

Parts = dict[str, bytes]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """What an attack would make."""
    return tmp_path / "was_run"


def pickled(trace: Path) -> bytes:
    return pickle.dumps(RunsCode(trace))


def torch_saved(trace: Path) -> bytes:
    file = io.BytesIO()
    torch.save({"weight": RunsCode(trace)}, file)
    return file.getvalue()


def test_the_attack_works_on_those_who_trust(trace: Path) -> None:
    pickle.loads(pickled(trace))
    assert trace.exists()


@pytest.mark.parametrize("attack", [pickled, torch_saved])
@pytest.mark.parametrize("kind", ["state_dict", "torch_export", "torchscript", "onnx"])
def test_malicious_pickle_under_any_name(
    kind: str, attack: Callable[[Path], bytes], trace: Path
) -> None:
    source = {"kind": kind, "path": "m.pt"}
    if kind == "state_dict":
        source["import_path"] = "elsewhere.Net"
    with pytest.raises(BorderlineError, match=r"source\.path is 'm\.pt'"):
        read_network(imported_source(**source), attack(trace))
    assert not trace.exists()


def test_pickle_without_trust_says_why() -> None:
    with pytest.raises(ValueError, match="runs whatever code its author put into it"):
        imported_source("pickle", path="m.pt")


@pytest.fixture(scope="module")
def exported() -> bytes:
    return saved("torch_export", Net().eval(), torch.zeros(2, 1, 12, 12))


def changed(content: bytes, change: Callable[[Parts], None]) -> bytes:
    """A .pt2 with other parts."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        root = archive.namelist()[0].partition("/")[0]
        parts = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(parts)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, own in parts.items():
            archive.writestr(f"{root}/{name}", own)
    return file.getvalue()


def edit_graph(edit: Callable[[dict[str, Any]], None]) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        graph = json.loads(parts["models/model.json"])
        edit(graph)
        parts["models/model.json"] = json.dumps(graph).encode()

    return change


def nodes_of(graph: dict[str, Any]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = graph["graph_module"]["graph"]["nodes"]
    return nodes


def attacks_on_exported(trace: Path) -> dict[str, Callable[[Parts], None]]:
    """What was found to run code when ``torch.export.load`` reads it, or when the graph runs."""
    call = f"__import__('pathlib').Path({str(trace)!r}).touch()"

    def unpickled_weight(parts: Parts) -> None:
        name = "data/weights/model_weights_config.json"
        config = json.loads(parts[name])
        entry = next(iter(config["config"].values()))
        entry["use_pickle"] = True
        parts[name] = json.dumps(config).encode()
        parts[f"data/weights/{entry['path_name']}"] = torch_saved(trace)

    def opaque_constant(parts: Parts) -> None:
        name = "data/constants/model_constants_config.json"
        entry = {
            "path_name": "opaque_obj_0",
            "is_param": False,
            "use_pickle": True,
            "tensor_meta": None,
        }
        parts[name] = json.dumps({"config": {"x": entry}}).encode()
        parts["data/constants/opaque_obj_0"] = pickled(trace)

    def sizes(graph: dict[str, Any]) -> None:
        values = graph["graph_module"]["graph"]["tensor_values"]
        values["x"] = values.get("x", next(iter(values.values())))
        for own in values.values():
            for size in own["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = call

    def target(graph: dict[str, Any]) -> None:
        nodes_of(graph)[0]["target"] = "torch.os.system"

    def name(graph: dict[str, Any]) -> None:
        nodes_of(graph)[0]["name"] = f"a = {call}"

    def guard(graph: dict[str, Any]) -> None:
        graph["guards_code"] = [call]

    def argument(graph: dict[str, Any]) -> None:
        for call_graph in graph["graph_module"]["module_call_graph"]:
            if call_graph.get("signature"):
                call_graph["signature"]["forward_arg_names"] = [f"x={call}"]

    def imported_by_the_inputs(graph: dict[str, Any]) -> None:
        context = {"__enum__": True, "fqn": "ctypes:cdll", "name": str(trace)}
        for call_graph in graph["graph_module"]["module_call_graph"]:
            if call_graph.get("signature"):
                version, tree = json.loads(call_graph["signature"]["in_spec"])
                tree["context"] = json.dumps(context)
                call_graph["signature"]["in_spec"] = json.dumps([version, tree])

    def writes_a_file(graph: dict[str, Any]) -> None:
        nodes_of(graph)[0]["target"] = "torch.ops.aten.from_file.default"

    def inside_of_an_operator(graph: dict[str, Any]) -> None:
        nodes_of(graph)[0]["target"] = "torch.ops.aten.__dict__.relu"

    def other_text(graph: dict[str, Any]) -> None:
        graph["torch_version"] = f"{call}"

    def legacy_weights(parts: Parts) -> None:
        parts["data/weights/model.pt"] = torch_saved(trace)

    def sample_inputs(parts: Parts) -> None:
        parts["data/sample_inputs/model.pt"] = torch_saved(trace)

    return {
        "pickled weight": unpickled_weight,
        "opaque constant": opaque_constant,
        "legacy weights": legacy_weights,
        "sample inputs": sample_inputs,
        "sizes": edit_graph(sizes),
        "target": edit_graph(target),
        "name": edit_graph(name),
        "guard": edit_graph(guard),
        "argument": edit_graph(argument),
        "imported by the inputs": edit_graph(imported_by_the_inputs),
        "writes a file": edit_graph(writes_a_file),
        "inside of an operator": edit_graph(inside_of_an_operator),
        "other text": edit_graph(other_text),
    }


@pytest.mark.parametrize("attack", attacks_on_exported(Path()))
def test_malicious_export(attack: str, exported: bytes, trace: Path) -> None:
    source = imported_source("torch_export", path="m.pt2")
    content = changed(exported, attacks_on_exported(trace)[attack])
    with pytest.raises(BorderlineError, match="could run code of its author's"):
        read_network(source, content)
    assert not trace.exists()


@pytest.mark.parametrize("attack", ["pickled weight", "sizes", "sample inputs"])
def test_attacks_on_exports_are_real(attack: str, exported: bytes, trace: Path) -> None:
    """Else the tests above would show nothing."""
    source = imported_source("torch_export", path="m.pt2", trust=True)
    content = changed(exported, attacks_on_exported(trace)[attack])
    with pytest.raises(BorderlineError, match="cannot be read as torch_export"):
        read_network(source, content)
    assert trace.exists()


class WritesAFile(torch.nn.Module):
    """TorchScript's operators may do that."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        written = torch.from_file(self.path, True, 4, dtype=torch.uint8).fill_(1)
        return images.mean((2, 3)) + written.sum()


def test_torchscript_that_writes_files(trace: Path) -> None:
    content = saved("torchscript", WritesAFile(str(trace)), torch.zeros(2, 1, 12, 12))
    source = {"kind": "torchscript", "path": "m.ts"}
    with pytest.raises(BorderlineError, match="calls 'from_file', which could write files"):
        read_network(imported_source(**source), content)
    assert not trace.exists()
    read_network(imported_source(**source, trust=True), content)(torch.zeros(2, 1, 4, 4))
    assert trace.exists(), "else the test would show nothing"


def test_archive_with_something_before_it(exported: bytes) -> None:
    """A library for the linker, say, which an archive may be as well."""
    with pytest.raises(BorderlineError, match=r"no \.pt2 of torch\.export\.save"):
        read_network(imported_source("torch_export", path="m.pt2"), b"\x7fELF" + exported)


def test_picture_that_would_start_a_program(tmp_path: Path) -> None:
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 12\n%%EndComments\nshowpage\n"
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "looks.png").write_bytes(page)
    with pytest.raises(DatasetError, match=r"looks\.png \(cannot identify image file"):
        ImageSource(kind="image_folder", path=str(tmp_path)).load()


def test_export_that_names_a_part_twice(exported: bytes, trace: Path) -> None:
    file = io.BytesIO(exported)
    with zipfile.ZipFile(file, "a") as archive:
        name = next(n for n in archive.namelist() if n.endswith("models/model.json"))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, b"{}")
    with pytest.raises(BorderlineError, match=r"no \.pt2 of torch\.export\.save"):
        read_network(imported_source("torch_export", path="m.pt2"), file.getvalue())


def test_harmless_export_is_read(exported: bytes) -> None:
    same = changed(exported, lambda parts: None)
    network = read_network(imported_source("torch_export", path="m.pt2"), same)
    assert network(torch.zeros(3, 1, 12, 12)).shape == (3, 2)


def test_malicious_array(tmp_path: Path, trace: Path) -> None:
    np.save(tmp_path / "images.npy", np.array([RunsCode(trace)], dtype=object))
    np.save(tmp_path / "labels.npy", np.zeros(1, int))
    np.savez(tmp_path / "both.npz", images=np.array([RunsCode(trace)], dtype=object), labels=[0])
    for path in (tmp_path, tmp_path / "both.npz"):
        with pytest.raises(DatasetError) as error:
            ImageSource(kind="arrays", path=str(path)).load()
        said = next(own for own in causes(error.value) if isinstance(own, BorderlineError))
        assert "Python objects, whose reading would run code" in str(said)
    assert not trace.exists()


def test_malicious_checkpoint(tmp_path: Path, trace: Path) -> None:
    path = tmp_path / "epoch_0001.pt"
    path.write_bytes(torch_saved(trace))
    with pytest.raises(DatasetError):
        CheckpointDataset(filepath=str(path)).load()
    assert not trace.exists()
