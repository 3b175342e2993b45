"""Crafted files and settings: nothing of them runs, overwrites, leaks or exhausts the machine.

The tests build every file, so the repository holds no binary.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import hmac
import io
import json
import logging
import operator
import os
import pickle
import re
import shutil
import struct
import sys
import types
import warnings
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import pyarrow  # type: ignore[import-untyped]
import pytest
import torch
from fsspec.implementations.local import LocalFileSystem
from huggingface_hub import ModelCard
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline, node
from markdown_it import MarkdownIt
from onnx import TensorProto
from onnx import helper as onnx_helper
from PIL import Image
from rich.console import Console
from rich.logging import RichHandler
from safetensors.torch import save

import datasets
import elsewhere
from borderline.commands.case_files import write_case
from borderline.commands.new_case import check_name
from borderline.commands.options import runner_of
from borderline.config_loader import base_settings
from borderline.context import _at_home
from borderline.datasets import (
    CSVDataset,
    ImageSource,
    ModelDataset,
    PickleDataset,
    TensorFolder,
    limits,
    metadata_tables,
    reading,
)
from borderline.datasets.buckets import located
from borderline.datasets.keys import NO_TAG, KeyedFile
from borderline.errors import BorderlineError, sentence_in
from borderline.imported.classifier import ImportedClassifier
from borderline.imported.file_kinds import kind_of_model
from borderline.imported.import_path import digest_of_source, import_object
from borderline.imported.kinds import read_network
from borderline.imported.params import RUN_CODE
from borderline.measures.class_names import in_chart, in_figure
from borderline.names import name_of_pair, pair_of_name
from borderline.pages.rendering import environment
from borderline.params import CallParams, RunParams
from borderline.pipelines.report.card import write_card
from borderline.pipelines.report.page import Origin
from borderline.plain_text import echo, fenced, keep_log_plain, markdown, visible
from borderline.preflight.configuration import SourceGlobals
from borderline.preflight.folders import check_data_folder, check_own_folder, check_place
from borderline.preflight.inputs import check_same_images
from borderline.preflight.models_on_disk import check_models
from borderline.preflight.reading import check_spelling, read_globals
from borderline.printing import table_of, text_of
from conftest import ROOT, findings_of, imported_model, imported_source, loader_of, start_kedro
from elsewhere import Net, RunsCode, pickled, saved

# Models and settings: code of strangers.


def lightning(trace: Path) -> bytes:
    """A checkpoint whose settings unpickle as code, beside sound weights."""
    file = io.BytesIO()
    weights = Net().state_dict()
    torch.save({"state_dict": weights, "hyper_parameters": {"lr": RunsCode(trace)}}, file)
    return file.getvalue()


def zipped(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


def two_directories(trace: Path) -> bytes:
    """An archive of clean weights for readers from its end, with another one before it."""
    clean = io.BytesIO()
    torch.save(Net().state_dict(), clean)
    return lightning(trace) + clean.getvalue()


class Saves(torch.nn.Module):
    """Overwrites a file by an operator of TorchScript."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.from_file(self.path, True, 4, dtype=torch.uint8).fill_(1) + images.sum()


def scripted(code: str) -> Callable[[Path], bytes]:
    """TorchScript in whose code another statement stands."""

    def make(trace: Path) -> bytes:
        file = saved("torchscript", Net().eval(), torch.zeros(2, 1, 12, 12))
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        for name in parts:
            if name.endswith(".py"):
                head, colon, rest = parts[name].partition(b"Tensor:\n")
                parts[name] = head + colon + f"    {code}\n".encode() + rest
        return zipped(parts)

    return make


def overwriting(trace: Path) -> bytes:
    return saved("torchscript", Saves(str(trace)), torch.zeros(2, 1, 12, 12))


