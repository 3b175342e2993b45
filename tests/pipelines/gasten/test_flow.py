from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from borderline.datasets import ModelDataset
from borderline.measures.inference import BATCH_SIZE, batch_size_of, in_batches
from borderline.params import RunParams
from borderline.pipelines.gasten.flow import Decoder, build_decoder, padded
from borderline.searching import spherical
from conftest import generator_settings


def seeded() -> torch.Generator:
    """Random numbers that do not depend on the tests before."""
    return torch.Generator().manual_seed(0)


def decoder_of(shape: tuple[int, ...] = (1, 8, 8), **changed: Any) -> Decoder:
    """A decoder whose weights make its images depend on noise and class."""
    settings = generator_settings("diffusion", **{"channels": [8, 16], "layers": 1} | changed)
    with RunParams(seed=3, device="cpu").global_seed("weights"):
        return build_decoder(settings, shape).eval().requires_grad_(False)


def latents_of(decoder: Decoder, count: int = 6) -> Tensor:
    return torch.randn(count, decoder.latent_dim, generator=seeded())


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14), (1, 8, 31), (2, 12, 8)])
@pytest.mark.parametrize("channels", [[8], [8, 16], [8, 8, 16]])
def test_images_have_any_height_width_and_channels(
    shape: tuple[int, ...], channels: list[int]
) -> None:
    decoder = decoder_of(shape, channels=channels, steps=2)
    images = decoder(latents_of(decoder))
    assert images.shape == (6, *shape)
    assert images.abs().max() <= 1
    assert images.std(0).max() > 0.1
    assert decoder.encode(images).shape == (6, decoder.latent_dim)


def test_edges_go_on_where_the_network_needs_more_pixels() -> None:
    images = torch.rand(2, 1, 9, 8, generator=seeded())
    more = padded(images, 4)
    assert more.shape == (2, 1, 12, 8)
    assert torch.equal(more[:, :, :9], images)
    assert torch.equal(more[:, :, 11], images[:, :, 8])


def test_image_is_a_function_of_its_latent_with_gradients() -> None:
    decoder = decoder_of()
    latents = latents_of(decoder)
    images = decoder(latents)
    assert torch.equal(images, decoder(latents))
    assert torch.allclose(images[2:3], decoder(latents[2:3]), atol=1e-5)
    inputs = latents.requires_grad_(True)
    (gradients,) = torch.autograd.grad(decoder(inputs).square().sum(), inputs)
    assert torch.isfinite(gradients).all()
    # The class, too.
    assert (gradients[:, 0].abs() > 0).any()
    assert (gradients[:, -1].abs() > 0).any()


def test_more_steps_and_the_better_solver_agree() -> None:
    exact = decoder_of(steps=100)
    latents = latents_of(exact, 2)
    errors = {
        (solver, steps): float(
            (decoder_of(steps=steps, solver=solver)(latents) - exact(latents)).square().mean()
        )
        for solver, steps in (("euler", 2), ("euler", 8), ("euler", 32), ("heun", 8))
    }
    assert errors["euler", 2] > errors["euler", 8] > errors["euler", 32]
    assert errors["heun", 8] < errors["euler", 8]


def test_walk_between_the_classes_has_no_jump() -> None:
    decoder = decoder_of()
    first, last = (one.expand(400, -1).clone() for one in latents_of(decoder, 2).split(1))
    first[:, -1], last[:, -1] = -1.5, 1.5
    images = decoder(spherical(first, last, torch.linspace(0, 1, 400)))
    steps = (images[1:] - images[:-1]).flatten(1).norm(dim=1)
    assert steps.max() < 10 * steps.median()


@pytest.mark.parametrize("solver", ["euler", "heun"])
@pytest.mark.parametrize("labelled", [False, True])
def test_encoded_images_are_decoded_to_themselves(solver: str, labelled: bool) -> None:
    decoder = decoder_of((1, 9, 10), solver=solver)
    images = 1.8 * torch.rand(4, 1, 9, 10, generator=seeded()) - 0.9
    labels = torch.tensor([0, 1, 1, 0]) if labelled else None
    latents = decoder.encode(images, labels)
    assert (decoder(latents) - images).abs().max() < 0.001
    assert latents[:, -1].tolist() == ([-1, 1, 1, -1] if labelled else [0, 0, 0, 0])


def test_batches_follow_the_memory_of_an_image() -> None:
    small, large = (decoder_of((1, side, side), steps=1) for side in (8, 256))
    assert batch_size_of(small) == BATCH_SIZE > batch_size_of(large) >= 1
    sizes: list[int] = []
    large.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    in_batches(large, latents_of(large, 5), device=torch.device("cpu"))
    assert sizes == [2, 2, 1]


def test_batches_off_the_cpu_are_larger() -> None:
    decoder = decoder_of((1, 64, 64), steps=1)
    on_cpu = decoder.batch_size
    assert decoder.to("meta").batch_size == 4 * on_cpu


def test_stored_decoder_makes_the_same_images(tmp_path: Path) -> None:
    decoder = decoder_of((3, 9, 14), solver="heun", steps=3)
    dataset = ModelDataset(filepath=str(tmp_path / "generator.safetensors"))
    dataset.save(decoder)
    latents = latents_of(decoder)
    assert torch.equal(dataset.load()(latents), decoder(latents))
