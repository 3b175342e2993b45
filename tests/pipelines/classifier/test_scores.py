from __future__ import annotations

import math

import pytest
import torch

from borderline.measures.class_names import ClassNames
from borderline.measures.confusion import at_temperature
from borderline.params import RunParams
from borderline.pipelines.classifier.nodes import calibrate_classifier
from borderline.pipelines.classifier.params import TrainingParams
from borderline.pipelines.classifier.scores import (
    draw_classifier_scores,
    fit_temperature,
    score_classifier,
)
from borderline.pipelines.classifier.training import split_validation
from borderline.records import LabelledImages
from odd_names import ODD_NAMES, shows, texts_outside

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


@pytest.mark.parametrize("names", ODD_NAMES)
def test_figure_shows_the_names_of_the_classes(names: ClassNames) -> None:
    figure = draw_classifier_scores(P, LABELS, score_classifier(P, LABELS, 0.1), 0.1, names, P)
    assert texts_outside(figure) == []
    assert shows(figure, names)


def test_figure_has_the_histogram_of_the_training_images() -> None:
    scores, train_p = score_classifier(P, LABELS, 0.1), torch.tensor([0.01, 0.02, 0.45, 0.99])
    figure = draw_classifier_scores(P, LABELS, scores, 0.1, ClassNames("7", "1"), train_p)
    axes = figure.axes[-1]
    assert axes.get_title() == "1 of 4 are borderline"
    heights = [bar.get_height() for bar in axes.containers[0]]
    assert {place: height for place, height in enumerate(heights) if height} == {0: 2, 9: 1, 19: 1}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_finds_the_temperature_of_a_model_that_is_off_by_one(temperature: float) -> None:
    random = torch.Generator().manual_seed(0)
    true = torch.sigmoid(2 * torch.randn(20_000, generator=random).double())
    labels = (torch.rand(20_000, generator=random) < true).long()
    p = at_temperature(true, 1 / temperature)
    fitted = fit_temperature(p.float(), labels)
    assert fitted["temperature"] == pytest.approx(temperature, rel=0.05)
    assert fitted["calibrated_loss"] <= fitted["loss"]
    assert fitted["validation_images"] == 20_000


def test_has_none_for_a_model_that_is_always_right_or_always_wrong() -> None:
    p = torch.tensor([0.0, 1.0, 0.01, 0.99])
    right = fit_temperature(p, torch.tensor([0, 1, 0, 1]))
    wrong = fit_temperature(p[2:], torch.tensor([1, 0]))
    for fitted in (right, wrong):
        assert math.isnan(fitted["temperature"])
        assert not math.isnan(fitted["loss"])


def test_is_fitted_to_the_images_that_did_not_train(
    pair_images: LabelledImages, run: RunParams
) -> None:
    training = TrainingParams(
        epochs=1, batch_size=8, learning_rate=1e-3, validation_share=0.25, patience=1
    )
    rows, held_out = split_validation(pair_images, training, run, "classifier")
    assert sorted([*rows.tolist(), *held_out.tolist()]) == list(range(60))
    seen: list[torch.Tensor] = []

    class Model(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return images.mean((1, 2, 3))

    calibrate_classifier(Model(), pair_images, training=training, run=run)
    assert torch.equal(torch.cat(seen), pair_images["images"][held_out])
