"""The nodes of stage 1."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from borderline.streaming import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from pandas import DataFrame
    from torch import nn

    from borderline.boundary import Boundary, ConfusionParams
    from borderline.committee import Committee
    from borderline.datasets.checkpoints import Checkpoints
    from borderline.datasets.image_source import SourceImages
    from borderline.imported.classifier import ImportedClassifier
    from borderline.imported.judge import ImportedJudge
    from borderline.imported.params import ImportedJudgeParams, ImportedModelParams
    from borderline.params import PairParams, RunParams
    from borderline.pipelines.classifier.params import (
        AnyOriginal,
        JudgeParams,
        RepairedModelParams,
    )
    from borderline.records import LabelledImages, RealFeatures, RealView
    from borderline.training.epochs import Epoch
    from borderline.training.networks import Classifier
    from borderline.training.params import AnyTrainedModel, TrainingParams


def select_pair(
    source: SourceImages, *, pair: PairParams, run: RunParams
) -> tuple[LabelledImages, LabelledImages, dict[str, str], DataFrame]:
    """The images of the two classes.

    Returns:
        Training and test images, labelled 1 (positive) and 0 (negative); the names of the
        ``source`` and of its classes ``positive`` and ``negative``; and the columns beside them.
    """
    from borderline.pipelines.classifier.pairs import (
        columns_of_pair,
        labels_of_pair,
        split_pair,
    )

    positive, negative = labels_of_pair(source, pair)
    return (
        *split_pair(source, pair, run.seed_for("test images")),
        {
            "source": source.name,
            "positive": source.classes[positive],
            "negative": source.classes[negative],
        },
        columns_of_pair(source, pair, run.seed_for("test images")),
    )


@streams(
    "classifier_history_table",
    step="epoch",
    total=lambda model, classifier: model.training(classifier).epochs,
)
def train_classifier(
    pair_train: LabelledImages,
    classifier_checkpoints_so_far: Checkpoints,
    pretrained: bytes = b"",
    *,
    model: AnyTrainedModel,
    classifier: TrainingParams,
    pair: PairParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Train a model under test; yields its checkpoint and the history after each epoch.

    ``pretrained`` is a safetensors file of the weights to start from; empty for random ones.
    """
    from borderline.training.epochs import as_epoch, binary_loss, train
    from borderline.training.networks import build_trained, start_from
    from borderline.training.params import classifier_settings

    with run.global_seed("classifier", "weights"):
        network = build_trained(model, pair_train["images"].shape[1:])
    settings = classifier_settings(run, pair, model, classifier)
    checkpoints = train(
        network,
        pair_train,
        binary_loss,
        params=model.training(classifier),
        run=run,
        purpose="classifier",
        settings=settings | start_from(network, pretrained),
        so_far=classifier_checkpoints_so_far,
    )
    yield from map(as_epoch, checkpoints)


def keep_best_classifier(
    classifier_checkpoints: Checkpoints,
    pair_test: LabelledImages,
    *,
    model: AnyTrainedModel,
    classifier: TrainingParams,
    confusion: ConfusionParams,
) -> Classifier:
    """The model under test with the weights of its best validation loss.

    Raises:
        BorderlineError: When it is no more accurate than guessing on the test images.
    """
    from borderline.pipelines.classifier.scores import check_better_than_guessing
    from borderline.training.epochs import best_network
    from borderline.training.networks import build_trained

    build, training = partial(build_trained, model), model.training(classifier)
    network = best_network(build, classifier_checkpoints, training, group="classifier")
    if not model.allow_chance:
        threshold = confusion.known_threshold
        check_better_than_guessing(network, pair_test, threshold, model.title)
    return network


def import_classifier(
    imported_file: bytes,
    pair_train: LabelledImages,
    judge: nn.Module,
    *,
    model: ImportedModelParams,
) -> ImportedClassifier:
    """A model under test that was trained elsewhere."""
    from borderline.imported.classifier import ImportedClassifier

    return ImportedClassifier(model, imported_file, tuple(pair_train["images"].shape[1:]), judge)


