from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from borderline.committee import Committee, opinion_of

CPU = torch.device("cpu")


class Fixed(nn.Module):
    """A judge with the same opinion on every image."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__()
        self.logits = torch.tensor(probabilities).log()

    def forward(self, images: Tensor) -> Tensor:
        return self.logits.expand(len(images), -1)


def committee(*members: nn.Module) -> Committee:
    return Committee(members=members, classes=("a", "b", "c"), positive=0, negative=1)


def test_disagreement_is_the_part_of_the_entropy_that_is_between_members() -> None:
    sure = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    doubtful = torch.full((2, 1, 2), 0.5)
    for probabilities, disagreement in ((sure, math.log(2)), (doubtful, 0.0)):
        opinion = opinion_of(probabilities)
        torch.testing.assert_close(opinion.probabilities, torch.tensor([[0.5, 0.5]]))
        assert opinion.disagreement.item() == pytest.approx(disagreement)


def test_disagreement_is_within_its_bounds() -> None:
    members, images, classes = 4, 200, 5
    probabilities = torch.randn(members, images, classes).mul(4).softmax(-1)
    disagreement = opinion_of(probabilities).disagreement
    assert disagreement.min() >= 0
    assert disagreement.max() <= math.log(min(members, classes)) + 1e-6
    assert opinion_of(probabilities[:1]).disagreement.abs().max() == 0


def test_opinion_is_the_mean_over_the_members() -> None:
    images = torch.zeros(3, 1, 8, 8)
    members = Fixed(0.9, 0.05, 0.05), Fixed(0.1, 0.85, 0.05)
    opinion = committee(*members).opinion(images, CPU)
    torch.testing.assert_close(
        opinion.probabilities, torch.tensor([[0.5, 0.45, 0.05]]).expand(3, -1)
    )
    assert (opinion.disagreement > 0.2).all()


def test_no_images_have_no_opinion() -> None:
    opinion = committee(Fixed(0.5, 0.3, 0.2)).opinion(torch.zeros(0, 1, 8, 8), CPU)
    assert (opinion.probabilities.shape, opinion.disagreement.shape) == ((0, 3), (0,))
