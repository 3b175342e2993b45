from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from borderline.measures.realism import Moments
from borderline.pipelines.metrics.measuring import describe, floor_columns, measure_parts
from borderline.records import LabelledImages, RealView, take_rows
from conftest import BOUNDARY, metrics_params


def test_intervals_of_real_images_are_by_group() -> None:
    p = torch.from_numpy(np.random.default_rng(0).random(60).repeat(5)).float()
    view: RealView = {"test_p": p, "train_p": torch.ones(100)}  # type: ignore[typeddict-item]
    # Each image has one pair of neighbours, which differ by p.
    images = torch.stack([-torch.ones(300), 2 * p - 1], 1)[:, None, None]
    test: LabelledImages = {"images": images, "labels": torch.zeros(300)}
    settings = (
        {**take_rows(test, slice(100)), "groups": torch.arange(100)},
        test,
        2.0,
        metrics_params(sample_size=20, fewest_images=10, neighbours=2),
        {**BOUNDARY, "band": 0.2},
    )
    plain = floor_columns(view, *settings)
    alone = floor_columns({**view, "test_groups": torch.arange(300)}, *settings)
    grouped = floor_columns({**view, "test_groups": torch.arange(300) // 5}, *settings)
    one = floor_columns({**view, "test_groups": torch.zeros(300)}, *settings)
    assert alone == plain
    assert list(grouped) == list(plain)
    assert plain["total_variation"] == pytest.approx(p.mean().item())
    shares = "yield", "acd", "hubris", "yield_calibrated"
    for name in (*shares, "total_variation", "total_variation_borderline"):
        assert plain[name] == grouped[name] == one[name]
        # The images of a group are the same, so the interval is wider by about sqrt(5).
        width, usual = (c[f"{name}_high"] - c[f"{name}_low"] for c in (grouped, plain))
        assert 1.5 * usual < width < 3.5 * usual
        assert math.isnan(one[f"{name}_low"])


def test_real_borderline_images_are_of_training_and_test() -> None:
    p = torch.linspace(0, 1, 11)
    images = torch.stack([-torch.ones(11), 2 * p - 1], 1)[:, None, None]
    of_both: LabelledImages = {"images": images, "labels": torch.zeros(11)}
    train_p = torch.cat([torch.zeros(8), torch.full((3,), 0.5)])
    view: RealView = {"train_p": train_p, "test_p": p}  # type: ignore[typeddict-item]
    metrics = metrics_params(sample_size=20, fewest_images=10, neighbours=2)
    floor = floor_columns(view, of_both, of_both, math.nan, metrics, {**BOUNDARY, "band": 0.11})
    # .8, .9 and 1 in training; .4, .5 and .6 in test.
    assert floor["total_variation_borderline_n"] == 6
    assert floor["total_variation_borderline"] == pytest.approx(0.7)


@pytest.mark.parametrize("real", [8, 40])
def test_images_of_a_wide_network_have_no_distance_and_need_no_matrix(
    real: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flat(nn.Module):
        def embed(self, images: Tensor) -> Tensor:
            return images.flatten(1)

    made = []
    of = Moments.of
    monkeypatch.setattr(Moments, "of", lambda features: made.append(len(features)) or of(features))
    images = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    references = describe("lenet", torch.rand(real, 16), torch.rand(5, 16), 2)
    made.clear()
    part = {"images": images, "probabilities": torch.full((60,), 0.5), "latents": images}
    scores, _, samples = measure_parts(
        {"0": lambda: part},
        {"lenet": Flat()},
        references,
        temperature=math.nan,
        metrics=metrics_params(sample_size=20, fewest_images=10, neighbours=2),
        boundary={**BOUNDARY, "band": 0.2},
        device=torch.device("cpu"),
    )
    assert made == ([] if real <= 16 else [60, 60])
    assert math.isnan(scores["fd_lenet"]) == math.isnan(scores["fd_lenet_borderline"])
    assert math.isnan(scores["fd_lenet"]) == (real <= 16)
    assert samples["lenet.all"].shape == (20, 16)
