from __future__ import annotations

import math

import pytest
import torch

from borderline.boundary import Boundary
from borderline.measures.classification import score_classifier
from borderline.measures.intervals import estimate_of_share
from conftest import BOUNDARY

P = torch.tensor([0.9, 0.8, 0.45, 0.1, 0.55, 0.2])
LABELS = torch.tensor([1, 1, 1, 0, 0, 0])


def test_scores_of_a_small_set_by_hand() -> None:
    scores = score_classifier(P, LABELS, BOUNDARY)
    assert scores["accuracy"] == pytest.approx(4 / 6)
    matrix = ("true_negative", "false_positive", "false_negative", "true_positive")
    assert [scores[name] for name in matrix] == [2, 1, 1, 2]
    assert scores["borderline_test_images"] == 2
    assert scores["test_images"] == 6
    right = torch.tensor([0.9, 0.8, 0.45, 0.9, 0.45, 0.8])
    assert scores["loss"] == pytest.approx(-right.double().log().mean().item(), rel=1e-6)


def test_sensitivity_and_specificity_follow_the_threshold() -> None:
    at: Boundary = {**BOUNDARY, "threshold": 0.4, "band": 0.16}
    scores = score_classifier(P, LABELS, at)
    assert (scores["sensitivity"], scores["specificity"]) == pytest.approx((1, 2 / 3))
    ends = [scores[f"specificity_{end}"] for end in ("low", "high")]
    assert ends == pytest.approx(estimate_of_share(2, 3)[1:])
    assert not {"accuracy_low", "borderline_test"} & set(scores)
    # No two images share a group.
    alone = score_classifier(P, LABELS, at, torch.arange(6))
    assert scores.items() <= alone.items()
    assert alone["accuracy_low"] == pytest.approx(estimate_of_share(5, 6).low)
    grouped = score_classifier(P, LABELS, at, torch.arange(6) // 2)
    assert grouped["borderline_test"] == pytest.approx(2 / 6)
    for name in ("accuracy", "specificity", "borderline_test"):
        assert grouped[f"{name}_low"] < alone[f"{name}_low"]


def test_calibration_error_is_the_gap_between_sureness_and_accuracy() -> None:
    sure = score_classifier(torch.full((10,), 0.99), torch.tensor([1] * 5 + [0] * 5), BOUNDARY)
    assert sure["ece"] == pytest.approx(0.49, abs=1e-4)
    fair = score_classifier(torch.full((10,), 0.5001), torch.tensor([1] * 5 + [0] * 5), BOUNDARY)
    assert fair["ece"] == pytest.approx(0, abs=1e-3)


def test_one_class_only_still_has_a_whole_matrix() -> None:
    scores = score_classifier(torch.tensor([0.9, 0.2]), torch.tensor([1, 1]), BOUNDARY)
    assert (scores["true_negative"], scores["false_negative"], scores["true_positive"]) == (0, 1, 1)
    assert math.isnan(scores["specificity"])
