from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from borderline.boundary import Pairs
from borderline.params import RunParams
from borderline.pipelines.gasten.pixel_blends import BlendSampler
from borderline.records import LabelledImages, Part


class LeftOrRight(nn.Module):
    """Positive where the left half is brighter, sure of itself, and curved in between."""

    def forward(self, images: Tensor) -> Tensor:
        difference = images[..., :6].mean(dim=(1, 2, 3)) - images[..., 6:].mean(dim=(1, 2, 3))
        return 20 * difference + 5 * difference**3


def find(images: LabelledImages, count: int, pairs: Pairs = "random") -> tuple[Part, str]:
    run = RunParams(seed=0, device="cpu")
    parts = BlendSampler(pairs=pairs, tolerance=0.01).sample(LeftOrRight(), images, count, run, 0.5)
    found: list[Part] = []
    while True:
        try:
            found.append(next(parts))
        except StopIteration as end:
            return {n: torch.cat([part[n] for part in found]) for n in found[0]}, end.value


@pytest.mark.parametrize("pairs", ["random", "nearest"])
def test_blends_lie_on_the_boundary_between_two_real_images(
    pair_images: LabelledImages, pairs: Pairs
) -> None:
    found, note = find(pair_images, 200, pairs)
    assert len(found["images"]) > 150
    assert (note == "") == (len(found["images"]) == 200)
    assert (found["probabilities"] - 0.5).abs().max() <= 0.0101
    real = pair_images["images"].flatten(1)
    negative, positive = (real[pair_images["labels"] == label] for label in (0, 1))
    for image in found["images"][:20].flatten(1):
        line = positive[:, None] - negative[None]
        share = ((image - negative[None]) * line).sum(-1) / (line**2).sum(-1)
        error = (negative[None] + share[..., None] * line - image).abs().amax(-1)
        assert error.min() < 1e-5


def test_fewer_pairs_than_wished_for_is_said(pair_images: LabelledImages) -> None:
    few = {name: tensor[:10] for name, tensor in pair_images.items()}
    found, note = find(few, 100)
    assert len(found["images"]) <= 25
    assert f"25 pairs of real images gave {len(found['images'])} different blends" in note
    assert "100 were requested" in note


def test_model_that_gets_a_class_wrong_is_said(pair_images: LabelledImages) -> None:
    swapped = {"images": pair_images["images"], "labels": 1 - pair_images["labels"]}
    found, note = find(swapped, 100)
    assert len(found["images"]) == 0
    assert "no real image of one class correctly" in note