ATTACKS: dict[str, Callable[[Path], bytes]] = {
    "pickle": pickled,
    "hyper_parameters": lightning,
    "two directories": two_directories,
    "save under another name": scripted("_q = torch.save"),
    "save in brackets": scripted('(torch.save)(images, "was_run")'),
    "from_file": overwriting,
}
SUFFIXES = (".safetensors", ".onnx", ".pt", ".pth", ".bin", ".ckpt", ".pt2", ".ts", "")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_file_runs_code_without_trust(
    attack: str, suffix: str, tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under any suffix and any kind that a setting may give it."""
    monkeypatch.chdir(tmp_path)
    trace.write_bytes(b"mine")
    file, content = tmp_path / f"model{suffix}", ATTACKS[attack](trace)
    file.write_bytes(content)
    for import_path in (None, "elsewhere.Net"):
        with contextlib.suppress(BorderlineError):
            assert kind_of_model(file.name, import_path, trust=False)["kind"] not in RUN_CODE
    for kind in ("state_dict", "onnx"):
        path = "elsewhere.Net" if kind == "state_dict" else None
        source = imported_source(kind, path=file.name, import_path=path)
        with contextlib.suppress(BorderlineError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's about an archive of TorchScript.
            read_network(source, content)
            # The clean one of two archives.
            assert (attack, kind) == ("two directories", "state_dict")
    assert trace.read_bytes() == b"mine"


@pytest.mark.parametrize("kind", RUN_CODE)
def test_kinds_with_code_are_refused_before_their_file_is_opened(kind: str) -> None:
    with pytest.raises(ValueError, match="can run code on your machine when it is read"):
        imported_source(kind, path="nowhere.bin")


def test_file_that_becomes_another_kind_after_its_check(tmp_path: Path, trace: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save(Net().state_dict(), file)
    source = kind_of_model(str(file), "elsewhere.Net", trust=False)
    with pytest.raises(BorderlineError, match="trust is False"):
        read_network(imported_source(**source), lightning(trace))
    assert not trace.exists()


def onnx_model(**changed: Any) -> bytes:
    """``y = x + w`` in ONNX, whose w may be a value of an operator."""
    weight = onnx_helper.make_tensor("w", TensorProto.FLOAT, [2], [0.0, 0.0])
    if "location" in changed:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=changed["location"])
    inside = changed.get("inside", False)
    nodes = [onnx_helper.make_node("Constant", [], ["w"], value=weight)] if inside else []
    domain = changed.get("domain", "")
    nodes.append(
        onnx_helper.make_node(changed.get("operator", "Add"), ["x", "w"], ["y"], domain=domain)
    )
    ends = [onnx_helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 2]) for n in "xy"]
    graph = onnx_helper.make_graph(nodes, "g", ends[:1], ends[1:], [] if inside else [weight])
    sets = [onnx_helper.make_opsetid(name, 17) for name in {"", domain}]
    model = onnx_helper.make_model(graph, opset_imports=sets, producer_name="ORTM")
    model.ir_version = 8
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", ""])
def test_onnx_file_names_another_file(location: str, inside: bool) -> None:
    content = onnx_model(location=location, inside=inside)
    with pytest.raises(BorderlineError, match=f"in another file \\({re.escape(location)}\\)"):
        read_network(imported_source("onnx", path="m.onnx"), content)


def test_onnx_file_with_operators_of_a_library() -> None:
    content = onnx_model(operator="RunShell", domain="evil.library")
    with pytest.raises(BorderlineError, match="cannot be read as onnx"):
        read_network(imported_source("onnx", path="m.onnx"), content)


def test_onnx_file_that_is_also_of_another_format() -> None:
    """Its fifth byte begins the mark of onnxruntime's own format, which nobody has checked."""
    content = onnx_model()
    assert content[4:8] == b"ORTM"
    assert read_network(imported_source("onnx", path="m.onnx"), content).count_weights() == 2


@pytest.mark.parametrize("shard", ["../../etc/passwd", "/etc/passwd", "https://evil/x"])
def test_index_of_weights_elsewhere(shard: str) -> None:
    content = json.dumps({"metadata": {}, "weight_map": {"last.weight": shard}}).encode()
    source = imported_source("state_dict", path="m.json", import_path="elsewhere.Net")
    with pytest.raises(BorderlineError, match="the index of weights that stand in several files"):
        read_network(source, content)


class Shell:
    """An instance whose method is a function of Python."""

    system = staticmethod(os.system)


def wrapped() -> None:
    """A function that a decorator shows in place of another."""


wrapped.__wrapped__ = os.system  # type: ignore[attr-defined]


def ends(code: int) -> None:
    """A function that ends the program."""
    sys.exit(code)


elsewhere_partial = functools.partial(functools.partial(os.system), "id")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``shelf`` that shows objects of Python among its own."""
    shown = types.ModuleType("shelf")
    shown.__dict__.update(
        partial=elsewhere_partial,
        wrapped=wrapped,
        instance=operator.methodcaller("system"),
        inner=types.SimpleNamespace(os=os),
        bound=io.StringIO().write,
        place=Path("x").write_text,
        shell=Shell(),
        of_dict={}.get,
        sides=elsewhere.sides,
        kept=functools.lru_cache(elsewhere.sides),
        method=elsewhere.Seeded.embed,
        part=functools.partial(elsewhere.sides),
        ends=ends,
    )
    shown.__spec__ = elsewhere.__spec__
    monkeypatch.setitem(sys.modules, "shelf", shown)


@pytest.mark.parametrize(
    "path",
    [
        *("os.system", "os:system", "posix.system", "builtins.eval", "builtins.exec", "pty.spawn"),
        *("subprocess.Popen", "operator.methodcaller", "runpy.run_path", "antigravity.x", "test.x"),
        *("torch.os.system", "torch.sys.modules.get", "elsewhere.io.open", "elsewhere.Path"),
        *("torch.nn.Module.__class__", "torch.nn.Module.__init__.__globals__.get"),
        *("borderline.imported.import_path.hashlib.sha256", "torch.multiprocessing.Process"),
        *("shelf.partial", "shelf.wrapped", "shelf.instance", "shelf.inner.os.system"),
        *("shelf.bound", "shelf.place", "shelf.shell.system", "shelf.of_dict", "torch.os"),
    ],
)
def test_settings_alone_run_no_command(path: str, shelf: None) -> None:
    before = set(sys.modules)
    for setting in ("import_path", "embedding"):
        with pytest.raises(BorderlineError, match=f"{setting} is {path!r}, which is part of Pyth"):
            import_object(path, setting)
    assert not {"antigravity", "pty", "test"} & (set(sys.modules) - before)
    named = imported_source("callable", import_path="elsewhere.sides").model_dump()
    params = imported_model(source=named, outputs="logit", embedding=path)
    with pytest.raises(BorderlineError, match=f"^embedding is {path!r}, which is part of Python"):
        ImportedClassifier(params, b"", (1, 12, 12))
    source = imported_source("callable", import_path=path, arguments={"command": "false"})
    with pytest.raises(BorderlineError, match="is part of Python itself"):
        read_network(source, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("torch.nn.Linear", "torchvision.models.resnet18", "torch.sigmoid", "elsewhere.Net"),
        *("elsewhere.sides", "elsewhere:sides", "shelf.sides", "shelf.kept", "shelf.method"),
        *("shelf.part", "scipy.special.expit"),
    ],
)
def test_code_of_the_project_and_of_packages_is_called(path: str, shelf: None) -> None:
    assert callable(import_object(path))


def test_code_that_ends_the_program(shelf: None) -> None:
    """A script may read its own arguments when it is called, and end."""
    source = imported_source("callable", import_path="shelf.ends", arguments={"code": 0})
    with pytest.raises(BorderlineError, match="cannot be called with it"):
        read_network(source, b"")
    called = imported_source("callable", import_path="shelf.ends").model_dump()
    params = imported_model(source=called, outputs="logit", embedding="judge")
    model = ImportedClassifier(params, b"", (1, 12, 12), torch.nn.Identity())
    with pytest.raises(BorderlineError, match=r"SystemExit: .*sys.exit\(code\)"):
        model.outputs(torch.zeros(2, 1, 12, 12))


def test_module_in_the_folder_of_the_run(
    tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before its import, unless PYTHONPATH names the folder."""
    (tmp_path / "data_set").mkdir()
    for name in ("stray_module.py", "data_set/stray_module.py"):
        (tmp_path / name).write_text(f"open({str(trace)!r}, 'w')\ndef model(x): return x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for path in ("stray_module.model", "data_set.stray_module.model"):
        with pytest.raises(BorderlineError, match="because the run starts in its folder"):
            import_object(path)
        digest_of_source(imported_source("callable", import_path=path), b"")
    assert not trace.exists()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/nowhere", str(tmp_path)]))
    assert callable(import_object("stray_module.model"))
    assert trace.exists()
    monkeypatch.delitem(sys.modules, "stray_module")


@pytest.mark.parametrize(
    "name", ["os.system", "subprocess.Popen", "unittest.mock.Mock", "AbstractRunner"]
)
def test_runner_is_a_runner(name: str) -> None:
    with pytest.raises(BorderlineError, match=f"--runner is '{name}', which cannot be loaded"):
        runner_of(name, {"args": "false"})


def test_own_module_may_have_a_name_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "antigravity.py").write_text("def model(x): return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert callable(import_object("antigravity.model"))
    monkeypatch.delitem(sys.modules, "antigravity")


# Data folders of others.

OURS, THEIRS = "11" * 32, "22" * 32
AGAIN = "make it again with `kedro run --pipelines clustering`"


def keyed(kind: type[KeyedFile], folder: Path, key: str | None, **options: Any) -> KeyedFile:
    """A dataset of a project with this key; ``trust_data_folder`` is its setting."""
    path = folder / "project.key"
    if key is not None:
        path.write_text(key)
    suffix = "pickle" if kind is PickleDataset else "safetensors"
    options = {"trust_setting": "trust_data_folder", **options}
    return kind(
        filepath=str(folder / f"x.{suffix}"), key_file=None if key is None else str(path), **options
    )


def refusal(dataset: KeyedFile) -> str:
    """The sentence of a load, which the check before a run says too."""
    with pytest.raises(BorderlineError) as checked:
        dataset.check(KeyedFile.remedy)
    with pytest.raises(DatasetError) as loaded:
        dataset.load()
    assert sentence_in(loaded.value) == str(checked.value)
    return str(checked.value)


PICKLES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another key": (lambda content: content, "was written with the key of another project"),
    "no tag": (lambda content: content[: -len(NO_TAG)], "has no tag of the project that wrote it"),
    "changed": (
        lambda content: pickle.dumps(0) + content[-len(NO_TAG) :],
        "was written with the key of another project",
    ),
    "cut in half": (
        lambda content: content[: len(content) // 2],
        "is damaged and cannot be read (its end is missing)",
    ),
}


@pytest.mark.parametrize("change", PICKLES)
def test_a_pickle_of_others_is_not_opened(change: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    dataset = keyed(PickleDataset, tmp_path, THEIRS)
    dataset.save(RunsCode(trace))
    file = tmp_path / "x.pickle"
    changed, words = PICKLES[change]
    file.write_bytes(changed(file.read_bytes()))
    assert f"{file} {words}" in refusal(keyed(PickleDataset, tmp_path, OURS))
    assert not trace.exists()


def test_a_pickle_with_our_tag_that_was_replaced_is_not_opened(tmp_path: Path) -> None:
    trace, file = tmp_path / "trace", tmp_path / "x.pickle"
    dataset = keyed(PickleDataset, tmp_path, OURS)
    dataset.save({"clusters": 3})
    assert dataset.load() == {"clusters": 3}
    assert pickle.loads(file.read_bytes()) == {"clusters": 3}, "notebooks read it with Python alone"
    file.write_bytes(pickle.dumps(RunsCode(trace)) + file.read_bytes()[-len(NO_TAG) :])
    words = refusal(dataset)
    assert "was changed or damaged after this project wrote it" in words
    assert "set trust_data_folder to true (conf/<env>/globals.yml or --params)" in words
    assert not trace.exists()
    keyed(PickleDataset, tmp_path, None, trust=True).load().close()
    assert trace.exists()


def test_a_model_with_the_tag_of_a_pickle_is_not_opened(tmp_path: Path) -> None:
    """The tag of one kind of file does not open the other kind."""
    trace = tmp_path / "trace"
    content = pickle.dumps(RunsCode(trace))
    key = bytes.fromhex(OURS)
    tag = hmac.new(key, b"borderline model\n" + content, hashlib.sha256).hexdigest()
    name = hashlib.sha256(key).hexdigest()[:8]
    (tmp_path / "x.pickle").write_bytes(content + f"{name}-{tag}".encode())
    assert "was changed or damaged" in refusal(keyed(PickleDataset, tmp_path, OURS))
    assert not trace.exists()


def crafted(tree: Any, **tensors: torch.Tensor) -> bytes:
    """A file of a model with this description."""
    text = json.dumps({"tag": NO_TAG, "version": 1, "content": tree})
    return save(tensors, {"borderline": text})


def network(builder: str = "training.networks.build_model", **arguments: Any) -> Any:
    return {
        "object": f"borderline.{builder}",
        "arguments": arguments,
        "keeps": {"settings": {"dict": []}},
        "weights": {"head.weight": "w"},
        "frozen": [],
        "training": [],
    }


def named(name: Any, **arguments: Any) -> Any:
    return {"object": name, "arguments": arguments, "keeps": {}}


LIBRARY = "training.networks.build_library_model"
SMALLEST = ("features.1.weight", "features.1.bias", "head.weight", "head.bias")
MODELS: dict[str, tuple[bytes, str]] = {
    "a function of Python": (crafted(named("os.system", command="echo")), "'os.system'"),
    "a class of Python": (
        crafted(named("builtins.open", file="trace", mode="w")),
        "'builtins.open'",
    ),
    "the command line": (crafted(named("borderline.cli.cli", args=[])), "'borderline.cli.cli'"),
    "the program": (crafted(named("borderline.__main__.main")), "'borderline.__main__.main'"),
    "a function that a module imports": (
        crafted(named("borderline.datasets.keys.os.system", command="echo")),
        "which this version does not have",
    ),
    "no settings": (crafted({"params": "os.system", "values": {}}), "'os.system'"),
    "settings that are not valid": (
        crafted({"params": "borderline.params.RunParams", "values": {"seed": -1, "device": "cpu"}}),
        "its settings are not valid",
    ),
    "a name that is no text": (crafted(named(3)), "its description is malformed"),
    "nothing": (crafted({}), "its description is malformed"),
    "no pairs": (crafted({"dict": [[1, 2, 3]]}), "its description is malformed"),
    "a tensor twice": (crafted([{"tensor": "w"}, {"tensor": "w"}], w=torch.ones(2)), "malformed"),
    "too many weights": (
        crafted(network(kind="cnn", filters=10**4, shape=[1, 8, 8]), w=torch.ones(2)),
        "its tensors are not those of",
    ),
    "weights of another type": (
        crafted(
            network(kind="mlp", filters=1, shape=[1, 1, 1])
            | {"weights": {name: name for name in SMALLEST}},
            **{n: torch.ones([1] * (1 + n.endswith("t")), dtype=torch.int64) for n in SMALLEST},
        ),
        "its tensors are not those of",
    ),
    "impossibly many": (
        crafted(network(kind="mlp", filters=10**18, shape=[10**9, 8, 8]), w=torch.ones(2)),
        "its network cannot be built",
    ),
    "a network of no library": (
        crafted(network(LIBRARY, kind="torchvision", name="os.system", size=None), w=torch.ones(2)),
        "its network cannot be built: name is 'os.system', but torchvision has no classifier",
    ),
    "another library": (
        crafted(network(LIBRARY, kind="os", name="system", size=None), w=torch.ones(2)),
        "its network cannot be built",
    ),
    "too deep": (save({}, {"borderline": "[" * 10**5}), "recursion"),
    "another file": (save({"w": torch.ones(2)}), "it describes no model of this package"),
    "a later version": (
        save({}, {"borderline": json.dumps({"version": 2, "content": None})}),
        "version 2 of the format",
    ),
    "no file": (b"", "it is no whole safetensors file"),
    "a huge shape": (
        save({"w": torch.ones(2)}).replace(b'"shape":[2]', b'"shape":[9]'),
        "it is no whole safetensors file",
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("trust", [False, True])
def test_a_model_of_others_calls_nothing_and_takes_no_memory(
    name: str, trust: bool, tmp_path: Path
) -> None:
    content, words = MODELS[name]
    (tmp_path / "x.safetensors").write_bytes(content)
    found = refusal(keyed(ModelDataset, tmp_path, OURS, trust=trust))
    assert f"{tmp_path / 'x.safetensors'} is damaged" in found
    assert words in found


def own_code(monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[ImportedClassifier, Path]:
    """A model of a module that leaves a trace when it is imported."""
    trace = folder / "trace"
    (folder / "left_behind.py").write_text(
        f"open({str(trace)!r}, 'w').close()\nfrom elsewhere import sides\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    source = {"kind": "callable", "path": None, "import_path": "left_behind.sides"}
    params = imported_model(source=source, outputs="logit", embedding="judge")
    return ImportedClassifier(params, b"", (1, 12, 12), torch.nn.Identity()), trace


def test_code_of_a_model_runs_for_its_own_project_or_with_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from borderline.training.networks import build_judge

    model, trace = own_code(monkeypatch, tmp_path)
    model.made_of[1]["judge"] = build_judge(2, (1, 12, 12))
    keyed(ModelDataset, tmp_path, THEIRS).save(model)

    def forget() -> None:
        trace.unlink()
        del sys.modules["left_behind"]

    forget()
    options = {"trust_setting": "other_run.trust"}
    words = refusal(keyed(ModelDataset, tmp_path, OURS, **options))
    assert (
        "was written with the key of another project, and reading it can run code on your machine"
        in words
    )
    assert "set other_run.trust to true" in words
    assert "cannot be checked without the key" in refusal(keyed(ModelDataset, tmp_path, None))
    file = tmp_path / "x.safetensors"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"left_behind.sides", b"left_behind.other"))
    assert "was changed or damaged" in refusal(keyed(ModelDataset, tmp_path, THEIRS))
    assert not trace.exists()
    file.write_bytes(content)
    for key, trust in ((THEIRS, False), (OURS, True), (None, True)):
        again = keyed(ModelDataset, tmp_path, key, trust=trust).load()
        assert again(torch.ones(1, 1, 12, 12)).shape == (1,)
        assert trace.exists()
        forget()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("cnn_1.cluster_model", AGAIN),
        ("other_run.cnn_1.classifier", "choose another run or another model to compare with"),
    ],
)
def test_files_of_others_are_refused_before_a_run(name: str, remedy: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    dataset = keyed(PickleDataset, tmp_path, THEIRS)
    dataset.save(RunsCode(trace))
    catalog = DataCatalog({name: keyed(PickleDataset, tmp_path, OURS)})
    running = Pipeline([node(lambda x: x, name, "text")])
    stages = {"clustering": Pipeline([node(lambda x: x, "x", "cnn_1.cluster_model")])}
    with pytest.raises(BorderlineError, match="written with the key of another") as error:
        check_models(running, catalog, stages, "kedro run")
    assert remedy in str(error.value)
    assert not trace.exists()
    check_models(Pipeline([node(lambda x: x, "x", name)]), catalog, stages, "kedro run")


# Images: files outside the data set, and files that announce more than they hold.


def _png(size: tuple[int, int] = (8, 8), grey: int = 7) -> bytes:
    file = BytesIO()
    Image.new("L", size, grey).save(file, "PNG")
    return file.getvalue()


def _announcing(width: int, height: int) -> bytes:
    """A PNG whose header announces another size than its pixels have."""
    content = _png()
    head = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A data set of two classes beside a private picture."""
    (tmp_path / "private.png").write_bytes(_png(grey=99))
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        (tmp_path / "own" / name / "a.png").write_bytes(_png())
    return tmp_path / "own"


def _refused(kind: str, path: Path, *words: str, **settings: Any) -> None:
    with pytest.raises(DatasetError) as caught:
        ImageSource(kind=kind, path=str(path), **settings).load()
    sentence = sentence_in(caught.value)
    assert sentence is not None
    assert sentence.endswith(".")
    assert len(sentence) < 900
    for word in words:
        assert word in sentence


OUTSIDE = ("{}/private.png", "../private.png", "a/../../private.png", "file://{}/private.png")
UNNAMEABLE = ("a\0.png", "\ud800.png")
ADDRESSES = ("http://127.0.0.1:9/a.png", "zip://a.png::http://127.0.0.1:9/a.zip", "~/private.png")


def _rows(folder: Path, file: str) -> None:
    """A saved set whose second row names a file; the library itself would save the file's bytes."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    rows = {"image": [{"bytes": _png(), "path": None}] * 2, "label": ["a", "b"]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(folder)
    (stored,) = folder.glob("*.arrow")
    with pyarrow.ipc.open_stream(stored.read_bytes()) as stream:
        table = stream.read_all()
    images = [{"bytes": _png(), "path": None}, {"bytes": None, "path": file}]
    column = pyarrow.array(images, table.schema.field("image").type)
    table = table.set_column(0, table.schema.field("image"), column)
    with pyarrow.ipc.new_stream(stored, table.schema) as stream:
        stream.write_table(table)


@pytest.mark.parametrize("file", [*OUTSIDE, *ADDRESSES, "link.png", "/dev/zero"])
@pytest.mark.parametrize("kind", ["hugging_face", "table"])
def test_row_names_no_file_outside_of_the_data_set(own: Path, kind: str, file: str) -> None:
    file = file.format(own.parent)
    (own / "link.png").symlink_to(own.parent / "private.png")
    if kind == "hugging_face":
        _rows(own, file)
        reason = {"~": "no such file", "h": "address", "z": "address"}.get(file[0], "outside of")
        _refused(kind, own, "row 1 of train", reason)
    else:
        (own / "own.csv").write_text(f"file,label\ncat/a.png,a\n{file},b\n")
        _refused(kind, own / "own.csv", file)


@pytest.mark.parametrize("file", UNNAMEABLE)
def test_row_names_a_file_that_cannot_be(own: Path, file: str) -> None:
    with pytest.raises(reading.Unreadable, match="no file can have this name"):
        reading.Folder(LocalFileSystem(), str(own)).read(f"{own}/{file}", 9)
    (own / "own.csv").write_bytes(b"file,label\ncat/a.png,a\na\0.png,b\n")
    _refused("table", own / "own.csv", "names 'a\\x00.png', but no file can have this name")


def test_table_may_lie_beside_the_folder_of_its_images(own: Path) -> None:
    (own / "lists").mkdir()
    table = own / "lists/own.csv"
    table.write_text("file,label\n../cat/a.png,a\n..\\dog\\a.png,b\n")
    _refused("table", table, "set source.folder to a folder that holds it")
    loaded = ImageSource(kind="table", path=str(table), folder=str(own)).load()
    assert len(loaded.train["labels"]) == 2
    table.write_text("file,label\n../cat/a.png,a\n../../private.png,b\n")
    _refused("table", table, "outside of", folder=str(own))


@pytest.mark.parametrize("kind", ["table", "image_folder", "hugging_face"])
def test_other_folder_is_no_address(own: Path, kind: str) -> None:
    (own / "own.csv").write_text("file,label\ncat/a.png,a\ndog/a.png,b\n")
    path = own / "own.csv" if kind == "table" else own
    _refused(kind, path, "source.folder is 'evil://x'", folder="evil://x")


@pytest.mark.parametrize("kind", ["hugging_face", "table", "image_folder"])
def test_user_can_let_files_of_another_folder_in(own: Path, kind: str) -> None:
    path, folder = own, own.parent
    if kind == "hugging_face":
        _rows(own, "../private.png")
    elif kind == "table":
        path = own / "own.csv"
        path.write_text(f"file,label\nown/cat/a.png,a\n{folder}/private.png,b\n")
    else:
        (own / "dog/a.png").unlink()
        (own / "dog/a.png").symlink_to(folder / "private.png")
    images = ImageSource(kind=kind, path=str(path), folder=str(folder)).load().train["images"]
    assert ((images.amax((1, 2, 3)) + 1) * 127.5).round().tolist() == [7, 99]


@pytest.mark.parametrize("table", [False, True])
def test_link_of_an_image_folder_does_not_lead_out(own: Path, table: bool) -> None:
    name = "../private.png" if table else "dog/link.png"
    (own / "dog/link.png").symlink_to(own.parent / "private.png")
    if table:
        (own / "dog/link.png").unlink()
        (own / "metadata.csv").write_text(f"file_name,label\ncat/a.png,a\n{name},b\n")
    settings = {"label_column": "label"} if table else {}
    _refused("image_folder", own, "private" if table else name, "source.folder", **settings)
    whole = own.parent / "link"
    (own / name).unlink() if not table else (own / "metadata.csv").unlink()
    whole.symlink_to(own)
    assert len(ImageSource(kind="image_folder", path=str(whole)).load().train["labels"]) == 2


@pytest.mark.parametrize("part", ["/dev/zero", "../../own/x.arrow", "pipe"])
def test_description_of_a_saved_set_names_no_other_file(own: Path, part: str) -> None:
    _rows(own / "saved", "a.png")
    os.mkfifo(own / "saved/pipe")
    (own / "saved/loading.py").write_text("raise SystemExit('ran')")
    state = own / "saved/state.json"
    state.write_text(
        json.dumps({**json.loads(state.read_text()), "_data_files": [{"filename": part}]})
    )
    _refused("hugging_face", own / "saved", "no dataset that save_to_disk left")


@pytest.mark.parametrize("name", ["pipe.png", "folder.png", "zero.png"])
def test_only_regular_files_are_opened(own: Path, name: str) -> None:
    os.mkfifo(own / "pipe.png")
    (own / "folder.png").mkdir()
    (own / "zero.png").symlink_to("/dev/zero")
    (own / "own.csv").write_text(f"file,label\ncat/a.png,a\n{name},b\n")
    settings = {"folder": "/"} if name == "zero.png" else {}
    if settings:
        text = f"file,label\n{own}/cat/a.png,a\n{own}/{name},b\n"
        (own / "own.csv").write_text(text)
    _refused("table", own / "own.csv", name, "no regular file", **settings)


def _text_bomb() -> bytes:
    content, text = _png(), b"zTXta\0\0" + zlib.compress(bytes(2**23))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return content[:33] + chunk + content[33:]


@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_announcing(20_000, 20_000), ["180 megapixels", "source.most_megapixels"]),
        (_announcing(2**31 - 1, 1), ["180 megapixels"]),
        (_text_bomb(), ["too large"]),
        (b"DICM".rjust(132, b"\0") + b"1.2.840.10008.1.2.1.99\0" + bytes(99), ["deflated"]),
    ],
)
def test_image_that_announces_more_than_it_holds(
    own: Path, content: bytes, words: list[str], size: int | None
) -> None:
    (own / "dog/b.png").write_bytes(content)
    _refused("image_folder", own, "dog/b.png", *words, size=size)


def test_pixels_are_limited_by_the_setting(own: Path) -> None:
    (own / "dog/b.png").write_bytes(_png((1200, 1000)))
    _refused("image_folder", own, "1 megapixels (1200x1000)", size=8, fit="crop", most_megapixels=1)
    settings: dict[str, Any] = {"size": 8, "fit": "crop", "most_megapixels": 2}
    source = ImageSource(kind="image_folder", path=str(own), **settings).load()
    assert len(source.train["labels"]) == 3


def test_images_of_more_than_the_memory(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refused("image_folder", own, "source.size is 100000", "GB of memory", size=100_000)
    monkeypatch.setattr(limits, "memory", lambda: 100)
    _refused("image_folder", own, "source.size is missing", "such as 32 or 64")


def _idx(*shape: int, values: bytes = b"") -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_idx(2**31, 2**31, 2**31), ["announces", "GB of values", "of memory"]),
        (_idx(10**6, 28, 28), ["announces (1000000, 28, 28)", "truncated or damaged"]),
        (_idx(1, 2, 2, values=bytes(2**20)), ["announces (1, 2, 2)", "holds more"]),
        (b"\0\0\x08\xff", ["truncated or damaged"]),
    ],
)
def test_idx_file_that_announces_more_than_it_holds(
    tmp_path: Path, content: bytes, suffix: str, words: list[str]
) -> None:
    content = gzip.compress(content) if suffix else content
    (tmp_path / f"train-images{suffix}").write_bytes(content)
    (tmp_path / "train-labels").write_bytes(_idx(1, values=b"\0"))
    _refused("idx", tmp_path, "train-images", *words)


