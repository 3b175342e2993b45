from __future__ import annotations

import numpy as np
import pytest
import torch

from borderline.pipelines.report.views.attributions import picture_attributions, where


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "top left"), (4, 4, "centre"), (8, 4, "bottom centre"), (4, 8, "middle right")],
)
def test_place_of_the_strongest_push_is_named(row: int, column: int, words: str) -> None:
    push = np.zeros((9, 9))
    push[row, column] = 1.0
    assert where(push) == (words, "")
    assert where(-push) == ("", words)


def test_all_attributions_of_a_method_share_a_scale() -> None:
    attributions = torch.zeros(2, 9, 9)
    attributions[0, 0, 0], attributions[1, 8, 8] = 1.0, -0.5
    shown = picture_attributions(torch.zeros(2, 1, 9, 9), {"saliency": attributions})
    assert [len(pictures) for pictures in shown] == [1, 1]
    assert "red mostly at the top left, no blue" in shown[0][0]["alt"]
    assert shown[0][0]["src"] != shown[1][0]["src"]
