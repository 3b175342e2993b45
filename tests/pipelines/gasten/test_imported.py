from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.params import Source
from borderline.measures.inference import batch_size_of
from borderline.params import RunParams
from borderline.pipelines.gasten.imported_generator import (
    ImportedGenerator,
    check_generator,
    check_shades,
)
from borderline.pipelines.gasten.kinds.imported import Settings, import_generator, keep_sampler
from conftest import generator_settings
from elsewhere import Grid, Tiny, saved

SHAPE = (1, 28, 28)
SOURCES: dict[str, dict[str, Any]] = {
    "torch_export": {"path": "g.pt2", "trust": True},
    "torchscript": {"path": "g.ts", "trust": True},
    "state_dict": {"path": "g.pt", "import_path": "elsewhere.Tiny"},
    "pickle": {"path": "g.pt", "trust": True},
}


def settings_of(kind: str, **changed: Any) -> Settings:
    source = {"kind": kind, **SOURCES[kind]}
    made: Settings = generator_settings("imported", source=source, **{"latent_dim": 4, **changed})
    return made


def latents(count: int = 50) -> Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(3))


class Brightness(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_makes_the_images_of_the_generator(kind: str) -> None:
    tiny = Tiny().eval()
    generator = ImportedGenerator(settings_of(kind), saved(kind, tiny, latents(2)))
    torch.testing.assert_close(generator(latents()), tiny(latents()))
    for again in (pickle.loads(pickle.dumps(generator)), copy.deepcopy(generator)):
        assert torch.equal(again(latents()), generator(latents()))
    # Walks in its space follow gradients.
    z = latents().requires_grad_(True)
    (gradient,) = torch.autograd.grad(generator(z).sum(), z)
    assert gradient.abs().sum() > 0


class Echo(nn.Module):
    """Shows its latent vector as an image, and how it was shaped."""

    def forward(self, latents: Tensor) -> Tensor:
        assert latents.dim() == 4
        return latents.reshape(-1, 1, 2, 2)


def test_latents_become_uniform_and_a_map() -> None:
    settings = settings_of("pickle", latents="uniform", latent_shape="map")
    echo = ImportedGenerator(settings, saved("pickle", Echo(), latents(2)))
    found = echo(latents(2000)).flatten()
    assert stats.kstest(found.numpy(), "uniform", args=(-1, 2)).pvalue > 0.01
    # Larger stays larger, so walks stay walks.
    assert torch.equal(found.argsort(), latents(2000).flatten().argsort())


@pytest.mark.parametrize("bounds", [(0, 1), (0, 255), (-1, 1)])
def test_range_of_its_pixels(bounds: tuple[int, int]) -> None:
    low, high = bounds
    settings = settings_of("state_dict", range=bounds)
    content = saved("state_dict", Tiny(), latents(2))
    generator = ImportedGenerator(settings, content)
    plain = Tiny()(latents())
    torch.testing.assert_close(generator(latents()), (plain - low) / (high - low) * 2 - 1)


def test_sampler_draws_wherever_images_fall(run: RunParams) -> None:
    content = saved("torchscript", Tiny().eval(), latents(2))
    real = {"images": torch.zeros(4, *SHAPE), "labels": torch.arange(4) % 2}
    generator = import_generator(content, real, generator=settings_of("torchscript"))
    (part,) = keep_sampler(generator=generator).sample(Brightness(), real, 20, run, 0.5)
    torch.testing.assert_close(part["images"], Tiny()(part["latents"]))
    assert part["latents"].shape == (20, 4)


@pytest.mark.parametrize(
    ("pixels", "scale", "words"),
    [
        (
            (0, 1),
            (-1, 1),
            r"range is \[-1, 1\], .* from 0.* to .*, none of them darker than the middle",
        ),
        ((0, 1), (0, 255), r"range is \[0, 255\], .* none of them brighter than the middle"),
        ((0, 1), (0, 1), None),
        ((-1, 1), (-1, 1), None),
    ],
)
def test_range_of_which_one_half_is_not_used(
    pixels: tuple[float, float], scale: tuple[float, float], words: str | None
) -> None:
    network = nn.Sequential(nn.Linear(4, 784), nn.Sigmoid(), nn.Unflatten(1, SHAPE))
    network[0].weight.data = torch.randn(784, 4, generator=torch.Generator().manual_seed(0))
    if pixels[0] < 0:
        network[1] = nn.Tanh()
    settings = settings_of("pickle", range=scale)
    generator = ImportedGenerator(settings, saved("pickle", network, latents(2)))
    real = torch.rand(20, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    check_generator(generator, SHAPE)
    if words is None:
        check_shades(generator, real)
    else:
        with pytest.raises(BorderlineError, match=words):
            check_shades(generator, real)
    # Real images without such pixels tell nothing.
    check_shades(generator, torch.zeros(20, *SHAPE))


@pytest.mark.parametrize(
    ("changed", "shape", "words"),
    [
        ({"latent_dim": 3}, SHAPE, "latent_dim is 3"),
        ({}, (3, 28, 28), r"images of shape \[1, 28, 28\], but the real ones are of"),
        ({"range": (-0.1, 0.1)}, SHAPE, r"range is \[-0.1, 0.1\], but the generator makes"),
    ],
)
def test_what_does_not_fit(changed: dict[str, Any], shape: tuple[int, ...], words: str) -> None:
    content = saved("state_dict", Tiny(), latents(2))
    with pytest.raises(BorderlineError, match=words):
        check_generator(ImportedGenerator(settings_of("state_dict", **changed), content), shape)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"latent_dim": None}, "latent_dim is None: set it to the length"),
        ({"latent_shape": [2, 3]}, r"latent_dim is 4, but latent_shape \[2, 3\] has 6 numbers"),
        ({"latent_shape": []}, "latent_shape"),
        ({"latent_shape": [2, 0]}, "latent_shape"),
        ({"latent_shape": "cube"}, "latent_shape"),
        ({"labels": {"negative": 1, "positive": 1}}, "negative and positive are both 1"),
        ({"labels": {"negative": -1, "positive": 1}}, r"labels\.negative"),
        ({"labels": {"negative": "shirt", "positive": 1}}, r"labels\.negative"),
        ({"labels": {"positive": 1}}, r"labels\.negative"),
    ],
)
def test_settings_that_contradict_each_other(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings_of("pickle", **changed)


def grid_of(form: str = "tensor", **changed: Any) -> ImportedGenerator:
    source = {
        "kind": "callable",
        "import_path": "elsewhere.Grid",
        "arguments": {"form": form},
    }
    labels = {"negative": 3, "positive": 1}
    values = {"latent_shape": [2, 3], "labels": labels, "source": source} | changed
    settings = generator_settings("imported", **values)
    return ImportedGenerator(settings, b"", (3, 8, 6))


@pytest.mark.parametrize("form", ["tensor", "tuple", "list", "sample", "images", "dict"])
def test_latents_of_any_shape_and_outputs_of_any_form(form: str) -> None:
    generator = grid_of(form)
    assert generator.latent_dim == 7
    check_generator(generator, (1, 4, 3))
    z = torch.randn(20, 7)
    expected = Grid()(z[:, :6].reshape(-1, 2, 3), torch.where(z[:, 6] > 0, 1, 3))
    torch.testing.assert_close(generator(z), expected)


def test_uniform_latents_leave_the_class_alone() -> None:
    normal, uniform = grid_of(), grid_of(latents="uniform")
    z = torch.randn(20, 7)
    mapped = torch.cat([torch.erf(z[:, :6] / 2**0.5), z[:, 6:]], 1)
    torch.testing.assert_close(uniform(z), normal(mapped))


def test_exported_graph_of_a_fixed_batch_takes_labels(tmp_path: Path) -> None:
    example = torch.zeros(3, 2, 3), torch.zeros(3, dtype=torch.int64)
    torch.export.save(torch.export.export(Grid(), example), tmp_path / "g.pt2")
    source = {"kind": "torch_export", "path": "g.pt2", "trust": True, "import_path": None}
    generator = ImportedGenerator(
        generator_settings(
            "imported",
            source=source,
            latent_shape=[2, 3],
            labels={"negative": 3, "positive": 1},
        ),
        (tmp_path / "g.pt2").read_bytes(),
    )
    z = torch.randn(7, 7)
    torch.testing.assert_close(generator(z), grid_of()(z))


def test_labels_go_by_keyword_where_they_have_one() -> None:
    class Named(nn.Module):
        def forward(self, latents: Tensor, *, kind: Tensor) -> Tensor:
            return kind[:, None, None, None].expand(-1, 1, 8, 6) / 10 + 0 * latents.sum()

    labels = {"negative": 3, "positive": 1, "argument": "kind"}
    generator = grid_of(labels=labels)
    generator.network = ModuleNetwork(Named())
    torch.testing.assert_close(
        generator(torch.tensor([[0.0] * 6 + [1], [0.0] * 6 + [-1]])).mean((1, 2, 3)),
        torch.tensor([0.1, 0.3]),
    )


def test_images_of_another_size_and_colour_are_fitted() -> None:
    with pytest.raises(BorderlineError, match="set fit to true"):
        check_generator(grid_of(), (3, 8, 6))
    generator = grid_of(fit=True)
    check_generator(generator, (3, 8, 6))
    images = generator(torch.randn(2, 7))
    assert torch.equal(images[:, 0], images[:, 2])


def test_a_network_of_larger_images_makes_fewer_at_once() -> None:
    class Large(nn.Module):
        def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
            return latents.new_zeros(len(labels), 1, 256, 256)

    generator = grid_of(fit=True)
    assert batch_size_of(generator) == 512
    generator = grid_of(fit=True)
    generator.network = ModuleNetwork(Large())
    assert batch_size_of(generator) == 32


def test_output_that_is_not_there_is_named() -> None:
    source = grid_of("dict").settings.source.plain() | {"output": "picture"}
    with pytest.raises(BorderlineError, match=r"source.output is 'picture', which finds no images"):
        check_generator(grid_of(source=source), (1, 4, 3))


def test_source_of_an_earlier_version_has_no_steps() -> None:
    values = settings_of("state_dict").plain()
    old = {name: value for name, value in values["source"].items() if name != "steps"}
    values["source"] = Source.model_validate(old)
    assert Settings.model_validate(values) == settings_of("state_dict")


def test_onnx_is_refused_for_it_has_no_gradients() -> None:
    with pytest.raises(ValueError, match="has no gradients"):
        generator_settings("imported", source={"kind": "onnx", "path": "g.onnx"}, latent_dim=4)