def _npy(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    """A file of NumPy without values."""
    file = BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (_npy((10**15, 28, 28)), _npy((10**15,)), ["cannot be read", "sound copy"]),
        (_npy((-4, 28, 28)), _npy((4,)), ["cannot be read"]),
        (_npy((4, 28, 28), "|O"), _npy((4,)), ["Python objects"]),
        (_npy((10**15, 0, 0)), _npy((10**15,), "<U0"), ["hold no values"]),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_arrays_that_announce_more_than_they_hold(
    tmp_path: Path, images: bytes, labels: bytes, words: list[str], archive: bool
) -> None:
    parts = {"images.npy": images, "labels.npy": labels, "read.me": b"text"}
    if archive:
        with ZipFile(tmp_path / "own.npz", "w") as file:
            for name, content in parts.items():
                file.writestr(name, content)
    else:
        for name, content in parts.items():
            (tmp_path / name).write_bytes(content)
    _refused("arrays", tmp_path / "own.npz" if archive else tmp_path, *words)


@pytest.mark.parametrize(
    ("method", "words"), [(ZIP_DEFLATED, "announces"), (ZIP_BZIP2, "np.savez")]
)
def test_archive_of_arrays_that_is_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int, words: str
) -> None:
    monkeypatch.setattr(limits, "memory", lambda: 10**6)
    with ZipFile(tmp_path / "own.npz", "w", method) as file:
        file.writestr("images.npy", bytes(10**5 if method == ZIP_BZIP2 else 10**7))
    _refused("arrays", tmp_path / "own.npz", words)


