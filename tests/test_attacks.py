"""Crafted files and settings: nothing of them runs, overwrites, leaks or exhausts the machine.

The tests build every file, so the repository holds no binary.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline, node
from safetensors.torch import save

from borderline.datasets import ModelDataset, PickleDataset
from borderline.datasets.keys import NO_TAG, KeyedFile
from borderline.errors import BorderlineError, sentence_in
from borderline.imported.classifier import ImportedClassifier
from borderline.preflight.models_on_disk import check_models
from conftest import imported_model
from elsewhere import RunsCode

# Models and settings: code of strangers.

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
        dataset.check("make it again by a run of its stage")
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
        "is damaged (its end is missing)",
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
    """What this project signed as one kind of file is not opened as the other."""
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


def network(builder: str = "classifier.networks.build_model", **arguments: Any) -> Any:
    return {
        "object": f"borderline.pipelines.{builder}",
        "arguments": arguments,
        "keeps": {"settings": {"dict": []}},
        "weights": {"head.weight": "w"},
        "frozen": [],
        "training": [],
    }


def named(name: Any, **arguments: Any) -> Any:
    return {"object": name, "arguments": arguments, "keeps": {}}


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

    from borderline.pipelines.classifier.networks import build_judge

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

# Text of foreign files on pages, in the model card and on the terminal.

# Names that leave the data folder or merge folders.
