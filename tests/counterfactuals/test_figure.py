from __future__ import annotations

import pandas as pd
import pytest
import torch

from borderline.counterfactuals import figure as module
from borderline.counterfactuals.explain import COLUMNS, OWN
from borderline.counterfactuals.figure import draw_counterfactuals
from borderline.measures.class_names import ClassNames
from borderline.records import Counterfactuals


def test_the_figure_of_a_large_folder_has_few_rows_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 2)
    images = torch.rand(3, 1, 4, 12) * 2 - 1
    found: Counterfactuals = {
        "rows": torch.arange(3),
        "images": images,
        "reconstructions": images,
        "boundary": images,
        "flipped": -images,
        "p": torch.rand(3, 4),
    }
    table = pd.DataFrame(index=range(3), columns=list(COLUMNS), dtype=object)
    table["image"], table["why"] = ["a.png", "b.png", "c.png"], OWN
    drawn = draw_counterfactuals(found, table, ClassNames("0", "1"), 0.5, 3)
    assert len(drawn.axes) == 5 * 2 + 2
    assert "the first 2 of 3" in drawn.get_suptitle()
    # The columns of wide images are wider than high.
    width, height = drawn.get_size_inches()
    assert width > 5 * 1.5 * 1.7
    assert height < 2 * 1.5
    monkeypatch.undo()
    drawn = draw_counterfactuals(found, table, ClassNames("0", "1"), 0.5, 3)
    assert "first" not in drawn.get_suptitle()