@pytest.mark.parametrize("label", [50_000_000, 2**63])
def test_highest_label_makes_no_classes(tmp_path: Path, label: int) -> None:
    labels = np.array([0, 1, label], np.uint64)
    np.savez(tmp_path / "own.npz", images=np.zeros((3, 8, 8), np.uint8), labels=labels)
    words = f"the label {label}", "at most 1,000 classes", "without gaps"
    _refused("arrays", tmp_path / "own.npz", *words)


def test_many_classes_and_long_names(tmp_path: Path) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=["a", "b" * 10**6])
    _refused("arrays", tmp_path / "own.npz", "1,000,000 letters (bbb", "shorten it")
    np.savez(tmp_path / "own.npz", images=images, labels=["1", "9" * 5000])
    _refused("arrays", tmp_path / "own.npz", "5,000 letters (999", "shorten it")
    np.savez(tmp_path / "own.npz", images=images, labels=[0, 1])
    classes = list(map(str, range(10**5)))
    _refused("arrays", tmp_path / "own.npz", "100,000 classes", "source.classes", classes=classes)


def test_table_that_is_too_large_or_nested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.jsonl").write_text('{"file": ' + "[" * 200_000)
    _refused("table", tmp_path / "own.jsonl", "cannot be read")
    pd.DataFrame({"file": ["a"] * 9, "label": 1}).to_parquet(tmp_path / "own.parquet")
    monkeypatch.setattr(metadata_tables, "MOST_ROWS", 8)
    _refused("table", tmp_path / "own.parquet", "9 rows, more than 8")
    (tmp_path / "own.csv").write_text("file,label\n" + "a,b\n" * 8)
    _refused("table", tmp_path / "own.csv", "9 rows, more than 8")
    monkeypatch.setattr(metadata_tables, "MOST_COLUMNS", 5)
    (tmp_path / "own.csv").write_text("file,label,a,b,c,d\n")
    _refused("table", tmp_path / "own.csv", "6 columns, more than 5")
    (tmp_path / "own.jsonl").write_text("".join(f'{{"{name}": 1}}\n' for name in "abcdef"))
    _refused("table", tmp_path / "own.jsonl", "6 columns, more than 5")
    monkeypatch.setattr(metadata_tables, "MOST_VALUES", 3)
    _refused("table", tmp_path / "own.parquet", "more than 8")
    (tmp_path / "own.csv").write_text("file,label\na,b\n")
    _refused("table", tmp_path / "own.csv", "4 values, more than 3")
    monkeypatch.setattr(metadata_tables, "LARGEST_TABLE", 2**20)
    (tmp_path / "own.csv").write_bytes(bytes(2**20 + 1))
    _refused("table", tmp_path / "own.csv", "more than 1 MB")


def test_folders_in_folders_without_end(own: Path) -> None:
    (own / "/".join(["cat", *"x" * 70])).mkdir(parents=True)
    _refused("image_folder", own, "more than 64 deep", "cat")


# Text of foreign files on pages, in the model card and on the terminal.

HOSTILE = (
    "x\n\n# Forged\n\n![f](http://evil/f.png) <img src=x onerror=alert(1)> | **b** | `c` $d$ "
    "[l](javascript:e) https://evil.org www.evil.org a@evil.org ```\n- [ ] &lt; </script> {{7*7}}"
)
TERMINAL = "a\x1b[31mb\r\n\x1b]8;;http://evil\x07c\x9b2J\u202etxt\u2066\x00\u200b\udc80[red]d[/x]"
SHOWN = "a\\x1b[31mb\\r\\n\\x1b]8;;http://evil\\x07c\\x9b2J\\u202etxt\\u2066\\x00\\u200b\\udc80[red]d[/x]"
ORDINARY = [
    "7v1",
    "Größe 3",
    "数字",
    "in_my_set",
    "cat (small) 0.5-1",
    "\u0645\u06cc\u200c\u062e",
    "C-1. x",
]


def card_with(name: str, **changed: Any) -> str:
    origin = Origin.of(
        CallParams(environment=changed.pop("environment", "mine"), changed={}, listed=("run",)),
        RunParams(seed=3, device="cpu"),
        {"python": "3", "threads": 2, "packages": {"borderline": "1", "torch": "2"}},
        {"run": {"seed": 3}},
    )
    texts = ("source", "positive", "negative", "kind", "generator", "recipe", "rating_note")
    findings = findings_of(1, **{**dict.fromkeys(texts, name), **changed})
    return write_card("m", findings, origin, None)


def test_no_value_is_markup_in_the_card() -> None:
    plain, card = card_with("x"), ModelCard(card_with(HOSTILE))
    markdown_it = MarkdownIt("gfm-like", {"linkify": False})
    kinds = [
        [token.type for token in markdown_it.parse(text)]
        for text in (ModelCard(plain).text, card.text)
    ]
    assert kinds[0] == kinds[1]
    page = markdown_it.render(card.text)
    for markup in ("<img src=x", "<a href", "<h1>Forged", "<strong>b", "<code>c", 'evil/f.png"'):
        assert markup not in page
    assert page.count("# Forged ![f](http://evil/f.png) &lt;img src=x") > 8
    assert card.data.eval_results[0].dataset_name.startswith("x # Forged")


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_look_the_same_everywhere(name: str) -> None:
    rendered = MarkdownIt("gfm-like", {"linkify": False}).renderInline(str(markdown(name)))
    assert rendered == name
    assert visible(name) == in_figure(name, 99) == in_chart(name, 99) == name
    page = environment("borderline.pages").from_string("{{ name }}").render(name=name)
    assert page == name


@pytest.mark.parametrize(
    "text", ["- a", "+ a", "1. a", "2) a", "=== ", "--- ", "# a", "> a", "[a]: b", "[ ] a", "    a"]
)
def test_no_value_begins_a_block(text: str) -> None:
    for before in ("", "- "):
        tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"{before}{markdown(text)}")
        plain = MarkdownIt("gfm-like", {"linkify": False}).parse(f"{before}x")
        assert [token.type for token in tokens] == [token.type for token in plain]


