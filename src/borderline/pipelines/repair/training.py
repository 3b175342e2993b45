"""The trainings of a repair: the model under test with the images of each arm, several seeds each.

Trainings with the same seed begin with the same weights in all arms. They see the images in the
same order where the arms have equally many.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from borderline.boundary import ConfusionParams, OperatingPoint
from borderline.datasets.checkpoints import Checkpoint, Checkpoints, check_settings
from borderline.datasets.tensors import digest
from borderline.errors import BorderlineError
from borderline.imported.classifier import ImportedClassifier
from borderline.imported.finetuned import FinetunedClassifier, fault_of_finetuning
from borderline.imported.params import ImportedModelParams
from borderline.measures.inference import predict
from borderline.measures.leaks import check_not_held_out
from borderline.params import PairParams, RunParams, Setting
from borderline.pipelines.repair.arms import added, arms_in, count_of
from borderline.pipelines.repair.keeping import ARM, check_kept, name_of
from borderline.pipelines.repair.params import AGAIN, Arm, RepairParams, data_settings
from borderline.records import FreshImages, LabelledImages, RepairImages, tensors_of
from borderline.training.epochs import binary_loss, split_validation, train
from borderline.training.networks import build_trained, start_from
from borderline.training.params import (
    PRETRAINED_DIGEST,
    AnyTrainedModel,
    TrainingParams,
    classifier_settings,
)
from borderline.training.reserve import split_reserve
from borderline.training.thresholds import boundary_of, check_count

PURPOSE = "repair"
"""The name of the trainings in the derivation of their seeds."""
FOLDER = "repair/trainings"
"""The folder of the checkpoints, in that of the models of a run."""
_DIGEST = "{} images digest"
_AUGMENTED: Arm = "augmented"

Progress = tuple[dict[str, Checkpoint], pd.DataFrame]
"""A finished training by its name, and the history of all so far."""


class Recipe(NamedTuple):
    """The training of a model.

    Attributes:
        build: Gives the network with its initial weights; takes the run of the training.
        params: The settings of the training.
        settings: Their fingerprint, and that of the model.
    """

    build: Callable[[RunParams], nn.Module]
    params: TrainingParams
    settings: dict[str, Setting]


class RealData(NamedTuple):
    """The real images of a repair: N for training, V for the selection, and those for tests.

    Attributes:
        images: For training, (N, C, H, W).
        labels: 0 or 1, (N,).
        selection_images: For early stopping and the choice of an arm, (V, C, H, W).
        selection_labels: 0 or 1, (V,).
        test: Only predicted, after the training.
    """

    images: Tensor
    labels: Tensor
    selection_images: Tensor
    selection_labels: Tensor
    test: LabelledImages

    @classmethod
    def of(
        cls,
        pair_train: LabelledImages,
        pair_test: LabelledImages,
        training: TrainingParams,
        run: RunParams,
    ) -> RealData:
        """Without the reserve, which only the arm ``uncertain`` takes images from."""
        rows, validation = split_validation(pair_train, training, run, "classifier")
        _, selection = split_reserve(pair_train, validation, run)
        images, labels = pair_train["images"], pair_train["labels"]
        selected = images[selection], labels[selection]
        return cls(images[rows], labels[rows], *selected, pair_test)

    def with_added(self, images: Tensor, targets: Tensor) -> LabelledImages:
        """The images of a training, with the probabilities to train towards as labels."""
        labels = [self.labels.float(), targets, self.selection_labels.float()]
        joined = torch.cat([self.images, images, self.selection_images])
        validation = torch.arange(len(joined)) >= len(self.images) + len(images)
        return {"images": joined, "labels": torch.cat(labels), "validation": validation}


class Planned(NamedTuple):
    """A training to make: its arm, seed, number of added images, fingerprint, and these images."""

    arm: Arm
    seed: int
    added: int
    settings: dict[str, Setting]
    images: Callable[[], tuple[Tensor, Tensor]]


def recipe_of(
    classifier: nn.Module,
    model: AnyTrainedModel | ImportedModelParams,
    pretrained: bytes,
    shape: tuple[int, ...],
    training: TrainingParams,
    repair: RepairParams,
    pair: PairParams,
    run: RunParams,
) -> Recipe:
    """The training of a model: anew, or for an imported one from its weights.

    Args:
        classifier: The model under test.
        model: Its settings.
        pretrained: The pretrained weights to start from; empty for random ones.
        shape: Channels, height and width of the images.

    Raises:
        BorderlineError: When an imported model cannot be fine-tuned.
    """
    if isinstance(classifier, ImportedClassifier):
        return _finetuning(classifier, training, repair)
    assert not isinstance(model, ImportedModelParams)
    # The accuracy of earlier epochs would need their checkpoints.
    params = model.training(training).model_copy(update={"training_accuracy": False})

    def build(run: RunParams) -> nn.Module:
        with run.global_seed(PURPOSE, "weights"):
            network = build_trained(model, shape)
        start_from(network, pretrained)
        return network

    settings = classifier_settings(run, pair, model, training)
    settings |= {"classifier.epochs": params.epochs}
    settings |= {PRETRAINED_DIGEST: hashlib.sha256(pretrained).hexdigest()} if pretrained else {}
    return Recipe(build, params, settings)


def _finetuning(
    classifier: ImportedClassifier, training: TrainingParams, repair: RepairParams
) -> Recipe:
    if fault := fault_of_finetuning(classifier):
        source = classifier.params.source
        raise BorderlineError(
            f"The model {source.path or source.import_path} cannot be repaired, because it cannot "
            f"be fine-tuned ({fault}): import it as a PyTorch model with weights of type float32 "
            "(state_dict, torch_export or torchscript)."
        )
    own = repair.finetuning
    # All epochs are trained, and the best one is kept.
    changed = {**own.model_dump(), "patience": own.epochs, "training_accuracy": False}
    settings = {**classifier.settings, **own.fingerprint("repair.finetuning")}
    build = partial(FinetunedClassifier.of, classifier)
    return Recipe(lambda _: build(), training.model_copy(update=changed), settings)


def plan(
    recipe: Recipe,
    data: RealData,
    repair_images: RepairImages,
    fresh: FreshImages,
    *,
    repair: RepairParams,
    confusion: ConfusionParams,
    run: RunParams,
) -> Iterator[Planned]:
    """All trainings, the seeds of an arm after each other."""
    count = count_of(repair_images, repair)
    point = confusion.threshold
    shared: dict[str, Setting] = {
        **recipe.settings,
        **run.fingerprint("run"),
        **confusion.fingerprint("confusion"),
        # Its own fingerprint has no operating point.
        "confusion.threshold": str(point) if isinstance(point, OperatingPoint) else point,
        **data_settings(repair),
        "number of added images": count,
        _DIGEST.format("real"): digest(*data[:4], *tensors_of(data.test)),
        _DIGEST.format("fresh"): digest(fresh["images"]),
    }
    for arm in arms_in(repair_images, repair):
        changes = repair.augmentation.fingerprint("repair.augmentation")
        for seed in range(1, repair.seeds + 1):
            draw = run.seed_for(PURPOSE, seed, "added")
            real = data.images, data.labels
            images = partial(added, repair_images, arm, count, draw, *real, repair)
            own = {ARM: arm, "repair.seed": seed, _DIGEST.format("added"): digest(*images())}
            settings = shared | (changes if arm == _AUGMENTED else {}) | own
            yield Planned(arm, seed, 0 if arm == AGAIN else count, settings, images)


def train_arms(
    recipe: Recipe,
    data: RealData,
    repair_images: RepairImages,
    fresh: FreshImages,
    so_far: Checkpoints,
    *,
    repair: RepairParams,
    confusion: ConfusionParams,
    run: RunParams,
) -> Iterator[Progress]:
    """Make all trainings and yield each when it has ended; those that have ended stay.

    Args:
        recipe: The training of the model.
        data: The real images.
        repair_images: The images of each arm.
        fresh: Images that the trained networks are tested on.
        so_far: The trainings that have ended, by name.

    Yields:
        The training by its name; its state has ``test_p``, ``fresh_p`` and ``selection_p``, the
        ``boundary``, its ``threshold``, the ``selection_loss`` and, for the first seed, the
        ``weights``. An empty dictionary for one that had ended before.

    Raises:
        BorderlineError: Before any training: when an arm holds a test or selection image, when no
            arm has enough images, or when a training that has ended was made with other settings or
            images. After one: when its network has no threshold of the operating point.
    """
    _check(data, repair_images, confusion, repair)
    settings = {"repair": repair, "confusion": confusion, "run": run}
    planned = list(plan(recipe, data, repair_images, fresh, **settings))  # type: ignore[arg-type]
    names = [name_of(each.arm, each.seed) for each in planned]
    _check_leftover(so_far, names, repair)
    finished = {name: so_far[name]() for name in names if name in so_far}
    for name, each in zip(names, planned, strict=True):
        if name in finished:
            check_settings(finished[name], each.settings, where=f"{FOLDER} of this model")
    rows: list[dict[str, Any]] = []
    for name, each in zip(names, planned, strict=True):
        made = {} if name in finished else {name: _train(each, recipe, data, fresh, confusion, run)}
        rows.append(_row(len(rows) + 1, each, {**finished, **made}[name]))
        yield made, pd.DataFrame(rows)


def _check(
    data: RealData, repair_images: RepairImages, confusion: ConfusionParams, repair: RepairParams
) -> None:
    check_kept(arms_in(repair_images, repair), repair)
    pools = {
        name.removesuffix(".images"): images
        for name, images in repair_images.items()
        if name.endswith(".images")
    }
    held_out = {"test": data.test["images"], "selection": data.selection_images}
    check_not_held_out(pools, held_out)
    if isinstance(confusion.threshold, OperatingPoint):
        check_count(confusion.threshold, data.selection_labels)


def _check_leftover(so_far: Checkpoints, names: Sequence[str], repair: RepairParams) -> None:
    """Make sure that no training of an arm is there that has too few images by now."""
    for arm in repair.arms:
        name = name_of(arm, 1)
        if name in so_far and name not in names:
            raise BorderlineError(
                f"repair.arms names {arm!r}, which has too few labelled images now, but {FOLDER} "
                f"of this model has its trainings: take {arm} out of repair.arms, "
                "move that folder away to train again, or give the run another data_folder "
                "(conf/<env>/globals.yml)."
            )


def _train(
    planned: Planned,
    recipe: Recipe,
    data: RealData,
    fresh: FreshImages,
    confusion: ConfusionParams,
    run: RunParams,
) -> Checkpoint:
    seeded = run.model_copy(update={"seed": run.seed_for(PURPOSE, planned.seed)})
    network, images = recipe.build(seeded), data.with_added(*planned.images())
    epochs = train(
        network,
        images,
        binary_loss,
        params=recipe.params,
        run=seeded,
        purpose=PURPOSE,
        settings={},
        so_far={},
    )
    (last,) = deque(epochs, maxlen=1)
    network.load_state_dict(last["state"]["best_weights"])
    weights = {name: weight.cpu() for name, weight in network.state_dict().items()}
    return Checkpoint(
        epoch=last["epoch"],
        settings=planned.settings,
        history=last["history"],
        state={
            **_predictions(network, data, fresh, confusion, run),
            "selection_loss": last["state"]["best_loss"],
            **({"weights": weights} if planned.seed == 1 else {}),
        },
    )


def _predictions(
    network: nn.Module,
    data: RealData,
    fresh: FreshImages,
    confusion: ConfusionParams,
    run: RunParams,
) -> dict[str, Any]:
    """The network's p of all images, and its decision boundary."""
    images = {
        "test_p": data.test["images"],
        "fresh_p": fresh["images"],
        "selection_p": data.selection_images,
    }
    device = run.torch_device()
    p = {name: predict(network, some, device) for name, some in images.items() if len(some)}
    # Not every network takes an empty batch.
    p |= {name: torch.zeros(0) for name in images if name not in p}
    boundary = boundary_of(confusion, p["selection_p"], data.selection_labels)
    return {**p, "boundary": dict(boundary), "threshold": boundary["threshold"]}


def _row(number: int, planned: Planned, training: Checkpoint) -> dict[str, Any]:
    history, state = training["history"], training["state"]
    losses = [row["validation_loss"] for row in history]
    best = history[losses.index(min(losses))]
    return {
        "training": number,
        "arm": planned.arm,
        "seed": planned.seed,
        "epochs": training["epoch"],
        "best_epoch": int(best["epoch"]),
        "added_images": planned.added,
        "train_loss": best["train_loss"],
        "selection_loss": state["selection_loss"],
        "selection_accuracy": best["validation_accuracy"],
        "threshold": state["threshold"],
    }
