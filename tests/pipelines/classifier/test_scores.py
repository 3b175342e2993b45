from __future__ import annotations

from io import BytesIO

import pytest
import torch

from borderline.pipelines.classifier.figures import draw_classifier_scores
from borderline.pipelines.classifier.scores import score_classifier

P = torch.tensor([0.9, 0.8, 0.45, 0.1, 0.55, 0.2])
LABELS = torch.tensor([1, 1, 1, 0, 0, 0])


def test_scores_of_a_small_set_by_hand() -> None:
    scores = score_classifier(P, LABELS, band=0.1)
    assert scores["accuracy"] == pytest.approx(4 / 6)
    matrix = ("true_negative", "false_positive", "false_negative", "true_positive")
    assert [scores[name] for name in matrix] == [2, 1, 1, 2]
    assert scores["borderline_test_images"] == 2
    assert scores["test_images"] == 6
    right = torch.tensor([0.9, 0.8, 0.45, 0.9, 0.45, 0.8])
    assert scores["loss"] == pytest.approx(-right.double().log().mean().item(), rel=1e-6)


def test_calibration_error_is_the_gap_between_sureness_and_accuracy() -> None:
    sure = score_classifier(torch.full((10,), 0.99), torch.tensor([1] * 5 + [0] * 5), 0.1)
    assert sure["ece"] == pytest.approx(0.49, abs=1e-4)
    fair = score_classifier(torch.full((10,), 0.5001), torch.tensor([1] * 5 + [0] * 5), 0.1)
    assert fair["ece"] == pytest.approx(0, abs=1e-3)


def test_one_class_only_still_has_a_whole_matrix() -> None:
    scores = score_classifier(torch.tensor([0.9, 0.2]), torch.tensor([1, 1]), 0.1)
    assert (scores["true_negative"], scores["false_negative"], scores["true_positive"]) == (0, 1, 1)


def test_figure_can_be_drawn() -> None:
    draw_classifier_scores(P, LABELS, score_classifier(P, LABELS, 0.1), 0.1).savefig(BytesIO())