def test_no_command_ends_its_block() -> None:
    block = str(fenced("kedro run --env 'a\n````\n# b'"))
    (token,) = MarkdownIt().parse(block)
    assert token.content == "kedro run --env 'a\n````\n# b'\n"
    assert str(fenced("kedro run")) == "```\nkedro run\n```"


def test_pages_escape_every_value() -> None:
    template = '<p title="{{ a }}">{{ a }}</p><script type="application/json">{{ a | as_script }}'
    page = environment("borderline.pages").from_string(template).render(a=f'"{HOSTILE}\u202e\x1b')
    assert page.count("<") == 3
    assert "&#34;x" in page
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_terminal_obeys_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"Embedding layer: {TERMINAL}.")
    assert capsys.readouterr().out == f"Embedding layer: {SHOWN}.\n"
    assert str(BorderlineError(f"{TERMINAL} is wrong")) == f"{SHOWN} is wrong"
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(text_of(TERMINAL.replace("\n", "")), table_of(["\x1b"], [["[red]"]], console)[0])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert SHOWN.replace("\\n", "") in shown
    assert re.search(r"\\x1b .*\[red\]", shown, re.DOTALL)


def test_log_obeys_no_name() -> None:
    before = logging.getLogRecordFactory()
    keep_log_plain()
    console = Console(file=io.StringIO(), width=200)
    handler = RichHandler(console=console, markup=True, show_time=False, show_path=False)
    logger = logging.Logger("borderline.datasets")
    logger.addHandler(handler)
    try:
        logger.warning("Left out: %s", TERMINAL)
    finally:
        logging.setLogRecordFactory(before)
    assert f"Left out: {SHOWN}" in console.file.getvalue()  # type: ignore[attr-defined]


