"""The nodes of stage 1."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name, latest
from borderline.datasets.image_source import SourceImages
from borderline.imported.classifier import ImportedClassifier
from borderline.imported.params import ImportedModelParams
from borderline.measures.inference import embed, most_other_mass, other_mass, predict
from borderline.params import ConfusionParams, PairParams, RunParams
from borderline.pipelines.classifier.calibration import fit_temperature
from borderline.pipelines.classifier.figures import draw_classifier_scores
from borderline.pipelines.classifier.networks import Classifier, build_judge, build_model
from borderline.pipelines.classifier.pairs import images_of_pair, labels_of_pair, split_source
from borderline.pipelines.classifier.params import (
    ModelParams,
    TrainingParams,
    classifier_settings,
    judge_settings,
)
from borderline.pipelines.classifier.scores import score_classifier
from borderline.pipelines.classifier.training import (
    binary_loss,
    class_loss,
    evaluate,
    split_validation,
    train,
)
from borderline.records import LabelledImages

Epoch = tuple[dict[str, Checkpoint], pd.DataFrame]


def select_pair(
    source: SourceImages, pair: PairParams, run: RunParams
) -> tuple[LabelledImages, LabelledImages, dict[str, str]]:
    """The images of the two classes.

    Returns:
        Training and test images, labelled 1 (positive) and 0 (negative); and the names of the
        ``source`` and of its classes ``positive`` and ``negative``.
    """
    positive, negative = labels_of_pair(source, pair)
    train_images, test_images = _split(source, pair, run)
    return (
        images_of_pair(train_images, positive, negative),
        images_of_pair(test_images, positive, negative),
        {
            "source": source.name,
            "positive": source.classes[positive],
            "negative": source.classes[negative],
        },
    )


def train_classifier(
    pair_train: LabelledImages,
    so_far: Checkpoints,
    model: ModelParams,
    classifier: TrainingParams,
    pair: PairParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Train a model under test; yields its checkpoints and the history after each epoch."""
    channels, height, width = pair_train["images"].shape[1:]
    with run.global_seed("classifier", "weights"):
        network = build_model(model.kind, model.filters, (channels, height, width))
    for checkpoint in train(
        network,
        pair_train,
        binary_loss,
        params=classifier,
        run=run,
        purpose="classifier",
        settings=classifier_settings(run, pair, model, classifier),
        so_far=so_far,
    ):
        yield _epoch(checkpoint)


def keep_best_classifier(
    checkpoints: Checkpoints, model: ModelParams, classifier: TrainingParams
) -> Classifier:
    """The model under test with the weights of its best validation loss."""
    checkpoint = _last(checkpoints, classifier)
    channels, height, width = checkpoint["state"]["image_shape"]
    network = build_model(model.kind, model.filters, (channels, height, width))
    return _finished(network, checkpoint, {"classifier.epochs": classifier.epochs})


def import_classifier(
    imported_file: bytes,
    pair_train: LabelledImages,
    judge: nn.Module,
    model: ImportedModelParams,
) -> ImportedClassifier:
    """A model under test that was trained elsewhere."""
    return ImportedClassifier(model, imported_file, tuple(pair_train["images"].shape[1:]), judge)


def evaluate_classifier(
    classifier: nn.Module, pair_test: LabelledImages, confusion: ConfusionParams, run: RunParams
) -> tuple[pd.DataFrame, Figure]:
    """Scores of a model under test on the real test images, as one row and as a figure."""
    p = predict(classifier, pair_test["images"], run.torch_device())
    scores = score_classifier(p, pair_test["labels"], confusion.band)
    if most_other_mass(classifier) is not None:
        other = other_mass(classifier, pair_test["images"], run.torch_device())
        scores["other_mass"] = float(other.mean())
    scores["embedding_width"] = embed(
        classifier, pair_test["images"][:1], run.torch_device()
    ).shape[1]
    figure = draw_classifier_scores(p, pair_test["labels"], scores, confusion.band)
    return pd.DataFrame([scores]), figure


def calibrate_classifier(
    classifier: nn.Module, pair_train: LabelledImages, training: TrainingParams, run: RunParams
) -> pd.DataFrame:
    """The temperature of a model under test, fitted on its validation images, as one row."""
    _, rows = split_validation(pair_train["labels"], training, run, "classifier")
    p = predict(classifier, pair_train["images"][rows], run.torch_device())
    return pd.DataFrame([fit_temperature(p, pair_train["labels"][rows])])


def train_judge(
    source: SourceImages,
    so_far: Checkpoints,
    judge: TrainingParams,
    pair: PairParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Train the judge on all classes; yields its checkpoints and the history after each epoch."""
    images, _ = _split(source, pair, run)
    channels, height, width = images["images"].shape[1:]
    with run.global_seed("judge", "weights"):
        network = build_judge(len(source.classes), (channels, height, width))
    for checkpoint in train(
        network,
        images,
        class_loss,
        params=judge,
        run=run,
        purpose="judge",
        settings=judge_settings(run, pair, judge),
        so_far=so_far,
    ):
        yield _epoch(checkpoint)


def keep_best_judge(
    checkpoints: Checkpoints,
    source: SourceImages,
    judge: TrainingParams,
    pair: PairParams,
    run: RunParams,
) -> tuple[Classifier, pd.DataFrame]:
    """The judge with the weights of its best validation loss, and its scores on the test images."""
    checkpoint = _last(checkpoints, judge)
    channels, height, width = checkpoint["state"]["image_shape"]
    network = build_judge(len(source.classes), (channels, height, width))
    network = _finished(network, checkpoint, {"judge.epochs": judge.epochs})
    _, test_images = _split(source, pair, run)
    device = run.torch_device()
    loss, accuracy = evaluate(
        network.to(device),
        test_images["images"].to(device),
        test_images["labels"].to(device),
        class_loss,
    )
    row = {"accuracy": accuracy, "loss": loss, "test_images": len(test_images["labels"])}
    return network.cpu(), pd.DataFrame([row])


def embed_real_images(
    judge: nn.Module, pair_train: LabelledImages, pair_test: LabelledImages, run: RunParams
) -> dict[str, Tensor]:
    """The judge's features of the pair: ``features`` of its training images, ``test_features``."""
    device = run.torch_device()
    return {
        "features": embed(judge, pair_train["images"], device),
        "test_features": embed(judge, pair_test["images"], device),
    }


def _split(
    source: SourceImages, pair: PairParams, run: RunParams
) -> tuple[LabelledImages, LabelledImages]:
    return split_source(source, pair.test_share, run.seed_for("test images"))


def _epoch(checkpoint: Checkpoint) -> Epoch:
    return {epoch_name(checkpoint["epoch"]): checkpoint}, pd.DataFrame(checkpoint["history"])


def _last(checkpoints: Checkpoints, params: TrainingParams) -> Checkpoint:
    checkpoint = latest(checkpoints, params.epochs)
    assert checkpoint is not None, "training yields at least one checkpoint"
    return checkpoint


def _finished(network: Classifier, checkpoint: Checkpoint, epochs: dict[str, int]) -> Classifier:
    network.load_state_dict(checkpoint["state"]["best_weights"])
    network.settings = {**checkpoint["settings"], **epochs}
    return network.eval()
