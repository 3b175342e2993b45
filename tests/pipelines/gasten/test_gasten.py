from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from borderline.errors import BorderlineError
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.gasten.kinds.gasten import Settings, _borderline_rows
from conftest import generator_settings


def settings(**values: object) -> Settings:
    made: Settings = generator_settings("gasten", epochs=1, **values)
    return made


@pytest.mark.parametrize(
    ("term", "alpha"),
    [("gasten", 25), ("gaussian", 1), ("gaussian_two_step", 1), ("kl", 5), ("logit", 3)],
)
def test_weight_left_out_is_the_usual_one(term: str, alpha: float) -> None:
    assert settings(term=term).alpha == alpha
    assert settings(term=term, alpha=0.5).alpha == 0.5
    # What one run writes into its checkpoints is what the next one reads from its settings.
    assert Settings.model_validate(settings(term=term).model_dump()) == settings(term=term)


@pytest.mark.parametrize("term", ["mgda", "mgda_norm"])
def test_mgda_takes_no_weight(term: str) -> None:
    assert settings(term=term).alpha is None
    with pytest.raises(ValidationError, match="must be left out"):
        settings(term=term, alpha=3)
    with pytest.raises(ValidationError, match="must be left out"):
        settings(term=term, alpha_growth=2)


def test_list_of_starts_means_a_generator_each() -> None:
    variants = settings(start=[1, 5, "best"]).variants()
    assert {suffix: variant.start for suffix, variant in variants.items()} == {
        "_from_1": 1,
        "_from_5": 5,
        "_from_best": "best",
    }
    assert list(settings(start="best").variants()) == [""]


class Mean(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3))


def test_real_borderline_images_are_those_in_the_band(run: RunParams) -> None:
    means = torch.tensor([0.0, 0.9, -0.2, 0.3, -1.0, 0.5])
    images = means[:, None, None, None].expand(-1, 1, 8, 8)
    band = ConfusionParams(band=0.1)
    assert _borderline_rows(Mean(), images, band, run).tolist() == [0, 2, 3]
    with pytest.raises(BorderlineError, match="the training set has none: set it to 0"):
        _borderline_rows(Mean(), images[[1, 4]], band, run)