def test_text_reaches_the_terminal_through_one_door() -> None:
    source = Path(sys.modules["borderline"].__path__[0])
    doors = re.compile(r"click\.s?echo\(|(?<![\w.])print\((?!.*file=)|rich\.print\(|\bText\(")
    users = {
        path.name
        for path in source.rglob("*.py")
        for line in path.read_text().splitlines()
        if doors.search(line) and ">>>" not in line and "python -c" not in line
    }
    assert users <= {"plain_text.py", "printing.py"}


# Names that leave the data folder or merge folders.

ODD_FOLDER = "da ta%20[x] **é#?{y}&'+;=~"


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("data_folder", "", "it is empty"),
        ("data_folder", "data/{model}", "placeholder"),
        ("data_folder", "data\nconf", "not seen in a path"),
        ("data_folder", "$HOME/data", "variables of the environment"),
        ("data_folder", "C:\\data", "drives of Windows"),
        ("data_folder", "s3://bucket/**", "drivers of buckets"),
        ("data_folder", "x" * 256, "256 bytes"),
        ("dataset", "../mnist", "the name of a folder"),
        ("dataset", ".", "the name of a folder"),
        ("dataset", "mnist\n", "the name of a folder"),
        ("dataset", "x" * 300, "300 letters"),
        ("dataset", "con", "Windows"),
        ("other_run", {"data_folder": "data", "case": "../../x"}, "06_models"),
        ("other_run", {"data_folder": "data", "case": "{model}"}, "06_models"),
        ("other_run", {"data_folder": "{model}"}, "placeholder"),
        ("source", {"kind": "image_folder", "path": "a\0b"}, "the character 0"),
        ("source", {"kind": "image_folder", "path": "a/zip::b"}, "'::'"),
        ("source", {"kind": "table", "path": "x", "folder": "y" * 256}, "256 bytes"),
        ("step_1_checkpoints", "x/" * 9 + "é" * 128, "256 bytes"),
        ("inception_weights", " ", "it is empty"),
        ("inception_weights", "x/" * 2000, "4000 characters"),
    ],
)
def test_a_path_or_name_that_cannot_be_is_one_sentence(
    setting: str, value: object, words: str
) -> None:
    about = base_settings(ROOT / "conf", "globals")
    with pytest.raises(BorderlineError, match=re.escape(words)) as error:
        read_globals({**about, setting: value})
    assert str(error.value).startswith(setting)
    assert "correct it in conf/<env>" in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        *("con", "nul", "com1", "x" * 101, "../x", "", "a.b", "{x}"),
        *("ledger", "comparison", "page", "repeats", "judge_2", "compared_x", "gan_run_2"),
    ],
)
def test_a_model_or_generator_with_the_folder_of_something_else(name: str) -> None:
    for names in (([name], []), ([], [name])):
        with pytest.raises(BorderlineError, match=r"rename it\.$"):
            check_spelling(*names)


