from __future__ import annotations

from io import BytesIO

import torch

from borderline.measures.class_names import ClassNames
from borderline.pipelines.metrics.figures import draw_side_by_side


def test_side_by_side_draws_every_strip_and_a_note_for_none() -> None:
    images = torch.rand(30, 1, 8, 8) * 2 - 1
    figure = draw_side_by_side(
        [("real", images, torch.rand(30)), ("none", images[:0], torch.rand(0))],
        ClassNames("1", "7"),
        0.5,
    )
    figure.savefig(BytesIO())
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["real", "none", "none"]
