from __future__ import annotations

import math

import pytest
import torch

from borderline.boundary import Boundary
from borderline.measures.class_names import ClassNames
from borderline.measures.classification import score_classifier
from borderline.measures.confusion import at_temperature
from borderline.params import RunParams
from borderline.pipelines.classifier.nodes import calibrate_classifier
from borderline.pipelines.classifier.scores import draw_classifier_scores, fit_temperature
from borderline.records import LabelledImages
from borderline.training.epochs import split_validation
from borderline.training.params import TrainingParams
from conftest import BOUNDARY
from odd_names import ODD_NAMES, shows, texts_outside

P = torch.tensor([0.9, 0.8, 0.45, 0.1, 0.55, 0.2])
LABELS = torch.tensor([1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize("names", ODD_NAMES)
def test_figure_shows_the_names_of_the_classes(names: ClassNames) -> None:
    figure = draw_classifier_scores(
        P, LABELS, score_classifier(P, LABELS, BOUNDARY), BOUNDARY, names, P
    )
    assert texts_outside(figure) == []
    assert shows(figure, names)


def test_figure_has_the_histogram_of_the_training_images() -> None:
    scores, train_p = score_classifier(P, LABELS, BOUNDARY), torch.tensor([0.01, 0.02, 0.45, 0.99])
    figure = draw_classifier_scores(P, LABELS, scores, BOUNDARY, ClassNames("7", "1"), train_p)
    axes = figure.axes[-1]
    assert axes.get_title() == "1 of 4 are borderline"
    heights = [bar.get_height() for bar in axes.containers[0]]
    assert {place: height for place, height in enumerate(heights) if height} == {0: 2, 9: 1, 19: 1}


def test_histogram_has_the_scale_of_the_boundary_and_shows_every_image() -> None:
    boundary: Boundary = {"threshold": 0.001, "band": 0.4, "scale": "logit", "rule": ""}
    p = torch.tensor([0.0, 1e-5, 0.001, 0.9, 1.0])
    scores = score_classifier(P, LABELS, boundary)
    figure = draw_classifier_scores(P, LABELS, scores, boundary, ClassNames("7", "1"), p)
    axes = figure.axes[-1]
    assert axes.get_xscale() == "logit"
    assert sum(bar.get_height() for bar in axes.containers[0]) == 5


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
