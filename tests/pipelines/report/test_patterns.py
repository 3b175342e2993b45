from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch

from borderline.findings import Findings
from borderline.pipelines.report.nodes import show_patterns
from borderline.pipelines.report.page import View
from borderline.pipelines.report.params import ReportParams
from borderline.pipelines.report.patterns import picture_attributions, where
from borderline.records import Prototypes
from conftest import findings_of

SIZE = (1, 9, 9)


def section(findings: Findings, patterns: int = 2, real: int = 2) -> View:
    """The section of three patterns: 12 images in clusters 0, 1, 2 in turn, prototypes first."""
    random = torch.Generator().manual_seed(0)
    labels, images = torch.arange(12) % 3, torch.zeros(12, *SIZE)
    count = len(findings.patterns)
    prototypes: Prototypes = {
        "images": images[:count],
        "probabilities": torch.full((count,), 0.5),
        "rows": torch.arange(count),
    }
    return show_patterns(
        findings=findings.model_dump(mode="json"),
        borderline={"images": images, "probabilities": torch.linspace(0.41, 0.59, 12)},
        embeddings={
            "embeddings": torch.eye(12)[labels] + 0.1 * torch.rand(12, 12, generator=random),
            "fitted": torch.arange(12),
        },
        clusters={"labels": labels, "probability": torch.ones(12), "reduced": torch.zeros(12, 2)},
        prototypes=prototypes,
        attributions={"saliency": torch.ones(count, 9, 9), "unused": torch.ones(count, 9, 9)},
        explanation_scores_table=pd.DataFrame({"method": ["saliency"]}),
        tipping={
            "walks": torch.zeros(count, 5, *SIZE),
            "walks_p": torch.linspace(0, 1, 5).expand(count, 5),
            "real_rows": torch.tensor([[[0, 1], [2, 3]]]).expand(count, 2, 2),
            "real_p": torch.tensor([[[0.1, 0.2], [0.8, 0.9]]]).expand(count, 2, 2),
        },
        real_borderline={
            "images": torch.zeros(real, *SIZE),
            "labels": torch.arange(real) % 2,
            "probabilities": torch.full((real,), 0.45),
            "rows": torch.arange(real),
        },
        real_attributions={"saliency": torch.ones(real, 9, 9), "unused": torch.ones(real, 9, 9)},
        real_patterns_table=pd.DataFrame(
            {"cluster": [0, 0, -1], "row": [1, 2, 3], "p": [0.45, 0.55, 0.5]}
        ),
        matches_table=pd.DataFrame(
            {"prototype": [0, 0], "repeat": [0, 1], "row": [2, 1], "similarity": [0.9, 0.8]}
        ),
        repeats={
            f"repeat_{n}": lambda: {"images": torch.zeros(3, *SIZE), "labels": torch.zeros(3)}
            for n in range(2)
        },
        map_chart=go.Figure(),
        pair_train={"images": torch.zeros(4, *SIZE), "labels": torch.tensor([0, 0, 1, 1])},
        pair_test={"images": torch.zeros(4, *SIZE), "labels": torch.tensor([0, 0, 1, 1])},
        report=ReportParams(samples=4, patterns=patterns, members=3, real_images=1, license=None),
    )


def test_patterns_beyond_those_in_full_have_a_prototype_only() -> None:
    shown = section(findings_of(3))["patterns"]
    assert [view["full"] for view in shown] == [True, True, False]
    assert shown[2]["prototype"]["alt"].startswith("Prototype 2: an image between 1 and 7, p = ")
    assert "members" not in shown[2]
    assert all(view["trust"]["line"] for view in shown)


def test_card_in_full_shows_all_about_a_pattern() -> None:
    first, second = section(findings_of(3))["patterns"][:2]
    assert [len(first[name]) for name in ("negatives", "positives", "walk")] == [2, 2, 5]
    assert [picture["p"] for picture in first["negatives"]] == ["0.20", "0.10"], "nearest last"
    assert [picture["p"] for picture in first["positives"]] == ["0.80", "0.90"], "nearest first"
    assert first["middle"] == 2
    assert first["pushes"][0] == "saliency"
    assert [attribution["name"] for attribution in first["attributions"]] == ["saliency"]
    assert len(first["members"]) == 3
    assert first["members"][0]["p"] == "0.41", "the prototype itself is most similar"
    assert [picture["p"] for picture in first["real"]] == ["0.45"]
    assert [picture["caption"] for picture in first["partners"]] == ["0.90", "0.80"]
    assert (second["real"], second["partners"]) == ([], [])


def test_section_without_patterns_has_the_map() -> None:
    assert section(findings_of(0))["patterns"] == []
    assert set(section(findings_of(0))) == {"map", "patterns", "baseline"}


def test_real_borderline_images_stand_beside_the_patterns() -> None:
    first, second = section(findings_of(1))["baseline"]
    assert (first["image"]["caption"], second["image"]["caption"]) == ("is 1", "is 7")
    assert first["image"]["p"] == "0.45"
    (attribution,) = first["attributions"]
    assert attribution["alt"].startswith("saliency of real image 0: red")
    assert section(findings_of(1), real=0)["baseline"] == []


def test_image_of_no_cluster_has_no_members_and_no_real_images() -> None:
    findings = findings_of(1)
    alone = findings.patterns[0].model_copy(
        update={"cluster": -1, "images": None, "share": None, "stability": None}
    )
    (view,) = section(findings.model_copy(update={"patterns": (alone,)}))["patterns"]
    assert (view["members"], view["real"]) == ([], [])
    assert view["trust"]["line"].startswith("A single image that belongs to no cluster")


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
