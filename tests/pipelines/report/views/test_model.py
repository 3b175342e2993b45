from __future__ import annotations

from io import BytesIO

import pandas as pd
import torch
from matplotlib.figure import Figure

from borderline.pipelines.report.views.model import view_model
from borderline.records import LabelledImages
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
