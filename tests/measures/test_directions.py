from __future__ import annotations

import numpy as np
import pytest
import torch

from borderline.measures.directions import fault_of, tells_apart

POINTS = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("scale", "fault"),
    [
        *((1, ""), (1e-4, ""), (1e10, ""), (0, "")),
        *((1e-30, "have lengths up to"), (1e30, "have lengths up to")),
        *((np.nan, "have NaN or infinite values for 10 of 10"), (np.inf, "have NaN or infinite")),
    ],
)
def test_embeddings_whose_variance_float32_cannot_hold(scale: float, fault: str) -> None:
    found = fault_of(torch.from_numpy(POINTS) * scale)
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def test_no_embeddings_have_no_fault() -> None:
    assert fault_of(torch.zeros(0, 3)) == ""


@pytest.mark.parametrize(
    ("points", "apart"),
    [
        (POINTS, True),
        (np.repeat(POINTS[:2], 5, axis=0), True),
        (np.repeat(POINTS[:1], 5, axis=0), False),
        (POINTS[:1] * np.arange(1, 6, dtype=np.float32)[:, None], False),
        (np.zeros((5, 3)), False),
        (np.vstack([np.zeros((1, 3)), np.ones((1, 3))]), True),
        (np.zeros((0, 3)), False),
    ],
)
def test_directions_are_told_apart(points: np.ndarray, apart: bool) -> None:
    assert tells_apart(points) is apart
