"""Two sides of a comparison: models whose logit is one pixel."""

from __future__ import annotations

from typing import Any

import torch

from borderline.params import Pairing
from borderline.pipelines.compare.params import CompareParams
from conftest import findings_of

PAIRING = Pairing(this="a", other="b", elsewhere=False)
COMPARE = CompareParams(this=None, other=None, unsure=0.1, members=2, disagreements=0, shown=24)


class Pixel(torch.nn.Module):
    """A model under test whose logit is one pixel of the image."""

    def __init__(self, pixel: int) -> None:
        super().__init__()
        self.pixel = pixel

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, : self.pixel + 1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, self.pixel]


def side(pixel: int, **findings: Any) -> dict[str, Any]:
    """The datasets of a side with two patterns of 30 images, on the boundary of its model only."""
    images = torch.full((60, 1, 2, 2), 5.0)
    images.view(60, 4)[:, pixel] = 0
    test = torch.linspace(-3, 3, 40).view(40, 1, 1, 1).expand(40, 1, 2, 2)
    model = Pixel(pixel)
    return {
        "findings": findings_of(2, **findings).model_dump(mode="json"),
        "classifier": model,
        "borderline": {"images": images, "probabilities": torch.sigmoid(model(images))},
        "clusters": {"labels": torch.arange(60) % 2},
        "prototypes": {"images": images[:2]},
        "pair_test": {"images": test, "labels": (torch.arange(40) >= 20).long()},
        "real_view": {"test_p": torch.sigmoid(model(test))},
    }


def wired(this: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    sides = {"this": this, "other": other}
    return {f"{key}.{name}": value for key, side in sides.items() for name, value in side.items()}
