"""Every class that is stored comes back bit for bit, from a file that holds no code."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.io import DatasetError
from safetensors.torch import load_file
from torch import Tensor, nn

from borderline.committee import Committee
from borderline.datasets import ModelDataset
from borderline.datasets.storable import name_of, storable
from borderline.imported.classifier import ImportedClassifier
from borderline.pipelines.gasten.latent_search import SearchSampler
from borderline.pipelines.gasten.networks import build_discriminator, build_generator
from borderline.pipelines.gasten.pixel_blends import BlendSampler
from borderline.sampling import GanSampler
from borderline.training.networks import build_judge, build_model
from conftest import gan_params, imported_model
from elsewhere import SOURCES, Net, onnx_file, saved

SHAPE = (1, 12, 12)
GAN = gan_params(batch_size=4, latent_dim=3)
RESNET = gan_params(batch_size=4, latent_dim=3, architecture="resnet", loss="wgan_gp", filters=1)

OWN = gan_params(batch_size=4, latent_dim=3, generator={"filters": 3, "betas": [0, 0.9]})


def model() -> nn.Module:
    network = build_model("cnn", 1, torch.zeros(SHAPE).shape)
    network.settings = {"model.filters": 1, "run.seed": None, "rate": 0.1}
    return network.eval()


def imported(kind: str) -> ImportedClassifier:
    content = onnx_file(["n", *SHAPE], {"logits": "logits"})
    if kind != "onnx":
        content = saved(kind, Net(2), torch.rand(4, *SHAPE))
    params = imported_model(
        source={"kind": kind, **SOURCES[kind]}, outputs="logits", embedding="judge"
    )
    return ImportedClassifier(params, content, SHAPE, build_judge(2, SHAPE).eval())


def half_frozen() -> nn.Module:
    network = build_generator(GAN, SHAPE).double()
    network.net[1].eval()
    next(iter(network.parameters())).requires_grad_(False)
    return network


PAIR: dict[str, Any] = {"classes": ("1", "7"), "positive": 1, "negative": 0}
SEARCH: dict[str, Any] = {"pairs": "random", "spread": 0.0, "tolerance": 0.1}
OBJECTS: dict[str, Callable[[], Any]] = {
    "cnn": model,
    "mlp": lambda: build_model("mlp", 2, SHAPE),
    "judge": lambda: build_judge(2, SHAPE).eval(),
    "dcgan": lambda: build_generator(GAN, SHAPE).eval(),
    "its discriminator": lambda: build_discriminator(GAN, SHAPE).eval(),
    "own settings": lambda: build_generator(OWN, SHAPE),
    "resnet": lambda: build_generator(RESNET, (1, 32, 32)).eval(),
    "its other discriminator": lambda: build_discriminator(RESNET, (1, 32, 32)),
    "half frozen": half_frozen,
    "committee": lambda: Committee(members=(model(), model()), **PAIR),
    "no committee": lambda: Committee(members=(), **PAIR),
    "gan": lambda: GanSampler(generator=build_generator(GAN, SHAPE), seconds=0.1, note="ž"),
    "blends": lambda: BlendSampler(pairs=SEARCH["pairs"], tolerance=1e-3),
    "search": lambda: SearchSampler(
        generator=build_generator(GAN, SHAPE),
        truncation=None,
        judge=model(),
        real_features=torch.rand(3, 4).T,
        columns=(1, 0),
        **SEARCH,
    ),
    "onnx": lambda: imported("onnx"),
}  # fmt: skip


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, list | tuple):  # A shape of PyTorch comes back as a tuple.
        assert isinstance(other, list if isinstance(one, list) else tuple)
        assert len(one) == len(other)
        for items in zip(one, other, strict=True):
            assert_same(*items)
        return
    assert type(one) is type(other)
    if isinstance(one, Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
        assert one.requires_grad == other.requires_grad
    elif isinstance(one, nn.Module):
        assert_same(getattr(one, "made_of", None), getattr(other, "made_of", None))
        assert_same(getattr(one, "settings", None), getattr(other, "settings", None))
        states = [dict(each.state_dict(keep_vars=True)) for each in (one, other)]
        assert_same(*states)
        assert [v.stride() for v in states[0].values()] == [v.stride() for v in states[1].values()]
        flags = [[module.training for module in each.modules()] for each in (one, other)]
        assert flags[0] == flags[1]
    elif is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    else:
        assert one == other


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_comes_back_and_draws_no_random_number(name: str, tmp_path: Path) -> None:
    made = OBJECTS[name]()
    dataset = ModelDataset(filepath=str(tmp_path / "x.safetensors"))
    dataset.save(made)
    state = torch.get_rng_state()
    again = dataset.load()
    dataset.check("")
    assert torch.equal(torch.get_rng_state(), state)
    assert_same(made, again)


class Tied(nn.Module):
    """Two layers that share their weights, and another that sees them transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
        self.other.weight = self.one.weight
        self.register_buffer("turned", torch.zeros(2, 3).T)


@storable()
def build_tied() -> Tied:
    return Tied()


def test_shared_weights_stay_shared(tmp_path: Path) -> None:
    dataset = ModelDataset(filepath=str(tmp_path / "x.safetensors"))
    made = build_tied()
    dataset.save(made)
    again = dataset.load()
    assert again.one.weight is again.other.weight
    assert_same(made, again)


def test_weights_of_a_network_have_its_names(tmp_path: Path) -> None:
    path, network = tmp_path / "x.safetensors", model()
    ModelDataset(filepath=str(path)).save(network)
    assert_same(load_file(path), dict(sorted(network.state_dict().items())))


def test_what_is_not_declared_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    sampler = GanSampler(generator=nn.Linear(2, 2))
    with pytest.raises(DatasetError, match=r"Linear at generator cannot be stored as a model"):
        ModelDataset(filepath=str(path)).save(sampler)
    assert not path.exists()


def test_a_file_of_an_earlier_version_names_a_module_that_has_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, dataset = model(), ModelDataset(filepath=str(tmp_path / "classifier.safetensors"))
    former = "borderline.pipelines.classifier.networks.build_model"
    with monkeypatch.context() as patched:
        patched.setattr("borderline.datasets.model_format.name_of", lambda _: former)
        dataset.save(network)
    assert former.encode() in (tmp_path / "classifier.safetensors").read_bytes()
    loaded = dataset.load()
    assert loaded.settings == network.settings
    assert torch.equal(loaded.head.weight, network.head.weight)


def test_a_file_of_an_earlier_version_names_settings_that_have_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = {"metric": "fd_lenet", "patience": 2}
    stopping = {"metric": "acd", "patience": 2, "once_settled": settled}
    params = gan_params(batch_size=4, early_stopping=stopping)
    generator = build_generator(params, (1, 28, 28))
    file = tmp_path / "generator.safetensors"
    former = "borderline.pipelines.gasten.params"
    with monkeypatch.context() as patched:
        patched.setattr(
            "borderline.datasets.model_format.name_of",
            lambda made: name_of(made).replace("gasten.gan_params", "gasten.params"),
        )
        ModelDataset(filepath=str(file)).save(generator)
    content = file.read_bytes()
    for name in ("GanParams", "NetworkParams", "EarlyStoppingParams", "SettledParams"):
        assert f"{former}.{name}".encode() in content
    loaded = ModelDataset(filepath=str(file)).load()
    assert loaded.made_of[1]["params"] == params
