from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from borderline.boundary import ConfusionParams
from borderline.errors import BorderlineError
from borderline.measures.inference import embed, other_mass, predict
from borderline.params import PairParams, RunParams
from borderline.pipelines.classifier.nodes import (
    calibrate_classifier,
    choose_boundary,
    evaluate_classifier,
    keep_best_classifier,
    take_repaired,
    train_classifier,
    view_real_images,
)
from borderline.pipelines.classifier.params import RepairedModelParams
from borderline.pipelines.classifier.scores import fit_temperature
from borderline.records import LabelledImages, take_rows
from borderline.training.networks import Classifier, build_model
from borderline.training.params import ModelParams, TrainingParams
from borderline.training.reserve import validation_rows
from conftest import BOUNDARY

NAMES = {"source": "digits", "negative": "1", "positive": "7"}
CPU = torch.device("cpu")
CONFUSION = ConfusionParams(threshold=0.5, band=0.1, scale="probability")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return build_model("cnn", 1, (1, 12, 12))


REPAIRED = RepairedModelParams(kind="repaired", of="cnn_1")
HALF = TrainingParams(epochs=1, batch_size=8, learning_rate=0.1, validation_share=0.5, patience=1)


def test_no_reserve_image_is_in_the_boundary_or_calibration_of_a_repaired_model(
    classifier: Classifier, pair_images: LabelledImages, run: RunParams
) -> None:
    """The arm ``uncertain`` has trained on some of them."""
    selection = validation_rows(pair_images, HALF, run, repaired=True)
    labels = pair_images["labels"]
    # Positive images have p = 0.25 among the selection images, and 0.001 elsewhere.
    p = torch.full((60,), 0.001)
    p[selection] = 0.25
    view: Any = {"train_p": torch.where(labels == 1, p, 0.0001)}
    point = {"threshold": {"sensitivity": 0.8}, "band": 0.1, "scale": "logit"}
    settings: Any = {"classifier": HALF, "run": run}
    settings["confusion"] = ConfusionParams.model_validate(point)
    usual, own = (
        choose_boundary(view, pair_images, **settings, repaired=repaired)["threshold"]
        for repaired in (None, REPAIRED)
    )
    assert usual < 0.001 < own < 0.25
    table = calibrate_classifier(classifier, pair_images, training=HALF, run=run, repaired=REPAIRED)
    p = predict(classifier, pair_images["images"][selection], CPU)
    assert table["loss"][0] == fit_temperature(p, labels[selection])["loss"]


def test_a_repaired_model_that_guesses_is_refused(
    pair_images: LabelledImages,
) -> None:
    guess = Classifier(torch.nn.Sequential(torch.nn.Flatten()), 144, 1)
    torch.nn.init.zeros_(guess.head.weight)
    original = ModelParams(kind="cnn", filters=1, allow_chance=False)
    settings: Any = {"model": REPAIRED, "original": original, "confusion": CONFUSION}
    with pytest.raises(BorderlineError, match=r"cnn_1 \(repaired\) classifies 30 of 60"):
        take_repaired(guess, pair_images, **settings)
    settings["original"] = original.model_copy(update={"allow_chance": True})
    assert take_repaired(guess, pair_images, **settings) is guess


def test_view_has_p_and_embeddings_of_all_real_images(
    classifier: Classifier, pair_images: LabelledImages, run: RunParams
) -> None:
    test = take_rows(pair_images, slice(20))
    view = view_real_images(classifier, pair_images, test, run=run)
    assert list(view) == ["train_p", "test_p", "train_embeddings", "test_embeddings"]
    for part, data in (("train", pair_images), ("test", test)):
        p, embeddings = view[f"{part}_p"], view[f"{part}_embeddings"]  # type: ignore[literal-required]
        assert torch.equal(p, predict(classifier, data["images"], CPU))
        assert torch.equal(embeddings, embed(classifier, data["images"], CPU))
    table, _ = evaluate_classifier(view, BOUNDARY, test, NAMES)
    assert table["test_images"][0] == 20
    assert table["embedding_width"][0] == view["test_embeddings"].shape[1]
    assert "other_mass" not in table


def test_only_a_model_of_more_classes_has_other_mass(
    pair_images: LabelledImages, run: RunParams
) -> None:
    class OfManyClasses(Classifier):
        most_other_mass = 0.5

        def other_mass(self, images: Tensor) -> Tensor:
            return images.mean((1, 2, 3)).sigmoid()

    model = OfManyClasses(torch.nn.Sequential(torch.nn.Flatten()), 144, 1)
    view = view_real_images(model, pair_images, pair_images, run=run)
    mass = other_mass(model, pair_images["images"], CPU)
    assert torch.equal(view["test_other_mass"], mass)
    table, _ = evaluate_classifier(view, BOUNDARY, pair_images, NAMES)
    assert list(table)[-2:] == ["other_mass", "embedding_width"]
    assert table["other_mass"][0] == pytest.approx(mass.mean().item())


def test_model_that_learns_nothing_is_refused_unless_a_setting_allows_it(
    pair_images: LabelledImages, pair: PairParams, run: RunParams
) -> None:
    training = TrainingParams(
        epochs=1, batch_size=30, learning_rate=1e-6, validation_share=0.2, patience=1
    )
    model = ModelParams(kind="mlp", filters=1, allow_chance=False)
    outputs = train_classifier(
        pair_images, {}, model=model, classifier=training, pair=pair, run=run
    )
    checkpoints = {name: lambda s=state: s for saved, _ in outputs for name, state in saved.items()}
    settings = {"classifier": training, "confusion": CONFUSION}
    with pytest.raises(BorderlineError, match=r"filters 1 .* 0 of 60 .* guessing.*allow_chance"):
        keep_best_classifier(checkpoints, pair_images, model=model, **settings)
    allowed = model.model_copy(update={"allow_chance": True})
    keep_best_classifier(checkpoints, pair_images, model=allowed, **settings)
