from __future__ import annotations

import math

import numpy as np
import torch

from borderline.pipelines.metrics.measuring import floor_columns
from borderline.records import RealView
from conftest import BOUNDARY, metrics_params


def test_intervals_of_real_images_are_by_group() -> None:
    p = torch.from_numpy(np.random.default_rng(0).random(60).repeat(5)).float()
    view: RealView = {"test_p": p}  # type: ignore[typeddict-item]
    settings = (
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
    for name in ("yield", "acd", "hubris", "yield_calibrated"):
        assert plain[name] == grouped[name] == one[name]
        # The images of a group are the same, so the interval is wider by about sqrt(5).
        width, usual = (c[f"{name}_high"] - c[f"{name}_low"] for c in (grouped, plain))
        assert 1.5 * usual < width < 3.5 * usual
        assert math.isnan(one[f"{name}_low"])
