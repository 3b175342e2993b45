from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from borderline.findings import NONE
from borderline.pipelines.report.views import (
    REAL,
    view_leaderboard,
    view_model,
    view_strips,
    view_validation,
)
from borderline.records import LabelledImages, Part, Parts
from conftest import findings_of


def test_errors_come_by_confidence_and_borderline_images_by_distance() -> None:
    counts = ("true_negative", "false_positive", "false_negative", "true_positive")
    scores = pd.DataFrame([dict.fromkeys(counts, 1) | {"ece": 0.1, "borderline_test_images": 2}])
    content = BytesIO()
    Figure().savefig(content, format="png")
    images: LabelledImages = {
        "images": torch.zeros(5, 1, 8, 8),
        "labels": torch.tensor([0, 0, 1, 1, 1]),
    }
    p = torch.tensor([0.70, 0.95, 0.55, 0.48, 0.20])
    view = view_model(findings_of(), scores, content.getvalue(), p, images, 2)
    assert view["matrix"] == dict.fromkeys(counts, 1)
    assert [picture["p"] for picture in view["borderline"]["pictures"]] == ["0.48", "0.55"]
    assert view["errors"]["count"] == 4
    assert [picture["p"] for picture in view["errors"]["pictures"]] == ["0.95", "0.20"]
    assert [picture["caption"] for picture in view["errors"]["pictures"]] == ["is 1", "is 7"]
    assert view["errors"]["pictures"][0]["alt"] == "Real test image, p = 0.95, is 1"


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
    strips = view_strips(leaderboard(), parts, real, 2, 0.5)
    assert [strip["name"] for strip in strips] == ["hybrid", "plain", REAL]
    assert [strip["chosen"] for strip in strips] == [True, False, False]
    assert [strip["pictures"][0]["p"] for strip in strips] == ["0.50", "0.10", "0.90"]
    assert all(len(strip["pictures"]) == 2 for strip in strips)


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
    view = view_validation(table)
    assert view["measures"] == ["coverage area", "stability"]
    medoid, random = (row["cells"] for row in view["rows"])
    assert medoid[0] == {"value": "0.500", "interval": "[0.400, 0.600]", "q": 0.01}
    assert medoid[1]["value"] == NONE
    assert random == [
        {"value": "0.400", "interval": "", "q": None},
        {"value": NONE, "interval": "", "q": None},
    ]
