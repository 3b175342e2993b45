"""Every stage decides at the threshold of the model: here 0.2, where 0.5 gives other results."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from borderline.boundary import Boundary, calibrated_boundary, uncentred
from borderline.measures.confusion import centred
from borderline.params import RunParams
from borderline.pipelines.compare.sides import compare_errors
from borderline.pipelines.compare.transfer import SHARED, OtherModel, carry_over
from borderline.pipelines.gasten.kinds import gasten
from borderline.pipelines.gasten.nodes import make_images
from borderline.pipelines.metrics.measuring import confusion_columns, confusion_sums
from borderline.pipelines.prototypes.explaining import nodes as explaining
from borderline.pipelines.prototypes.explaining import tipping, words
from borderline.pipelines.prototypes.usefulness import errors, rejection
from borderline.pipelines.prototypes.usefulness.nodes import evaluate_patterns
from borderline.pipelines.rating import items
from borderline.pipelines.rating.nodes import choose_rating_items
from borderline.pipelines.report import views
from borderline.records import take_rows
from borderline.sampling import Parts, Sampler, generate_borderline
from conftest import findings_of, generator_settings, metrics_params, prototypes_params

AT: Boundary = {"threshold": 0.2, "band": 0.1, "scale": "probability", "rule": ""}
P = torch.tensor([0.1, 0.25, 0.4, 0.45])
LABELS = torch.tensor([0, 0, 1, 1])
WRONG = [False, True, False, False]


class Captured(Exception):
    """Ends a function with the arguments of another."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


def _capture(*arguments: Any, **_: Any) -> Any:
    raise Captured(*arguments)


def test_errors_near_patterns_are_those_at_the_threshold(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "errors_near", _capture)
    model: Any = SimpleNamespace(
        assign=lambda vectors: (np.zeros(len(vectors)), None, None),
        typicality=lambda vectors: np.ones(len(vectors)),
    )
    given: Any = {"test_p": P, "test_embeddings": torch.eye(4)}
    nothing: Any = {}
    test: Any = {"labels": LABELS}
    # No image is near a cluster that has no image of the generator, and no prototype.
    for images, near in ((3, [0, 0, 0, 0]), (0, [-1, -1, -1, -1])):
        sizes = pd.DataFrame({"images": [images]})
        with pytest.raises(Captured) as captured:
            evaluate_patterns(nothing, nothing, nothing, model, sizes, test, given, AT, run=run)
        assert captured.value.arguments[0].tolist() == near
        assert captured.value.arguments[1].tolist() == WRONG


def test_confidence_is_the_distance_from_the_threshold() -> None:
    nothing = np.zeros((0, 2))
    scores = rejection.scores_of(P, AT, np.zeros((4, 2)), nothing, nothing)
    assert scores["confidence"] == pytest.approx([0.1, 0.05, 0.2, 0.25])


def test_patterns_are_compared_with_images_that_are_confident_beside_the_threshold(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "compare_properties", _capture)
    nothing: Any = {}
    with pytest.raises(Captured) as captured:
        explaining.describe_patterns(*(nothing,) * 8, AT, settings=prototypes_params(), run=run)
    assert captured.value.arguments[5] == (uncentred(1 - 0.9, 0.2), uncentred(0.9, 0.2))


def test_people_see_real_images_that_are_confident_beside_the_threshold(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "choose_items", _capture)
    nothing: Any = {}
    view: Any = {"test_p": P}
    with pytest.raises(Captured) as captured:
        choose_rating_items(*(nothing,) * 4, view, AT, rating=nothing, confident=0.9, run=run)
    assert torch.equal(captured.value.arguments[4], centred(P, 0.2))


def test_two_models_are_wrong_at_their_own_thresholds() -> None:
    test = {"images": torch.zeros(4, 1, 1, 1), "labels": LABELS}

    def side(threshold: float) -> Any:
        findings = findings_of(threshold=threshold)
        return SimpleNamespace(findings=findings, pair_test=test, real_view={"test_p": P})

    found = compare_errors(side(0.2), side(0.5))
    assert (found["only_this"], found["only_other"]) == (1, 2)


def test_other_model_is_unsure_near_its_own_threshold() -> None:
    real, near = np.linspace(0, 1, 100), np.full(40, 0.2)
    other = OtherModel(near, np.eye(3)[[0] * 40], np.zeros((0, 3)), real, AT)
    table = carry_over("a", findings_of(1), np.zeros(40, dtype=int), other, 0.05)
    assert table["verdict"].tolist() == [SHARED]
    assert table["borderline"].tolist() == [1]


def test_calibration_leaves_the_images_on_their_sides() -> None:
    metrics = metrics_params(sample_size=20, fewest_images=10, neighbours=2)
    raw, calibrated = confusion_sums(P, 2.0, metrics, AT)
    assert raw.above == calibrated.above == 3
    columns = confusion_columns([raw, calibrated], 2.0, AT)
    assert columns["above_threshold_calibrated"] == columns["above_threshold"] == 0.75
    assert calibrated_boundary(AT, 2.0)["threshold"] == pytest.approx(1 / 3)


def test_page_shows_the_errors_at_the_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "of_file", lambda *_: {})
    counts = ("true_negative", "false_positive", "false_negative", "true_positive")
    scores = pd.DataFrame([dict.fromkeys(counts, 1) | {"ece": 0.1, "borderline_test_images": 1}])
    test: Any = {"images": torch.zeros(4, 1, 8, 8), "labels": LABELS}
    view = views.view_model(findings_of(threshold=0.2), scores, b"", P, test, 9)
    assert [picture["p"] for picture in view["errors"]["pictures"]] == ["0.25"]
    assert [picture["p"] for picture in view["borderline"]["pictures"]] == ["0.25", "0.10"]


def test_walks_start_from_the_threshold(run: RunParams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tipping, "tip", _capture)
    nothing: Any = {}
    prototypes: Any = {"rows": torch.zeros(0, dtype=torch.long)}
    embeddings: Any = {"embeddings": torch.zeros(2, 3)}
    with pytest.raises(Captured) as captured:
        explaining.tip_prototypes(
            *(prototypes, embeddings, *(nothing,) * 5, AT), settings=prototypes_params(), run=run
        )
    assert captured.value.arguments[7] == 0.2


class Threshold(Sampler):
    """Ends with the threshold that it is given."""

    def sample(self, *arguments: Any) -> Parts:
        raise Captured(arguments[-1])
        yield


def test_generators_are_asked_for_images_at_the_threshold(run: RunParams) -> None:
    model, real = torch.nn.Identity(), take_rows({"images": P, "labels": LABELS}, slice(4))
    given: Any = SimpleNamespace(images=4)
    with pytest.raises(Captured) as made:
        list(make_images(Threshold(), model, AT, real, generation=given, run=run))  # type: ignore[arg-type]
    with pytest.raises(Captured) as repeated:
        generate_borderline(Threshold(), model, real, AT, 4, run)  # type: ignore[arg-type]
    assert made.value.arguments == repeated.value.arguments == (0.2,)


def test_step_2_is_steered_to_the_threshold(run: RunParams) -> None:
    generator: Any = generator_settings("gasten")
    steering = gasten._steering(torch.nn.Identity(), P, generator, AT, run)
    assert steering.term.threshold == 0.2
