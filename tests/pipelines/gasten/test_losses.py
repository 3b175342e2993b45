from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from borderline.pipelines.gasten.losses import (
    NonSaturating,
    WassersteinGradientPenalty,
    build_loss,
)

LOGITS = torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
RANDOM = torch.Generator().manual_seed(1)


def itself(logits: Tensor) -> Tensor:
    return logits


def test_non_saturating_losses_are_the_logarithms_of_the_paper() -> None:
    real, fake = torch.sigmoid(LOGITS[:20]), torch.sigmoid(LOGITS[20:])
    expected = -real.log().mean() - (1 - fake).log().mean()
    loss = NonSaturating()
    (value,) = loss.discriminator(itself, LOGITS[:20], LOGITS[20:], RANDOM)
    assert value.item() == pytest.approx(expected.item())
    assert loss.generator(LOGITS[20:]).item() == pytest.approx(-fake.log().mean().item())


def test_non_saturating_losses_stay_finite_where_the_logarithm_of_a_sigmoid_would_not() -> None:
    extreme = torch.tensor([1000.0, -1000.0])
    loss = NonSaturating()
    assert math.isfinite(loss.discriminator(itself, extreme, extreme, RANDOM)[0])
    assert loss.generator(torch.tensor([-1000.0])).item() == 1000


@pytest.mark.parametrize(("slope", "penalty"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_wasserstein_loss_of_a_plane_is_its_drop_and_its_slopes_distance_to_one(
    slope: float, penalty: float
) -> None:
    real, fake = (torch.randn(8, 1, 4, 4, generator=RANDOM) for _ in range(2))
    # A plane of the given slope: the sum over 16 pixels has slope 4.
    values = WassersteinGradientPenalty(10).discriminator(
        lambda images: slope / 4 * images.sum(dim=(1, 2, 3)), real, fake, RANDOM
    )
    drop = slope / 4 * (fake.sum() - real.sum()) / 8
    expected = [drop.item() + 10 * penalty, -drop.item(), penalty]
    assert [value.item() for value in values] == pytest.approx(expected, abs=1e-4)


def test_gradient_penalty_is_taken_between_real_and_generated_images() -> None:
    seen = []

    def discriminate(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return (images**2).sum(dim=(1, 2, 3))

    real, fake = torch.zeros(200, 1, 1, 1), torch.ones(200, 1, 1, 1)
    WassersteinGradientPenalty(1).discriminator(discriminate, real, fake, RANDOM)
    between = seen[0].flatten()
    assert 0 <= between.min() < 0.1
    assert 0.9 < between.max() <= 1
    assert len(between.unique()) > 190


def test_loss_by_name() -> None:
    assert isinstance(build_loss("ns", 10), NonSaturating)
    wasserstein = build_loss("wgan_gp", 7)
    assert isinstance(wasserstein, WassersteinGradientPenalty)
    assert wasserstein.weight == 7
    assert wasserstein.generator(torch.tensor([2.0, 4.0])) == -3
