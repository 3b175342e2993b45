from __future__ import annotations

import pytest
import torch

from borderline.measures.guessing import balanced_rows, better_than_guessing


@pytest.mark.parametrize(
    ("right", "images", "better"),
    [(65, 128, False), (77, 128, False), (78, 128, True), (16, 20, True), (15, 20, False)],
)
def test_binomial_test_against_guessing(right: int, images: int, better: bool) -> None:
    assert better_than_guessing(right, images) == better


def test_few_images_need_more_than_half() -> None:
    assert better_than_guessing(3, 4)
    assert not better_than_guessing(2, 4)


def test_rows_are_balanced_and_spread_over_each_class() -> None:
    labels = torch.tensor([1] * 90 + [0] * 10)
    rows = balanced_rows(labels, 128)
    assert labels[rows].tolist() == [0] * 10 + [1] * 10, "always positive is right for half"
    assert rows.tolist() == [*range(90, 100), *range(0, 90, 9)]
    assert balanced_rows(labels, 8).tolist() == [90, 92, 95, 97, 0, 22, 45, 67]
    assert len(balanced_rows(torch.ones(5), 128)) == 0
