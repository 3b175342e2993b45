"""The section about the model: its scores, its real borderline images, its errors."""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from borderline.findings import Findings
from borderline.measures.confusion import confusion_distance, is_borderline
from borderline.pages.pictures import Picture, of_file, pictures
from borderline.pipelines.report.page import View
from borderline.records import LabelledImages


def view_model(
    findings: Findings,
    scores_table: pd.DataFrame,
    figure: bytes,
    p: Tensor,
    pair_test: LabelledImages,
    most: int,
) -> View:
    """The section about the model.

    Args:
        findings: The findings about it.
        scores_table: Its scores, one row.
        figure: The PNG of its scores.
        p: Its p of the test images, shape (M,).
        pair_test: The test images.
        most: The most images to show of each kind.
    """
    scores, wrong = scores_table.iloc[0], (p > 0.5).long() != pair_test["labels"]
    nearest = confusion_distance(p).argsort(stable=True)
    # The most confident errors come first: they cost most.
    farthest = nearest.flip(0)
    counts = ("true_negative", "false_positive", "false_negative", "true_positive")
    alt = (
        f"Confusion matrix of {findings.test_images} test images with {findings.errors} errors; "
        f"calibration curve with a mean gap of {scores['ece']:.3f}; histogram of p with "
        f"{scores['borderline_test_images']:.0f} images in the band."
    )

    def shown(rows: Tensor) -> View:
        return {"count": len(rows), "pictures": _pictures(rows[:most], findings, p, pair_test)}

    return {
        "matrix": {name: int(scores[name]) for name in counts},
        "figure": of_file(figure, alt),
        "borderline": shown(nearest[is_borderline(p, findings.band)[nearest]]),
        "errors": shown(farthest[wrong[farthest]]),
    }


def _pictures(
    rows: Tensor, findings: Findings, p: Tensor, pair_test: LabelledImages
) -> list[Picture]:
    classes = (findings.negative, findings.positive)
    shown = pictures(pair_test["images"][rows], p[rows], "Real test image, {p}")
    for picture, label in zip(shown, pair_test["labels"][rows].tolist(), strict=True):
        picture["caption"] = f"is {classes[label]}"
        picture["alt"] += f", {picture['caption']}"
    return shown
