from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from borderline.pipelines.prototypes.explaining.walks import blends, shortest_walks

CPU = torch.device("cpu")


class Decoder(nn.Module):
    """Each pixel is a latent."""

    def forward(self, latents: Tensor) -> Tensor:
        return latents[:, None, None, :]


class Plane(nn.Module):
    weights = torch.tensor([2.0, -1.0, 0.5, 0.0])

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, 0] @ self.weights


class Curved(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        x, y = images[:, 0, 0, 0], images[:, 0, 0, 1]
        return 2 * torch.sin(1.5 * x) + y**2 + 0.5 * y * x


@pytest.mark.parametrize("confident", [0.1, 0.9])
def test_walk_to_a_plane_is_the_perpendicular(confident: float) -> None:
    random = torch.Generator().manual_seed(0)
    latents = 0.2 * torch.randn(5, 4, generator=random)
    walks = shortest_walks(Decoder(), Plane(), latents, confident, 0.5, 4, CPU)
    goal = math.log(confident / (1 - confident))
    exact = (latents @ Plane.weights - goal).abs() / Plane.weights.norm()
    assert torch.allclose(walks.lengths, exact, rtol=0.02)
    assert torch.allclose(walks.images[:, 0, 0, 0], latents)
    end = walks.images[:, -1, 0, 0] - latents
    assert torch.cosine_similarity(end, Plane.weights.expand(5, -1)).abs().min() > 0.99
    assert (walks.p[:, -1] - confident).abs().max() < 0.02
    assert (walks.p.diff(dim=1) * (1 if confident > 0.5 else -1) > 0).all()


def test_decoder_of_many_passes_is_asked_less_often_for_a_walk_that_is_nearly_as_short() -> None:
    class Counted(Decoder):
        calls = 0

        def forward(self, latents: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(latents)

    latents = 0.2 * torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    fast, slow = Counted(), Counted()
    slow.passes_per_image = 8
    walks = [shortest_walks(each, Plane(), latents, 0.9, 0.5, 4, CPU) for each in (fast, slow)]
    assert slow.calls < fast.calls / 2
    assert torch.allclose(walks[0].lengths, walks[1].lengths, rtol=0.05)


@pytest.mark.parametrize("confident", [0.2, 0.8])
def test_walk_on_a_curved_surface_is_nearly_the_shortest_of_a_fine_grid(confident: float) -> None:
    latents = torch.tensor([[0.0, 0.0], [0.1, -0.2], [-0.1, 0.1]])
    walks = shortest_walks(Decoder(), Curved(), latents, confident, 0.5, 3, CPU)
    axis = torch.linspace(-3, 3, 1201)
    grid = torch.cartesian_prod(axis, axis)
    p = torch.sigmoid(Curved()(Decoder()(grid)))
    there = grid[p >= confident] if confident > 0.5 else grid[p <= confident]
    for number, latent in enumerate(latents):
        best = (there - latent).norm(dim=1).min()
        assert best - 0.02 <= walks.lengths[number] <= 1.1 * best + 0.02


def test_walk_that_leads_nowhere_is_said() -> None:
    class Unsure(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 0.1 * torch.tanh(images.sum((1, 2, 3)))

    latents = torch.randn(2, 3)
    walks = shortest_walks(Decoder(), Unsure(), latents, 0.9, 0.5, 3, CPU)
    assert walks.lengths.isnan().all()
    assert torch.allclose(walks.images[:, -1, 0, 0], latents)


def test_walk_leaves_networks_as_they_were() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Flatten(0))
    shortest_walks(Decoder(), model, torch.randn(2, 4), 0.6, 0.5, 2, CPU)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_blend_stops_at_the_first_confident_image() -> None:
    class Brightness(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 5 * images.mean((1, 2, 3))

    dark, bright = torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3)
    walks = blends(Brightness(), dark, bright, 0.9, 0.5, 4, CPU)
    share = math.log(9) / 5
    assert torch.allclose(walks.images[:, -1].mean((1, 2, 3)), torch.tensor(share), atol=0.02)
    assert torch.allclose(walks.lengths, torch.tensor(3 * share), atol=0.05)
    assert blends(Brightness(), dark, dark, 0.9, 0.5, 4, CPU).lengths.isnan().all()