@pytest.mark.parametrize("name", ["con", "x" * 300, "../x", "base", "local", "presets", "${x}"])
def test_a_case_with_the_folder_of_something_else(name: str) -> None:
    with pytest.raises(BorderlineError):
        check_name(name)


def test_two_datasets_with_the_same_folder() -> None:
    former = {"digest": "1", "dataset": "a"}
    assert name_of_pair("b_c", "d") == f"b_{name_of_pair('c', 'd')}"
    with pytest.raises(BorderlineError, match="hold the results of the dataset 'a'"):
        check_same_images("1", "a_b", former, "data")
    check_same_images("1", "a", former, "data")
    check_same_images("1", "a", {"digest": "1"}, "data")


def test_a_data_folder_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    deep = tmp_path.joinpath(*["x" * 200] * 20)
    for folder, words in {
        tmp_path / "file": "no folder",
        tmp_path / "file/data": "no folder",
        Path("/dev/null"): "no folder",
        tmp_path / "link": "a link to nothing",
        tmp_path / "link/data": "a link to nothing",
        tmp_path / "circle": "a link to nothing",
        deep: "bytes",
    }.items():
        with pytest.raises(BorderlineError, match=words) as error:
            check_data_folder(folder)
        assert str(error.value).startswith("data_folder is")
    (tmp_path / "there").mkdir()
    (tmp_path / "good").symlink_to("there")
    check_data_folder(tmp_path / "good" / ODD_FOLDER)


