from __future__ import annotations

import logging
import time

import pytest
import torch
from torch import Tensor

from borderline import searching


@pytest.mark.parametrize("wait", [0.0, 2.5])
def test_long_search_says_how_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wait: float
) -> None:
    clock = iter([7.0, 7.0 + wait])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    caplog.set_level(logging.INFO, "borderline")

    def excess(change: Tensor) -> Tensor:
        return change.sum(1) - 1

    change = searching.nearest_point(excess, torch.zeros(3, 4), 200)
    assert (excess(change) >= 0).all()
    said = [record.getMessage() for record in caplog.records]
    assert said == (["The changes of 3 images take about 0:01:40."] if wait else [])
