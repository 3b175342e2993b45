"""The nearest boundary point of a linear model behind a linear generator is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from borderline.boundary import logit, uncentred
from borderline.counterfactuals.search import change_latents, change_pixels

CPU = torch.device("cpu")


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))

    def forward(self, latents: Tensor) -> Tensor:
        return (latents.flatten(1) @ self.weights.T).reshape(-1, 1, 4, 4)


class Plane(nn.Module):
    def __init__(self, scale: float = 0.3) -> None:
        super().__init__()
        self.weights = scale * torch.randn(16, generator=torch.Generator().manual_seed(1))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weights


@pytest.mark.parametrize("threshold", [0.5, 0.2])
@pytest.mark.parametrize("shape", [(3,), (3, 1, 1)])
def test_changes_are_perpendicular_to_the_boundary(
    threshold: float, shape: tuple[int, ...]
) -> None:
    decoder, model = Decoder(), Plane()
    latents = torch.randn(6, 3, generator=torch.Generator().manual_seed(2))
    # The model's logit as a function of the latents.
    normal = model.weights @ decoder.weights
    logits = latents @ normal
    found = change_latents(decoder, model, latents.reshape(-1, *shape), 0.6, threshold, 100, CPU)
    assert found.reached.all()
    assert torch.allclose(found.start, decoder(latents))
    for images, goal in ((found.boundary, 0.5), (found.flipped, 0.6)):
        up = logits <= logit(threshold)
        aims = [logit(uncentred(goal if u else 1 - goal, threshold)) for u in up]
        aims = torch.tensor(aims)
        exact = latents + ((aims - logits) / normal.square().sum())[:, None] * normal
        assert torch.allclose(model(images), aims, atol=0.01)
        assert torch.allclose(images, decoder(exact), atol=0.15)
    exact_lengths = (aims - logits).abs() / normal.norm()
    assert torch.allclose(found.lengths, exact_lengths, rtol=0.02, atol=0.01)


def test_a_decision_that_nothing_changes_is_said() -> None:
    class Certain(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 2 + torch.tanh(images.flatten(1).sum(1))

    latents = torch.randn(2, 3)
    assert not change_latents(Decoder(), Certain(), latents, 0.6, 0.5, 20, CPU).reached.any()


def test_a_jump_of_the_logit_ends_on_the_other_side() -> None:
    class Step(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.where(images.flatten(1).mean(1) > 0.3, 4.0, -4.0)

    dark, bright = torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3)
    found = change_pixels(Step(), dark, bright, 0.6, 0.5, CPU)
    assert found.reached.all()
    assert (Step()(found.flipped) > 0).all()


def test_blends_stop_where_the_decision_changes() -> None:
    class Brightness(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 5 * images.flatten(1).mean(1) - 1

    dark, bright = torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3)
    found = change_pixels(Brightness(), dark, bright, 0.6, 0.5, CPU)
    share = (1 + math.log(0.6 / 0.4)) / 5
    assert torch.allclose(found.boundary, torch.full_like(dark, 0.2), atol=0.01)
    assert torch.allclose(found.flipped, torch.full_like(dark, share), atol=0.01)
    assert torch.allclose(found.lengths, torch.tensor(3 * share), atol=0.01)
    assert not change_pixels(Brightness(), dark, dark, 0.6, 0.5, CPU).reached.any()


def test_blends_of_large_images_come_in_small_batches() -> None:
    class Brightness(nn.Module):
        largest = 0

        def forward(self, images: Tensor) -> Tensor:
            self.largest = max(self.largest, len(images))
            return 5 * images.flatten(1).mean(1) - 1

    dark, bright, model = torch.zeros(9, 1, 600, 600), torch.ones(9, 1, 600, 600), Brightness()
    assert change_pixels(model, dark, bright, 0.6, 0.5, CPU).reached.all()
    assert model.largest == 512 * 64**2 // 600**2
