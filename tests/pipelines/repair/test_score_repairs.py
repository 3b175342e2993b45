from __future__ import annotations

import json
from typing import Any

import pandas as pd
import torch

from borderline.findings import Repair, digest_of_patterns
from borderline.pipelines.repair.labels import COUNT_COLUMNS
from borderline.pipelines.repair.nodes import score_repairs
from conftest import BOUNDARY
from repairs import Near, fresh_of, labels_of, p_with, repair_params, trainings_of


def test_repair_of_a_model_is_scored_compared_drawn_and_said() -> None:
    labels, fresh = labels_of(12), fresh_of([0, 0, 1])
    wrong = {"again": [range(4), range(5)], "boundary": [range(2), range(1)]}
    patterns: dict[str, Any] = {
        "borderline": {"images": torch.zeros(4, 1, 2, 2)},
        "clusters": {"labels": torch.tensor([0, 0, 1, 1])},
        "prototypes": {"rows": torch.tensor([0, 2])},
    }
    near = torch.stack([torch.arange(12) // 6, torch.ones(12)], 1)
    view: Any = {"test_p": p_with(labels, [0]), "test_embeddings": near}
    counts = ("borderline images", "committee", "weakness", "hard", 30)
    scores, table, figure, summary = score_repairs(
        trainings_of(labels, wrong, fresh),
        {"boundary.images": torch.zeros(30, 1, 2, 2)},
        pd.DataFrame([counts], columns=COUNT_COLUMNS),
        fresh,
        {"images": torch.zeros(12, 1, 2, 2), "labels": labels},
        view,
        Near(),
        BOUNDARY,
        **patterns,
        repair=repair_params(*wrong),
    )
    assert scores["arm"].tolist() == ["as_is", "again", "again", "boundary", "boundary"]
    assert scores["error_near_0"].tolist()[:2] == [1 / 6, 4 / 6]
    assert scores["fresh_accuracy"].tolist() == [0, 1, 1, 1, 1]
    assert table["pattern"].dropna().unique().tolist() == [0, 1]
    assert len(figure.axes) == 6
    repair = Repair.read(summary)
    assert repair.made_for == digest_of_patterns(**patterns)
    assert (repair.kept, repair.seeds, repair.test_images) == ("boundary", 2, 12)
    assert "Of 30 borderline images, 30 have a label by the committee of judges." in repair.says
    assert json.dumps(summary, allow_nan=False)
