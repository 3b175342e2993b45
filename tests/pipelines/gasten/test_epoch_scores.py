from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from borderline.pipelines.gasten.epoch_scores import measurement
from conftest import BOUNDARY


class Rows(nn.Module):
    """A generator whose images are the rows that it is given; as a judge it embeds their pixels."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows[:, None, None, :]

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)


class OfPair(nn.Module):
    """A model whose logit is the first pixel."""

    most_other_mass: float | None = None

    def other_mass(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images))

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, 0]


class OfThree(OfPair):
    """Another, for which the second pixel is the probability of a third class."""

    most_other_mass = 0.5

    def other_mass(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, 1]


def test_epoch_scores_leave_out_images_of_other_classes() -> None:
    logits = torch.tensor([0.0, 4.0, 0.0, 0.0])
    noise = torch.stack([logits, torch.tensor([0.1, 0.5, 0.6, 0.8])], dim=1)
    features = torch.rand(10, 2)
    cpu = torch.device("cpu")

    def scores(model: nn.Module, rows: Tensor) -> dict[str, float]:
        return measurement(rows, Rows(), features, cpu, model, BOUNDARY)(Rows())

    of_pair, of_three = (scores(model, noise) for model in (OfPair(), OfThree()))
    assert (of_pair["yield"], of_three["yield"]) == (0.75, 0.5)
    assert of_three["acd"] == pytest.approx(float(torch.sigmoid(torch.tensor(4.0)) - 0.5) / 2)
    assert of_three["other_mass"] == pytest.approx(0.5)
    assert "other_mass" not in of_pair
    assert of_three["fd_lenet"] == of_pair["fd_lenet"]
    elsewhere = scores(OfThree(), noise[2:])
    assert math.isnan(elsewhere["yield"])
    assert math.isnan(elsewhere["acd"])
    assert elsewhere["images"] == 2
