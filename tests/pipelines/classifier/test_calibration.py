from __future__ import annotations

import pytest
import torch

from borderline.measures.confusion import at_temperature
from borderline.pipelines.classifier.calibration import HIGHEST_TEMPERATURE, fit_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_finds_the_temperature_of_a_model_that_is_off_by_one(temperature: float) -> None:
    random = torch.Generator().manual_seed(0)
    true = torch.sigmoid(2 * torch.randn(20_000, generator=random).double())
    labels = (torch.rand(20_000, generator=random) < true).long()
    said = at_temperature(true, 1 / temperature)
    fitted = fit_temperature(said.float(), labels)
    assert fitted["temperature"] == pytest.approx(temperature, rel=0.05)
    assert fitted["calibrated_loss"] <= fitted["loss"]
    assert fitted["validation_images"] == 20_000


def test_stays_in_its_range_for_a_model_that_is_always_right_or_always_wrong() -> None:
    p = torch.tensor([0.0, 1.0, 0.01, 0.99])
    right = fit_temperature(p, torch.tensor([0, 1, 0, 1]))
    assert 1 / HIGHEST_TEMPERATURE <= right["temperature"] < 0.2
    wrong = fit_temperature(p[2:], torch.tensor([1, 0]))
    assert wrong["temperature"] == pytest.approx(HIGHEST_TEMPERATURE, rel=0.01)