def take_repaired(
    repaired: nn.Module,
    pair_test: LabelledImages,
    *,
    model: RepairedModelParams,
    original: AnyOriginal,
    confusion: ConfusionParams,
) -> nn.Module:
    """The repaired version of another model under test; ``original`` are the settings of that one.

    Raises:
        BorderlineError: When it is no more accurate than guessing on the test images.
    """
    from borderline.pipelines.classifier.scores import check_better_than_guessing

    if not original.allow_chance:
        threshold = confusion.known_threshold
        check_better_than_guessing(repaired, pair_test, threshold, f"{model.of} (repaired)")
    return repaired


def view_real_images(
    classifier: nn.Module,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    *,
    run: RunParams,
) -> RealView:
    """The pair's real images as a model under test sees them, for all stages that need it."""
    from borderline.measures.inference import embed, most_other_mass, other_mass, predict_real

    device, train, test = run.torch_device(), pair_train["images"], pair_test["images"]
    view: RealView = {
        "train_p": predict_real(classifier, train, device),
        "test_p": predict_real(classifier, test, device),
        "train_embeddings": embed(classifier, train, device),
        "test_embeddings": embed(classifier, test, device),
    }
    if most_other_mass(classifier) is not None:
        view["test_other_mass"] = other_mass(classifier, test, device)
    if "groups" in pair_test:
        view["test_groups"] = pair_test["groups"]
    return view


def choose_boundary(
    real_view: RealView,
    pair_train: LabelledImages,
    *,
    confusion: ConfusionParams,
    classifier: TrainingParams,
    run: RunParams,
    repaired: RepairedModelParams | None = None,
) -> Boundary:
    """The decision boundary of a model under test, with a threshold by its validation images."""
    from borderline.training.reserve import validation_rows
    from borderline.training.thresholds import boundary_of

    rows = validation_rows(pair_train, classifier, run, repaired=repaired is not None)
    return boundary_of(confusion, real_view["train_p"][rows], pair_train["labels"][rows])


def evaluate_classifier(
    real_view: RealView,
    boundary: Boundary,
    pair_test: LabelledImages,
    pair_names: dict[str, str],
) -> tuple[DataFrame, Figure]:
    """Scores of a model under test on the real test images, as one row and as a figure.

    The figure shows p of the training images too.
    """
    from pandas import DataFrame

    from borderline.measures.class_names import ClassNames
    from borderline.measures.classification import score_classifier
    from borderline.pipelines.classifier.scores import draw_classifier_scores

    p, labels = real_view["test_p"], pair_test["labels"]
    groups = pair_test.get("groups")
    scores = score_classifier(p, labels, boundary, groups)
    if "test_other_mass" in real_view:
        scores["other_mass"] = float(real_view["test_other_mass"].mean())
    scores["embedding_width"] = real_view["test_embeddings"].shape[1]
    names = ClassNames.of(pair_names)
    figure = draw_classifier_scores(p, labels, scores, boundary, names, real_view["train_p"])
    return DataFrame([scores]), figure


def calibrate_classifier(
    classifier: nn.Module,
    pair_train: LabelledImages,
    *,
    training: TrainingParams,
    run: RunParams,
    repaired: RepairedModelParams | None = None,
) -> DataFrame:
    """The temperature of a model under test, fitted on its validation images, as one row."""
    from pandas import DataFrame

    from borderline.measures.inference import predict
    from borderline.pipelines.classifier.scores import fit_temperature
    from borderline.training.reserve import validation_rows

    images, labels = pair_train["images"], pair_train["labels"]
    rows = validation_rows(pair_train, training, run, repaired=repaired is not None)
    # Not from the real view: the last digits of p depend on the batch, and the temperature with
    # them.
    p = predict(classifier, images[rows], run.torch_device())
    return DataFrame([fit_temperature(p, labels[rows])])


