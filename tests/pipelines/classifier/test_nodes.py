from __future__ import annotations

import pytest
import torch
from torch import Tensor

from borderline.boundary import ConfusionParams
from borderline.errors import BorderlineError
from borderline.measures.inference import embed, other_mass, predict
from borderline.params import PairParams, RunParams
from borderline.pipelines.classifier.nodes import (
    evaluate_classifier,
    keep_best_classifier,
    train_classifier,
    view_real_images,
)
from borderline.records import LabelledImages, take_rows
from borderline.training.networks import Classifier, build_model
from borderline.training.params import ModelParams, TrainingParams
from conftest import BOUNDARY

NAMES = {"source": "digits", "negative": "1", "positive": "7"}
CPU = torch.device("cpu")
CONFUSION = ConfusionParams(threshold=0.5, band=0.1, scale="probability")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return build_model("cnn", 1, (1, 12, 12))


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
