from __future__ import annotations

import pytest
import torch

from borderline.boundary import ConfusionParams, OperatingPoint, logit, sigmoid
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.measures.confusion import is_positive
from borderline.params import PairParams, RunParams
from borderline.pipelines.classifier.pairs import validation_of
from borderline.records import LabelledImages
from borderline.training.params import TrainingParams
from borderline.training.thresholds import boundary_of, threshold_of

RANDOM = torch.Generator().manual_seed(0)
LABELS = torch.arange(400) % 2
LOGITS = 2 * (2 * LABELS - 1) + 2 * torch.randn(400, dtype=torch.float64, generator=RANDOM)


def confusion(**changed: object) -> ConfusionParams:
    values = {"threshold": 0.5, "band": 0.1, "scale": "probability"} | changed
    return ConfusionParams.model_validate(values)


def test_number_is_taken_as_it_is() -> None:
    boundary = boundary_of(confusion(threshold=0.2), torch.zeros(0), torch.zeros(0))
    assert boundary == {"threshold": 0.2, "band": 0.1, "scale": "probability", "rule": ""}


@pytest.mark.parametrize("least", [0.5, 0.9, 0.95, 0.995])
@pytest.mark.parametrize("name", ["sensitivity", "specificity"])
def test_operating_point_is_reached_and_not_exceeded_by_an_image(name: str, least: float) -> None:
    point = OperatingPoint.model_validate({name: least})
    p = torch.sigmoid(LOGITS)
    t, rule = threshold_of(point, p, LABELS)
    label = 1 if name == "sensitivity" else 0
    of_class = p[label == LABELS]
    right = (of_class > t) if label else (of_class <= t)
    assert right.double().mean() >= least
    assert right.sum() - 1 < least * len(of_class), "a less strict threshold would do"
    assert rule.startswith(f"{name} of at least {least:g} on 200 validation images")


@pytest.mark.parametrize("shift", [-5.0, 3.0])
def test_same_images_are_on_each_side_after_a_shift_of_the_logit(shift: float) -> None:
    settings = confusion(threshold={"sensitivity": 0.95}, scale="logit", band=0.4)
    one = boundary_of(settings, torch.sigmoid(LOGITS), LABELS)
    p = torch.sigmoid(LOGITS + shift)
    other = boundary_of(settings, p, LABELS)
    assert other["threshold"] == pytest.approx(sigmoid(logit(one["threshold"]) + shift))
    assert torch.equal(is_positive(p, other), is_positive(torch.sigmoid(LOGITS), one))


def test_what_the_images_cannot_tell_is_refused() -> None:
    few = torch.sigmoid(LOGITS[:30]), LABELS[:30]
    point = confusion(threshold={"sensitivity": 0.95})
    with pytest.raises(BorderlineError, match=r"15 validation images of the positive .* 20 are"):
        boundary_of(point, *few)
    with pytest.raises(BorderlineError, match="all validation images on one side"):
        boundary_of(point, torch.full((400,), 0.3), LABELS)
    strict = confusion(threshold={"sensitivity": 0.995})
    sure = torch.sigmoid(3 * LOGITS - 6)
    with pytest.raises(
        BorderlineError, match=r"band is 0.1.* \(sensitivity of .* 'logit'"
    ) as error:
        boundary_of(strict, sure, LABELS)
    assert str(error.value).count(", but ") == 1


def test_threshold_is_chosen_on_the_validation_images_of_the_pair() -> None:
    images: LabelledImages = {
        "images": torch.arange(400),
        "labels": LABELS,
        "validation": torch.arange(400) < 30,
    }
    source = SourceImages("three", ("b", "a"), images, images)
    pair = PairParams(positive="a", negative="b", test_share=0.2)
    training, run = TrainingParams.model_construct(), RunParams.model_construct(seed=0)
    found = validation_of(source, pair, training, run)
    assert found["images"].tolist() == list(range(30))


def test_tied_probabilities_stay_together() -> None:
    p = torch.tensor([0.1, 0.3, 0.3, 0.3, 0.9, 0.9]).repeat(20)
    labels = torch.tensor([0, 0, 1, 1, 1, 1]).repeat(20)
    t, _ = threshold_of(OperatingPoint(sensitivity=0.6), p, labels)
    assert 0.1 < t < 0.3
    assert threshold_of(OperatingPoint(sensitivity=0.5), p, labels)[0] > 0.3
