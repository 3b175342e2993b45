from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.params import RunParams
from borderline.pipelines.gasten.imported_generator import ImportedGenerator, check_generator
from borderline.pipelines.gasten.kinds.imported import Settings, import_generator, keep_sampler
from conftest import generator_settings
from elsewhere import Tiny, saved

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


def test_onnx_is_refused_for_it_has_no_gradients() -> None:
    with pytest.raises(ValueError, match="has no gradients"):
        generator_settings("imported", source={"kind": "onnx", "path": "g.onnx"}, latent_dim=4)
