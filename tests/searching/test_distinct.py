from __future__ import annotations

import torch

from borderline import searching
from borderline.searching import is_distinct


def test_repetitions_are_found_and_the_first_is_kept(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    images = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[7] = images[3]
    images[40] = images[3]
    images[41] = images[20] + 0.001  # less than a grey level
    images[42] = images[21] + 0.02  # more
    expected = torch.ones(50, dtype=torch.bool)
    expected[[7, 40, 41]] = False
    assert torch.equal(is_distinct(images), expected)
    monkeypatch.setattr(searching, "_ROWS_AT_A_TIME", 7)
    assert torch.equal(is_distinct(images), expected)


def test_no_images() -> None:
    assert is_distinct(torch.empty(0, 1, 8, 8)).shape == (0,)
