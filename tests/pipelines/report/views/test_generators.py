from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from borderline.findings import NONE
from borderline.pipelines.report.views.generators import REAL, view_leaderboard, view_strips
from borderline.records import Part, Parts


def leaderboard() -> pd.DataFrame:
    row = {
        "chosen": False,
        "on_front": True,
        "images": 100,
        "borderline": 50,
        "seconds": 1.5,
        "note": "",
        **{f"{n}{end}": 0.5 for n in ("yield", "acd", "hubris") for end in ("", "_low", "_high")},
        **{f"fd_lenet{end}": 12.0 for end in ("", "_low", "_high")},
        **{f"fd_lenet_borderline{end}": np.nan for end in ("", "_low", "_high")},
    }
    return pd.DataFrame(
        [
            row | {"source": "hybrid", "chosen": True},
            row | {"source": "plain"},
            row | {"source": "real images", "seconds": np.nan, "fd_lenet": np.nan, "note": "few"},
        ]
    )


def test_leaderboard_shows_what_is_known() -> None:
    view = view_leaderboard(leaderboard())
    assert view["columns"] == ["yield", "ACD", "hubris", "fd_lenet"], "no empty column"
    first, _, real = view["rows"]
    assert first["cells"][0] == ("50.0 %", "[50.0 %, 50.0 %]")
    assert (first["seconds"], real["seconds"]) == (1.5, None)
    assert real["cells"][-1] == (NONE, "")
    assert (first["note"], real["note"]) == ("", "few")


def parts_of(p: float) -> Parts:
    part: Part = {"images": torch.zeros(3, 1, 8, 8), "probabilities": torch.full((3,), p)}
    return {"part_0000": lambda: part}


def test_strips_have_the_order_of_the_leaderboard_whatever_that_of_the_images() -> None:
    real = (torch.zeros(5, 1, 8, 8), torch.full((5,), 0.9))
    parts = {"plain": parts_of(0.1), "hybrid": parts_of(0.5)}
    strips = view_strips(leaderboard(), parts, real, 2)
    assert [strip["name"] for strip in strips] == ["hybrid", "plain", REAL]
    assert [strip["chosen"] for strip in strips] == [True, False, False]
    assert [strip["pictures"][0]["p"] for strip in strips] == ["0.50", "0.10", "0.90"]
    assert all(len(strip["pictures"]) == 2 for strip in strips)
