from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.prototypes.explaining.explanation import randomised, rank_correlations
from borderline.training.networks import build_model


def test_only_the_last_layers_are_drawn_anew_and_the_model_stays(run: RunParams) -> None:
    model = build_model("cnn", 2, (1, 8, 8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    last, whole = (randomised(model, layers, run, 0) for layers in (1, None))
    assert last is not None
    assert whole is not None
    changed = [n for n, v in last.state_dict().items() if not torch.equal(v, before[n])]
    assert changed == ["head.weight", "head.bias"]
    changed = [n for n, v in whole.state_dict().items() if not torch.equal(v, before[n])]
    assert changed == list(before)
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_draws_repeat_and_attempts_differ(run: RunParams) -> None:
    model = build_model("mlp", 3, (1, 4, 4))
    weights = [randomised(model, None, run, attempt).head.weight for attempt in (0, 0, 1)]  # type: ignore[union-attr]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_model_without_layers_cannot_be_drawn_anew(run: RunParams) -> None:
    class Mean(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean((1, 2, 3))

    assert randomised(Mean(), None, run, 0) is None


def test_correlation_is_spearmans_and_flat_attributions_tell_nothing() -> None:
    first, second = torch.randn(3, 5, 5), torch.randn(3, 5, 5)
    second[1] = -first[1]
    second[2] = 0
    correlations = rank_correlations(first, second)
    for i in range(2):
        by_hand = spearmanr(first[i].flatten(), second[i].flatten()).statistic
        assert correlations[i] == pytest.approx(abs(by_hand))
    assert correlations[1] == pytest.approx(1), "reversed signs count as the same"
    assert correlations[2] == 0