@streams("history_table", step="epoch", total=lambda judge: judge.epochs)
def train_judge(
    source: SourceImages,
    judge_checkpoints_so_far: Checkpoints,
    *,
    judge: JudgeParams,
    member: int,
    pair: PairParams,
    run: RunParams,
) -> Iterator[Epoch]:
    """Train a judge on all classes; yields its checkpoint and the history after each epoch.

    Each ``member`` but the first has its own seed and resample, and sees blends of images.
    """
    from borderline.pipelines.classifier.params import judge_settings
    from borderline.training.epochs import as_epoch, class_loss, train
    from borderline.training.networks import build_judge
    from borderline.training.resampling import blend

    images, _ = _split(source, pair, run)
    classes, first = len(source.classes), member == 1
    seeded = run if first else run.model_copy(update={"seed": run.seed_for("judge", member)})
    with seeded.global_seed("judge", "weights"):
        network = build_judge(classes, images["images"].shape[1:])
    checkpoints = train(
        network,
        images,
        class_loss,
        params=judge,
        run=seeded,
        purpose="judge",
        settings=judge_settings(run, pair, judge, member),
        so_far=judge_checkpoints_so_far,
        resampled=not first,
        change=None if first else partial(blend, classes=classes, share=judge.blended),
    )
    yield from map(as_epoch, checkpoints)


def keep_best_judge(
    judge_checkpoints: Checkpoints,
    source: SourceImages,
    *,
    judge: JudgeParams,
    pair: PairParams,
    run: RunParams,
) -> tuple[Classifier, DataFrame]:
    """A judge with the weights of its best validation loss, and its scores on the test images."""
    from pandas import DataFrame

    from borderline.training.epochs import best_network, class_loss, evaluate
    from borderline.training.networks import build_judge

    build = partial(build_judge, len(source.classes))
    network = best_network(build, judge_checkpoints, judge, group="judge")
    _, test = _split(source, pair, run)
    device, labels = run.torch_device(), test["labels"]
    loss, accuracy = evaluate(
        network.to(device), test["images"].to(device), labels.to(device), class_loss
    )
    row = {"accuracy": accuracy, "loss": loss, "test_images": len(labels)}
    return network.cpu(), DataFrame([row])


def import_judge(
    imported_file: bytes, pair_train: LabelledImages, *, judge: ImportedJudgeParams
) -> ImportedJudge:
    """A judge that was trained elsewhere."""
    from borderline.imported.judge import ImportedJudge

    return ImportedJudge(judge, imported_file, tuple(pair_train["images"].shape[1:]))


def gather_committee(
    source: SourceImages,
    pair_test: LabelledImages,
    *,
    pair: PairParams,
    run: RunParams,
    **members: nn.Module,
) -> tuple[Committee, DataFrame]:
    """The committee of judges, and its scores on the test images of the pair as one row."""
    from pandas import DataFrame

    from borderline.pipelines.classifier.judges import committee_of, score_committee
    from borderline.pipelines.classifier.pairs import labels_of_pair

    committee = committee_of(list(members.values()), source.classes, labels_of_pair(source, pair))
    return committee, DataFrame([score_committee(committee, pair_test, run.torch_device())])


def embed_real_images(
    judge: nn.Module, pair_train: LabelledImages, pair_test: LabelledImages, *, run: RunParams
) -> RealFeatures:
    """The judge's features of the pair's real images."""
    from borderline.measures.inference import embed

    device = run.torch_device()
    return {
        "features": embed(judge, pair_train["images"], device),
        "test_features": embed(judge, pair_test["images"], device),
    }


def _split(
    source: SourceImages, pair: PairParams, run: RunParams
) -> tuple[LabelledImages, LabelledImages]:
    from borderline.pipelines.classifier.pairs import split_source

    return split_source(source, pair.test_share, run.seed_for("test images"))
