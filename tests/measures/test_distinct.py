from __future__ import annotations

import torch

from borderline.measures.distinct import count_distinct


def test_equal_images_count_once_in_all_batches() -> None:
    images = torch.rand(30, 1, 4, 4).repeat(40, 1, 1, 1)
    assert count_distinct(images) == 30
    assert count_distinct(images + 1e-5) <= 60
    assert count_distinct(images, most=20) == 20
    assert count_distinct(images[:0]) == 0