def test_a_data_folder_among_code_or_images(tmp_path: Path) -> None:
    images, project = tmp_path / "images", tmp_path / "project"
    images.mkdir()
    (tmp_path / "link").symlink_to("images")
    inner = {"kind": "image_folder", "path": str(images)}
    source = SourceGlobals.model_validate({"kind": "idx", "path": "x", "otherwise": inner})
    for folder, words in {
        Path("/"): "the root",
        project: "this project",
        project / "x/..": "this project",
        project / "conf": "the folder conf",
        project / "src/data": "the folder src",
        project / ".git": "the folder .git",
        images: "the images",
        tmp_path / "link/data": "the images",
    }.items():
        with pytest.raises(BorderlineError, match=words) as error:
            check_place(folder, project, source)
        assert "name another folder in conf/<env>/globals.yml" in str(error.value)
    for folder in (project / "data", project / "confirmed", tmp_path / "data", tmp_path):
        check_place(folder, project, source)


def test_a_file_system_that_ignores_capital_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist_Bagvcat").mkdir()
    check_own_folder(tmp_path / "mnist_Bagvcat")
    check_own_folder(tmp_path / "mnist_bagvcat")
    monkeypatch.setattr(Path, "exists", lambda path: True)
    with pytest.raises(BorderlineError, match="takes that for 'mnist_Bagvcat'"):
        check_own_folder(tmp_path / "mnist_bagvcat")
    (tmp_path / "mnist_e\u0301v7").mkdir()
    check_own_folder(tmp_path / "mnist_\u00e9v7")


def test_results_in_a_folder_with_signs_of_patterns(tmp_path: Path) -> None:
    folder = TensorFolder(path=str(tmp_path / ODD_FOLDER / "images"))
    part = {"images": torch.zeros(1, 1, 8, 8)}
    folder.save({"part_00000": part, "part_00001": part})
    folder.save({"part_00000": part})
    assert list(folder.load()) == ["part_00000"]
    table = CSVDataset(filepath=str(tmp_path / ODD_FOLDER / "table.csv"))
    table.save(pd.DataFrame({"x": [1]}))
    assert table.exists()
    assert table.load()["x"].to_list() == [1]
    assert [place.name for place in tmp_path.iterdir()] == [ODD_FOLDER]


def test_paths_of_the_catalog_are_taken_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    catalog = {
        "source": {"path": "C:x", "folder": "~/[x]", "otherwise": {"path": "~/**"}},
        "{model}.table": {"filepath": "a:b/{model}.csv", "type": "~"},
        "bucket": {"path": "s3://results/x"},
        "here": {"path": "file:///x/y"},
    }
    assert _at_home(catalog, tmp_path) == {
        "source": {
            "path": f"{tmp_path}/C:x",
            "folder": "/home/me/[x]",
            "otherwise": {"path": "/home/me/**"},
        },
        "{model}.table": {"filepath": f"{tmp_path}/a:b/{{model}}.csv", "type": "~"},
        "bucket": {"path": "s3://results/x"},
        "here": {"path": "/x/y"},
    }
    with pytest.raises(BorderlineError, match="a user who is not on this machine"):
        located("~nobody_of_this_name/x", tmp_path)


def test_home_folder_as_data_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    start_kedro()
    changed = {"data_folder": f"~/{ODD_FOLDER.replace('{y}', '')}"}
    with KedroSession.create(project, env="test", runtime_params=changed) as session:
        context: Any = session.load_context()
    home = str(project.parent / changed["data_folder"][2:])
    assert context.about.data_folder == home
    assert str(context.catalog.get("pair_names")._filepath).startswith(f"{home}/03_primary/")
    assert [path.name for path in project.parent.iterdir()] == ["project"]


def test_references_in_names_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = ["${x}", "a\\${globals:b}", "\\${c", "7", "\x07", "\u202egpj"]
    source = {"kind": "image_folder", "path": "/x/${y}", "classes": classes}
    pair = {"positive": "${x}", "negative": "a\\${globals:b}"}
    shutil.copytree(ROOT / "conf/base", tmp_path / "conf/base")
    monkeypatch.chdir(tmp_path)
    write_case("odd", {"source": source, "pair": pair}, {"grid": {"runs": 2}}, "A \x07 comment.")
    assert "\u202e" not in Path("conf/odd/globals.yml").read_text(encoding="utf-8")
    loader = loader_of(tmp_path / "conf", "odd")
    assert loader["globals"]["source"] == source
    assert loader["parameters"]["pair"].items() >= pair.items()
    loader["globals"] = dict(loader["globals"])
    assert {name: loader["catalog"]["source"][name] for name in source} == source
    path = Path(loader["catalog"]["pair_train"]["filepath"])
    assert path.parts[:2] == ("data", "03_primary")
    assert pair_of_name(path.parts[2].removeprefix("mnist_sample_")) == tuple(pair.values())


@pytest.mark.parametrize("name", ["[x]", "a*", "a?", "a::b"])
def test_a_project_in_a_folder_that_kedro_reads_as_a_pattern(name: str, tmp_path: Path) -> None:
    with pytest.raises(BorderlineError, match="there as a pattern: rename"):
        loader_of(tmp_path / name / "conf", None)
