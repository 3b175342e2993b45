from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from borderline.pipelines.prototypes.explaining.faithfulness import (
    curves,
    faithfulness,
    random_curves,
    shares,
)

CPU = torch.device("cpu")


class Weighed(nn.Module):
    def __init__(self, side: int = 6) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.weights = nn.Parameter(torch.randn(side * side, generator=random))

    def forward(self, images: Tensor) -> Tensor:
        return (images.mean(1).flatten(1) + 1) @ self.weights / 3


def images(channels: int = 1) -> Tensor:
    return torch.rand(4, channels, 6, 6, generator=torch.Generator().manual_seed(1))


def truth(model: Weighed, shown: Tensor) -> Tensor:
    return ((shown.mean(1).flatten(1) + 1) * model.weights).reshape(-1, 6, 6).detach()


@pytest.mark.parametrize("channels", [1, 3])
def test_curves_are_deletion_and_insertion_written_out(channels: int) -> None:
    model, shown = Weighed(), images(channels)
    values = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(2))
    measured = curves(model, shown, values, 4, CPU)
    for number in range(4):
        order = values[number].flatten().argsort(descending=True)
        for step, share in enumerate(shares(4)):
            first = order[: round(share * 36)]
            deleted = shown[number].clone().flatten(1)
            inserted = torch.full_like(deleted, -1.0)
            inserted[:, first] = deleted[:, first]
            deleted[:, first] = -1.0
            for of_kind, changed in ((measured.deleted, deleted), (measured.inserted, inserted)):
                p = torch.sigmoid(model(changed.reshape(1, channels, 6, 6)))
                assert of_kind[number, step] == pytest.approx(p.item(), abs=1e-6)


def test_true_attribution_beats_random_orders_and_its_opposite_does_not() -> None:
    model, shown = Weighed(), images()
    chance = random_curves(model, shown, 49, 12, CPU, seed=0)
    true = faithfulness(curves(model, shown, truth(model, shown), 12, CPU), chance)
    assert true["deletion"] > 0.05
    assert true["insertion"] > 0.05
    assert true["deletion_p"] == true["insertion_p"] == 1 / 50
    false = faithfulness(curves(model, shown, -truth(model, shown), 12, CPU), chance)
    assert false["deletion"] < 0
    assert false["insertion"] < 0
    assert false["deletion_p"] == false["insertion_p"] == 1


def test_random_order_is_like_random_orders() -> None:
    model, shown = Weighed(), images()
    chance = random_curves(model, shown, 99, 12, CPU, seed=0)
    p_values = [
        faithfulness(order, chance)["deletion_p"]
        for order in random_curves(model, shown, 30, 12, CPU, 1)
    ]
    assert 0.3 < np.mean(p_values) < 0.7


def test_random_curves_repeat() -> None:
    one, two = (random_curves(Weighed(), images(), 2, 3, CPU, seed=5) for _ in range(2))
    assert all(np.array_equal(a.deleted, b.deleted) for a, b in zip(one, two, strict=True))


def test_a_network_that_needs_much_memory_gets_no_more_images_than_it_takes() -> None:
    class Large(Weighed):
        batch_size = 3

        def forward(self, images: Tensor) -> Tensor:
            assert len(images) <= self.batch_size
            return super().forward(images)

    random_curves(Large(), images(), 1, 3, CPU, seed=5)


def test_model_without_an_output_for_a_blank_image_is_not_tested() -> None:
    class Standardised(Weighed):
        def forward(self, images: Tensor) -> Tensor:
            spread = images.std((1, 2, 3))
            return super().forward(images) * (spread / spread)

    model, shown = Standardised(), images()
    chance = random_curves(model, shown, 19, 6, CPU, seed=0)
    scores = faithfulness(curves(model, shown, truth(model, shown), 6, CPU), chance)
    assert np.isnan([*scores.values()]).all()
