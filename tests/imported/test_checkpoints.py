"""The weights in the checkpoints of training scripts."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.imported.file_kinds import kind_of_model
from borderline.imported.kinds import read_network
from conftest import imported_source
from elsewhere import Net

IMAGES = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(1))
SOURCE = {"path": "m.ckpt", "import_path": "elsewhere.Net"}
State = dict[str, Any]


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net().eval()


def bytes_of(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def outputs(content: bytes, **changed: Any) -> Tensor:
    source = imported_source("state_dict", **{**SOURCE, **changed})
    result: Tensor = read_network(source, content)(IMAGES)
    return result


def under(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def optimiser() -> State:
    model = net(5)
    adam = torch.optim.Adam(model.parameters())
    model(IMAGES).sum().backward()
    adam.step()
    return adam.state_dict()


def averaged(state: State) -> State:
    return {"n_averaged": torch.tensor(3), **under("module.", state)}


def gasten(state: State) -> State:
    arguments = argparse.Namespace(out=Path("out"), classes=[7, 1], lr=1e-3)
    stats = {"train_acc": np.float64(0.9), "val_loss": [np.float32(0.1)]}
    return {"name": "cnn", "state": state, "stats": stats, "args": arguments}


def lightning(state: State) -> State:
    beside = {"loss.weight": torch.ones(2), "metric.total": torch.tensor(3)}
    return {
        "epoch": 3,
        "state_dict": under("model.", state) | beside,
        "optimizer_states": [optimiser()],
        "callbacks": {"ModelCheckpoint{'mode': 'min'}": {"best_model_score": torch.tensor(0.1)}},
        "hyper_parameters": {"lr": 1e-3, "widths": np.array([4, 8])},
    }


CHECKPOINTS: dict[str, Any] = {
    "GASTeN": gasten,
    "net": lambda state: {"net": state, "acc": 91.2, "epoch": 3},
    "weights": lambda state: {"weights": state},
    "model_state": lambda state: {"model_state": state, "optimizer": optimiser()},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": np.float32(0.3)},
    "Lightning": lightning,
    "Lightning's net": lambda state: {"state_dict": under("net.", state)},
    "compiled": lambda state: under("_orig_mod.", state),
    "parallel and compiled": lambda state: {"model": under("module._orig_mod.", state)},
    "compiled in Lightning": lambda state: {"state_dict": under("model._orig_mod.", state)},
    "a compiled layer": lambda state: {
        name.replace("conv.", "conv._orig_mod."): value for name, value in state.items()
    },
    "parallel layers": lambda state: {
        "model": {name.replace("hidden.", "hidden.module."): v for name, v in state.items()}
    },
    "averaged": averaged,
    "numbers among the weights": lambda state: {**state, "epoch": np.int64(3), "best": 0.1},
    "the same twice": lambda state: {"model": state, "best": dict(state)},
    "another model beside it": lambda state: {"model": state, "teacher": Net(5).state_dict()},
    "deep": lambda state: {"checkpoint": {"model": {"weights": state}}},
    "half precision": lambda state: {"model": {n: value.half() for n, value in state.items()}},
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_weights_of_a_checkpoint_are_found_without_trust(name: str) -> None:
    model = net()
    content = bytes_of(CHECKPOINTS[name](model.state_dict()))
    torch.testing.assert_close(outputs(content), model(IMAGES), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("name", ["GASTeN", "Lightning", "numbers among the weights"])
def test_new_case_takes_it_for_weights(name: str, tmp_path: Path) -> None:
    file = tmp_path / "m.ckpt"
    file.write_bytes(bytes_of(CHECKPOINTS[name](net().state_dict())))
    with pytest.raises(BorderlineError, match="holds weights and no model: name its class"):
        kind_of_model(str(file), None, trust=False)
    assert kind_of_model(str(file), "elsewhere.Net", trust=False)["kind"] == "state_dict"


def test_safetensors_under_another_name(tmp_path: Path) -> None:
    model, file = net(), tmp_path / "pytorch_model.bin"
    file.write_bytes(save_safetensors(model.state_dict()))
    assert torch.equal(outputs(file.read_bytes(), path="pytorch_model.bin"), model(IMAGES))
    with pytest.raises(BorderlineError, match="holds weights"):
        kind_of_model(str(file), None, trust=False)


@pytest.mark.parametrize("content", [b"junk" * 20, bytes_of({"a": torch.zeros(9)})[:200]])
def test_damaged_file_is_no_matter_of_trust(content: bytes) -> None:
    with pytest.raises(BorderlineError, match=r"m\.ckpt', which is no complete file of torch"):
        outputs(content)


def test_web_page_in_place_of_the_file() -> None:
    with pytest.raises(BorderlineError, match=r"is a web page .*: download the file again"):
        outputs(b"\n<!DOCTYPE html><html></html>")


def test_weights_in_several_files_are_asked_for_as_one() -> None:
    index = json.dumps({"weight_map": {"conv.weight": "m-00001-of-00002.safetensors"}})
    with pytest.raises(BorderlineError, match=r"index of weights .* into one file"):
        outputs(index.encode(), path="model.safetensors.index.json")
    part = save_safetensors({"conv.weight": net().conv.weight.detach()})
    with pytest.raises(BorderlineError, match=r"do not fit.*into one file"):
        outputs(part, path="model-00001-of-00002.safetensors")


def several(first: Net, second: Net) -> dict[str, State]:
    one, two = first.state_dict(), second.state_dict()
    return {
        "model": {"model": one, "ema": two},
        "ema": {"ema": one, "model": two, "epoch": 3},
        "state_dict.student": {"state_dict": under("student.", one) | under("teacher.", two)},
        "ema.module": {"model": two, "ema": {"module": one}},
    }


@pytest.mark.parametrize("key", several(net(), net()))
def test_one_of_several_fitting_sets_is_asked_for(key: str) -> None:
    first, second = net(0), net(1)
    content = bytes_of(several(first, second)[key])
    with pytest.raises(BorderlineError, match=r"source.key is None, but 2 different") as error:
        outputs(content)
    assert key in str(error.value)
    assert "(new-case: --key)" in str(error.value)
    assert torch.equal(outputs(content, key=key), first(IMAGES))
    with pytest.raises(BorderlineError, match=r"source.key is 'emma', but no weights stand there"):
        outputs(content, key="emma")


def lightning(model: nn.Module) -> State:
    """A checkpoint with the weights of the loss beside those of the model."""
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
    return {"state_dict": {**weights, "loss.weight": torch.ones(2)}, "epoch": 3}


def test_key_by_its_beginning() -> None:
    content = bytes_of(several(net(0), net(1))["ema.module"])
    assert torch.equal(outputs(content, key="ema"), net(0)(IMAGES))


def test_set_at_the_key_does_not_fit() -> None:
    content = bytes_of({"model": net().state_dict(), "other": Net(5).state_dict()})
    with pytest.raises(BorderlineError, match=r"do not fit elsewhere.Net .*size mismatch"):
        outputs(content, key="other")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"model": Net(5).state_dict()}, "size mismatch for last.weight"),
        (lightning(Net(5)), "size mismatch for last.weight"),
        ({**Net().state_dict(), "head.weight": torch.ones(2)}, "Unexpected key"),
        ({"net": {"conv.weight": torch.ones(4, 1, 3, 3)}}, "Missing key"),
        ({"epoch": 3}, "holds a dict and no state dictionary"),
    ],
)
def test_weights_that_do_not_fit(state: State, words: str) -> None:
    with pytest.raises(BorderlineError, match=words):
        outputs(bytes_of(state))


def test_weights_of_a_pickled_module_need_trust() -> None:
    model = net()
    content = bytes_of({"model": model, "epoch": 3})
    with pytest.raises(BorderlineError, match="trust is False"):
        outputs(content)
    assert torch.equal(outputs(content, trust=True), model(IMAGES))


def test_versions_of_modules_are_kept() -> None:
    """Batch normalisation of older files has no counter."""
    model = nn.BatchNorm2d(1).eval()
    state = {name: value for name, value in model.state_dict().items() if value.dim()}
    source = {"import_path": "torch.nn.BatchNorm2d", "arguments": {"num_features": 1}}
    for content in (bytes_of({"model": state}), bytes_of(under("model.", model.state_dict()))):
        assert torch.equal(outputs(content, **source), model(IMAGES))
