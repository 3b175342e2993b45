"""The arm of a repair that is kept, by its loss on the selection images, and its model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from statistics import fmean

from torch import nn

from borderline.datasets.checkpoints import Checkpoint, Checkpoints
from borderline.datasets.tensors import digest
from borderline.errors import BorderlineError
from borderline.imported.classifier import ImportedClassifier
from borderline.imported.finetuned import FinetunedClassifier
from borderline.params import Setting
from borderline.pipelines.repair.params import AGAIN, Arm, RepairParams

ARM = "repair.arm"
"""The entry of the fingerprint of a repaired model that holds its arm."""
_DIGEST = "repair.weights digest"


def name_of(arm: Arm, seed: int) -> str:
    """The name of a training; seeds count from 1.

    Example:
        >>> name_of("random", 2)
        'random_seed_2'
    """
    return f"{arm}_seed_{seed}"


def trainings_of(trainings: Checkpoints, arm: Arm, repair: RepairParams) -> list[Checkpoint]:
    """The trainings of an arm in the order of their seeds; empty for an arm with too few images."""
    names = (name_of(arm, seed) for seed in range(1, repair.seeds + 1))
    return [trainings[name]() for name in names if name in trainings]


def kept_arm(trainings: Checkpoints, repair: RepairParams) -> Arm:
    """The arm whose model is kept.

    It is ``repair.keep``, or the arm with added images that has the lowest mean loss on the
    selection images; among equals the first one of the setting. Test images have no part in it.

    Args:
        trainings: All trainings of the model.
        repair: The settings.
    """
    if repair.keep is not None:
        return repair.keep
    losses = dict(_mean_losses(trainings, repair))
    # No comparison with a loss that is no number is true.
    return min(losses, key=lambda arm: (losses[arm] != losses[arm], losses[arm]))


def _mean_losses(trainings: Checkpoints, repair: RepairParams) -> Iterator[tuple[Arm, float]]:
    for arm in repair.arms:
        finished = trainings_of(trainings, arm, repair)
        if arm != AGAIN and finished:
            yield arm, fmean(each["state"]["selection_loss"] for each in finished)


def repaired_model(classifier: nn.Module, training: Checkpoint, arm: Arm) -> nn.Module:
    """A copy of the model under test with the weights of a training, in evaluation mode.

    Its fingerprint is that of the model under test, with the arm and a digest of the weights.

    Raises:
        BorderlineError: When the training diverged.
    """
    weights = training["state"]["weights"]
    if not all(weight.isfinite().all() for weight in weights.values()):
        raise BorderlineError(
            f"The first training of the arm {arm} diverged, so there is no model to keep: lower "
            "the learning_rate of the model (of classifier or repair.finetuning), or set "
            "repair.keep to another arm."
        )
    changed: dict[str, Setting] = {ARM: arm, _DIGEST: digest(*weights.values())}
    if isinstance(classifier, ImportedClassifier):
        return _loaded(FinetunedClassifier.of(classifier, changed), weights)
    network = copy.deepcopy(classifier).cpu()
    network.settings = {**classifier.settings, **changed}  # type: ignore[dict-item, assignment]
    return _loaded(network, weights)


def _loaded(network: nn.Module, weights: dict[str, object]) -> nn.Module:
    network.load_state_dict(weights)
    return network.eval()


def check_kept(arms: list[Arm], repair: RepairParams) -> None:
    """Make sure that an arm can be kept among those with enough images.

    Raises:
        BorderlineError: When there is none, or when ``repair.keep`` has too few.
    """
    if arms == [AGAIN]:
        raise BorderlineError(
            f"repair.arms is {list(repair.arms)}, but each arm but {AGAIN!r} has too few "
            "labelled images (see repair_labels.csv): rate some (`kedro run --pipelines rating`), "
            "generate more images unless the judge is an encoder, which labels none, or add "
            "'augmented'."
        )
    if repair.keep is not None and repair.keep not in arms:
        raise BorderlineError(
            f"repair.keep is {repair.keep!r}, but this arm has too few labelled images (see "
            f"repair_labels.csv): set it to one of {', '.join(arms)}, or to null for the best one."
        )
