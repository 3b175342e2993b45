"""Encoding: latents of images whose generator is known."""

from __future__ import annotations

import itertools
import logging
import time

import pytest
import torch
from torch import Tensor, nn

from borderline.encoding import Errors, encode, limit_of
from borderline.measures.inference import in_batches
from borderline.params import RunParams

CPU = torch.device("cpu")


class Linear(nn.Module):
    """Images are W z: each latent draws a pattern of its own."""

    def __init__(self, shape: tuple[int, ...], latent_dim: int = 4) -> None:
        super().__init__()
        self.latent_dim, self.shape = latent_dim, shape
        random = torch.Generator().manual_seed(5)
        pixels = int(torch.tensor(shape).prod())
        weights, _ = torch.linalg.qr(torch.randn(pixels, latent_dim, generator=random))
        self.weights = nn.Parameter(2 * weights)

    def forward(self, latents: Tensor) -> Tensor:
        return (latents @ self.weights.T).reshape(-1, *self.shape)


class Judge(nn.Module):
    """Features are a few linear maps of the pixels."""

    differentiable = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        pixels = int(torch.tensor(shape).prod())
        random = torch.Generator().manual_seed(6)
        self.weights = nn.Parameter(torch.randn(pixels, 6, generator=random) / pixels**0.5)

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weights


class Blind(Judge):
    differentiable = False

    def embed(self, images: Tensor) -> Tensor:
        return super().embed(images).detach()


class Inverted(Linear):
    """A generator that knows its own way back."""

    def encode(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weights / 4


@pytest.mark.parametrize(("shape", "judge"), [((1, 12, 12), Blind), ((3, 9, 20), Judge)])
def test_latents_of_the_generators_own_images_are_found_again(
    run: RunParams, shape: tuple[int, ...], judge: type[Judge]
) -> None:
    decoder, random = Linear(shape), torch.Generator().manual_seed(1)
    latents, others = torch.randn(2, 12, 4, generator=random)
    images = decoder(latents).detach()
    found = encode(decoder, images, judge(shape), run)
    assert found.shape == latents.shape
    error, of_random = (found - latents).norm(dim=1), (others - latents).norm(dim=1)
    assert error.median() < 0.15 * of_random.median()


def test_a_generator_that_can_go_back_teaches_no_encoder(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("borderline.encoding._trained_encoder", None)
    decoder = Inverted((1, 8, 8))
    latents = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    latents = 2 * latents / latents.norm(dim=1, keepdim=True)  # the usual norm of four numbers
    found = encode(decoder, decoder(latents).detach(), Judge((1, 8, 8)), run)
    assert torch.allclose(found, latents, atol=1e-4)


def test_the_same_seed_gives_the_same_latents(run: RunParams) -> None:
    decoder, judge = Linear((1, 8, 8)), Judge((1, 8, 8))
    images = decoder(torch.randn(3, 4)).detach()
    first, again = (encode(decoder, images, judge, run) for _ in range(2))
    assert torch.equal(first, again)
    other = encode(decoder, images, judge, run.model_copy(update={"seed": 1}))
    assert not torch.equal(first, other)


def test_encoding_leaves_networks_and_global_seeds_as_they_were(run: RunParams) -> None:
    decoder, judge = Linear((1, 8, 8)), Judge((1, 8, 8))
    images, before = decoder(torch.randn(2, 4)).detach(), decoder.weights.detach().clone()
    state = torch.get_rng_state()
    encode(decoder, images, judge, run)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(decoder.weights, before)
    assert decoder.weights.grad is None
    assert judge.weights.grad is None


def test_an_image_that_the_generator_cannot_make_is_worse_than_its_own(run: RunParams) -> None:
    shape = (1, 12, 12)
    decoder, judge = Linear(shape), Judge(shape)
    random = torch.Generator().manual_seed(2)
    own = decoder(torch.randn(20, 4, generator=random)).detach()
    # As strong as its own, and at right angles to all of them.
    strange = torch.randn(1, 144, generator=random)
    strange -= (strange @ decoder.weights / 4 @ decoder.weights.T).detach()
    strange = (strange / strange.norm() * own.flatten(1).norm(dim=1).mean()).reshape(1, *shape)
    images = torch.cat([own, strange])
    made = in_batches(decoder, encode(decoder, images, judge, run), device=CPU)
    errors = Errors.of(images, made, judge, CPU)
    usual, last = (Errors(*(x[part] for x in errors)) for part in (slice(20), slice(20, None)))
    assert last.beside(usual) > 2 * limit_of(usual, 0.95)
    assert (usual.beside(usual) <= limit_of(usual, 1.0)).all()


def test_long_encoding_says_how_long(
    run: RunParams, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "borderline")
    clock = itertools.chain([5.0, 69.0], itertools.repeat(69.0))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    decoder, judge = Inverted((1, 8, 8)), Judge((1, 8, 8))
    encode(decoder, torch.zeros(129, 1, 8, 8), judge, run)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["The encoding of 129 images takes about 0:01:04."]


def test_no_images_have_no_latents(run: RunParams) -> None:
    decoder, judge = Linear((1, 8, 8)), Judge((1, 8, 8))
    images = torch.zeros(0, 1, 8, 8)
    assert encode(decoder, images, judge, run).shape == (0, 4)
    assert Errors.of(images, images, judge, CPU).pixels.shape == (0,)


def test_decoder_of_many_steps_has_few_images_at_once_and_each_is_encoded_alike() -> None:
    largest = 0

    class Stepwise(Inverted):
        passes_per_image = 32

        def forward(self, latents: Tensor) -> Tensor:
            nonlocal largest
            if torch.is_grad_enabled():
                largest = max(largest, len(latents))
            return super().forward(latents)

    shape = (1, 6, 6)
    images = torch.randn(9, *shape, generator=torch.Generator().manual_seed(0))
    run = RunParams(seed=1, device="cpu")
    stepwise = encode(Stepwise(shape), images, Blind(shape), run)
    assert 0 < largest <= 4
    torch.testing.assert_close(stepwise, encode(Inverted(shape), images, Blind(shape), run))
