from __future__ import annotations

import itertools
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
    clock = itertools.chain([7.0, 7.0 + wait], itertools.repeat(7.0 + wait))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    caplog.set_level(logging.INFO, "borderline")

    sizes: set[int] = set()

    def excess(change: Tensor, rows: Tensor) -> Tensor:
        sizes.add(len(rows))
        return change.sum(1) - rows

    # A batch of two, and one of one.
    change = searching.nearest_point(excess, torch.zeros(3, 4), 200, 2)
    assert sizes == {1, 2}
    assert (excess(change, torch.arange(3)) >= 0).all()
    assert torch.allclose(change.sum(1), torch.arange(3.0), atol=0.05)
    said = [record.getMessage() for record in caplog.records]
    assert said == (["The search for 3 changes takes about 0:02:30."] if wait else [])
