from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from borderline.findings import NONE
from borderline.pipelines.report.views import (
    of_leaderboard,
    of_maps,
    of_patterns,
    of_validation,
    where,
)
from conftest import findings_of


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "top left"), (4, 4, "centre"), (8, 4, "bottom centre"), (4, 8, "middle right")],
)
def test_place_of_the_strongest_push_is_named(row: int, column: int, words: str) -> None:
    push = np.zeros((9, 9))
    push[row, column] = 1.0
    assert where(push) == (words, "")
    assert where(-push) == ("", words)


def test_one_scale_holds_for_all_maps_of_a_method() -> None:
    maps = torch.zeros(2, 9, 9)
    maps[0, 0, 0], maps[1, 8, 8] = 1.0, -0.5
    shown = of_maps(torch.zeros(2, 1, 9, 9), {"saliency": maps})
    assert [len(own) for own in shown] == [1, 1]
    assert "red above all at the top left, no blue" in shown[0][0]["alt"]
    assert shown[0][0]["src"] != shown[1][0]["src"]


def leaderboard() -> pd.DataFrame:
    row = {
        "chosen": False,
        "on_front": True,
        "images": 100,
        "borderline": 50,
        "seconds": 1.5,
        "note": None,
        **{f"{n}{end}": 0.5 for n in ("yield", "acd", "hubris") for end in ("", "_low", "_high")},
        **{f"fd_lenet{end}": 12.0 for end in ("", "_low", "_high")},
        **{f"fd_lenet_borderline{end}": np.nan for end in ("", "_low", "_high")},
    }
    return pd.DataFrame(
        [
            row | {"source": "hybrid", "chosen": True},
            row | {"source": "real images", "seconds": np.nan, "fd_lenet": np.nan, "note": "few"},
        ]
    )


def test_leaderboard_shows_what_is_known() -> None:
    view = of_leaderboard(leaderboard())
    assert view["columns"] == ["yield", "ACD", "hubris", "fd_lenet"], "no empty column"
    first, real = view["rows"]
    assert first["cells"][0] == ("50.0%", "[50.0%, 50.0%]")
    assert (first["seconds"], real["seconds"]) == (1.5, None)
    assert real["cells"][-1] == (NONE, "")
    assert (first["note"], real["note"]) == ("", "few")


def test_validation_has_a_cell_for_each_measure() -> None:
    table = pd.DataFrame(
        {
            "chosen_by": ["medoid", "medoid", "random"],
            "measure": ["coverage_area", "stability", "coverage_area"],
            "value": [0.5, np.nan, 0.4],
            "low": [0.4, np.nan, np.nan],
            "high": [0.6, np.nan, np.nan],
            "q_value": [0.01, np.nan, np.nan],
        }
    )
    view = of_validation(table)
    assert view["measures"] == ["coverage area", "stability"]
    medoid, random = (row["cells"] for row in view["rows"])
    assert medoid[0] == {"value": "0.500", "interval": "[0.400, 0.600]", "q": 0.01}
    assert medoid[1]["value"] == NONE
    assert random == [
        {"value": "0.400", "interval": "", "q": None},
        {"value": NONE, "interval": "", "q": None},
    ]


def test_patterns_beyond_those_in_full_have_a_prototype_only() -> None:
    some = (torch.zeros(4, 1, 9, 9), torch.full((4,), 0.5))
    views = of_patterns(
        findings_of(3),
        {"images": torch.zeros(3, 1, 9, 9), "probabilities": torch.full((3,), 0.5)},
        {"saliency": torch.ones(3, 9, 9)},
        *[[some] * 2] * 4,
        [(some[0], [0.9] * 4)] * 2,
    )
    assert [view["full"] for view in views] == [True, True, False]
    assert views[2]["prototype"]["alt"].startswith("Prototype 2: an image between 1 and 7, p = ")
    assert [len(views[0][part]) for part in ("negatives", "positives", "members")] == [2, 2, 4]
    assert views[0]["again"][0]["said"] == "0.90"
    assert "members" not in views[2]
