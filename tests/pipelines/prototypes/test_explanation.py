from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.prototypes.explanation import gradient_shap


class Corner(nn.Module):
    """Sure of the positive class when the top left corner is bright, and blind to the rest."""

    def forward(self, images: Tensor) -> Tensor:
        return 0.5 * images[:, :, :2, :2].sum((1, 2, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_only_pixels_that_the_model_sees_push(run: RunParams, channels: int) -> None:
    images = torch.rand(3, channels, 6, 6)
    attributions = gradient_shap(Corner(), images, 50, run)
    assert attributions.shape == (3, 6, 6)
    assert (attributions[:, :2, :2] > 0).all()
    assert attributions[:, 2:].abs().max() == 0
    assert attributions[:, :, 2:].abs().max() == 0


def test_pushes_add_up_to_the_change_of_p_from_black(run: RunParams) -> None:
    images = torch.rand(2, 1, 6, 6)
    total = gradient_shap(Corner(), images, 2000, run).sum((1, 2))
    change = torch.sigmoid(Corner()(images)) - torch.sigmoid(Corner()(-torch.ones(1, 1, 6, 6)))
    assert torch.allclose(total, change, atol=0.03)


def test_it_repeats_and_more_samples_agree_more(run: RunParams) -> None:
    images = torch.rand(1, 1, 6, 6)
    other = RunParams(seed=1, device="cpu")
    assert torch.equal(*(gradient_shap(Corner(), images, 20, run) for _ in range(2)))

    def gap(samples: int) -> float:
        one, two = (gradient_shap(Corner(), images, samples, r) for r in (run, other))
        return (one - two).abs().max().item()

    assert gap(1000) < gap(5)


def test_no_images_have_no_pushes(run: RunParams) -> None:
    assert gradient_shap(Corner(), torch.zeros(0, 1, 6, 6), 5, run).shape == (0, 6, 6)
