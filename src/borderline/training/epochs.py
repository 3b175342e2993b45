"""Supervised training that yields a checkpoint after each epoch and resumes from any."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.datasets.checkpoints import (
    Checkpoint,
    Checkpoints,
    check_settings,
    epoch_name,
    latest,
)
from borderline.datasets.groups import split_groups
from borderline.datasets.tensors import digest
from borderline.measures.inference import BATCH_SIZE, batch_size_of, images_at_once
from borderline.params import RunParams, Setting
from borderline.records import LabelledImages, tensors_of
from borderline.training.networks import Classifier, ImageShape
from borderline.training.params import TrainingParams
from borderline.training.resampling import bootstrap

_EVALUATED_AT_ONCE = 1024

Loss = Callable[[Tensor, Tensor], Tensor]
Change = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""Images and labels of a batch to those that the network sees."""
TRAINING_ACCURACY = "train_accuracy"
"""The column of the history."""
Epoch = tuple[dict[str, Checkpoint], pd.DataFrame]
"""A checkpoint by the name of its epoch, and the history so far."""


def binary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of logits (N,) with labels 0 or 1, or probabilities of 1 (N,)."""
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, K) with class indices (N,) or probabilities (N, K)."""
    return F.cross_entropy(logits, labels)


def train(
    network: nn.Module,
    data: LabelledImages,
    loss: Loss,
    *,
    params: TrainingParams,
    run: RunParams,
    purpose: str,
    settings: dict[str, Setting],
    so_far: Checkpoints,
    resampled: bool = False,
    change: Change | None = None,
) -> Iterator[Checkpoint]:
    """Train with Adam and yield a checkpoint after each epoch.

    A stopped training resumes from its last checkpoint and ends with the same bits (on the CPU). It
    first yields that checkpoint again, so that a finished training has an output too.

    Args:
        network: With its initial weights; trained in place.
        data: The training images; labels of floats are probabilities of the positive class.
        loss: Takes the network's output and the labels.
        params: The settings of the training.
        run: Seed and device.
        purpose: The name of the training in the derivation of its seeds.
        settings: The fingerprint of the training.
        so_far: The existing checkpoints.
        resampled: Whether to train on a bootstrap resample of the images that are not used for
            validation.
        change: Changes each batch of training images and labels, with a generator on the CPU.

    Yields:
        Checkpoints; their history has ``train_loss``, ``validation_loss``, ``validation_accuracy``
        and, if the settings ask for it, ``train_accuracy``, also for earlier epochs.

    Raises:
        BorderlineError: When the checkpoints were made with other settings.
    """
    device = run.torch_device()
    settings = {**settings, "images digest": digest(*tensors_of(data))}
    images, labels = data["images"].to(device), data["labels"].to(device)
    in_training, in_validation = (
        rows.to(device) for rows in split_validation(data, params, run, purpose)
    )
    if resampled:
        in_training = bootstrap(in_training, labels[in_training], run.seed_for(purpose, "resample"))
    network.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=params.learning_rate)
    order = run.generator(purpose, "order")
    score = partial(accuracy, network, images, labels, in_training)
    history: list[dict[str, float]] = []
    best_loss, best_weights, epoch = float("inf"), copy.deepcopy(network.state_dict()), 0

    checkpoint = latest(so_far, params.epochs)
    if checkpoint is not None:
        check_settings(checkpoint, settings)
        state, history, epoch = checkpoint["state"], checkpoint["history"], checkpoint["epoch"]
        if params.training_accuracy:
            history = _with_accuracy(history, so_far, network, score)
            checkpoint = {**checkpoint, "history": history}
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        order.set_state(state["order"])
        best_loss, best_weights = state["best_loss"], state["best_weights"]
        yield checkpoint

    while epoch < params.epochs and _epochs_without_gain(history) < params.patience:
        epoch += 1
        network.train()
        total = torch.zeros((), device=device)
        shuffled = in_training[torch.randperm(len(in_training), generator=order).to(device)]
        # Dropout draws from the global generator, whose state no checkpoint has.
        with run.global_seed(purpose, "dropout", epoch):
            for batch in batches(shuffled, params.batch_size, network):
                x, y = images[batch], labels[batch]
                if change is not None:
                    x, y = change(x, y, order)
                batch_loss = loss(network(x), y)
                optimiser.zero_grad(set_to_none=True)
                batch_loss.backward()
                optimiser.step()
                total += batch_loss.detach() * len(batch)
        validation_loss, validation_accuracy = evaluate(
            network, images[in_validation], labels[in_validation], loss
        )
        if validation_loss < best_loss:
            best_loss, best_weights = validation_loss, copy.deepcopy(network.state_dict())
        row = {
            "epoch": epoch,
            "train_loss": total.item() / len(in_training),
            "validation_loss": validation_loss,
            "validation_accuracy": validation_accuracy,
        }
        if params.training_accuracy:
            row[TRAINING_ACCURACY] = score()
        history = [*history, row]
        yield Checkpoint(
            epoch=epoch,
            settings=settings,
            history=history,
            state={
                "network": copy.deepcopy(network.state_dict()),
                "optimiser": copy.deepcopy(optimiser.state_dict()),
                "order": order.get_state(),
                "best_loss": best_loss,
                "best_weights": best_weights,
                "image_shape": list(images.shape[1:]),
            },
        )


def batches(rows: Tensor, size: int, network: nn.Module) -> tuple[Tensor, ...]:
    """The rows of each step; batch norm, which needs two images, gets a last single one earlier."""
    parts: tuple[Tensor, ...] = rows.split(size)
    normed = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    if normed and len(parts) > 1 and len(parts[-1]) == 1:
        parts = (*parts[:-2], torch.cat(parts[-2:]))
    return parts


def split_validation(
    data: LabelledImages, params: TrainingParams, run: RunParams, purpose: str
) -> tuple[Tensor, Tensor]:
    """The rows of the training and of the validation images.

    They are those of the source if it has validation images, and else a split that is stratified by
    the labels and keeps groups whole.
    """
    if "validation" in data:
        return (~data["validation"]).nonzero()[:, 0], data["validation"].nonzero()[:, 0]
    labels, seed = data["labels"].numpy(), run.seed_for(purpose, "validation")
    if "groups" in data:
        parts = split_groups(labels, data["groups"].numpy(), params.validation_share, seed)
    else:
        parts = train_test_split(
            torch.arange(len(labels)).numpy(),
            test_size=params.validation_share,
            stratify=labels,
            random_state=seed,
        )
    training, validation = parts
    return torch.from_numpy(training), torch.from_numpy(validation)


def evaluate(network: nn.Module, images: Tensor, labels: Tensor, loss: Loss) -> tuple[float, float]:
    """Mean loss, and accuracy in [0, 1], of a network on the device of its N >= 1 images."""
    network.eval()
    with torch.inference_mode():
        batches = images.split(_evaluated_at_once(network, images))
        logits = torch.cat([network(batch) for batch in batches])
        right = _classes(logits) == _likelier(labels)
        return loss(logits, labels).item(), right.double().mean().item()


def accuracy(network: nn.Module, images: Tensor, labels: Tensor, rows: Tensor) -> float:
    """Accuracy in [0, 1] of a network on rows (N,) of images on its device; no copy of them all."""
    network.eval()
    with torch.inference_mode():
        batches = rows.split(_evaluated_at_once(network, images))
        right = [
            (_classes(network(images[batch])) == _likelier(labels[batch])).sum()
            for batch in batches
        ]
        return int(torch.stack(right).sum()) / len(rows)


def _evaluated_at_once(network: nn.Module, images: Tensor) -> int:
    at_once, most = images_at_once(images.shape, _EVALUATED_AT_ONCE), batch_size_of(network)
    # BATCH_SIZE is the default, no limit of the network.
    return at_once if most == BATCH_SIZE else min(at_once, most)


def as_epoch(checkpoint: Checkpoint) -> Epoch:
    """A checkpoint as the outputs of a node."""
    return {epoch_name(checkpoint["epoch"]): checkpoint}, pd.DataFrame(checkpoint["history"])


def best_network(
    build: Callable[[ImageShape], Classifier],
    checkpoints: Checkpoints,
    params: TrainingParams,
    *,
    group: str,
) -> Classifier:
    """The trained network with the weights of its best validation loss.

    Args:
        build: Takes the shape of the images; gives the network.
        checkpoints: At least one.
        params: The settings of the training.
        group: Their name in the parameters.
    """
    checkpoint = latest(checkpoints, params.epochs)
    assert checkpoint is not None, "training yields at least one checkpoint"
    network = build(checkpoint["state"]["image_shape"])
    network.load_state_dict(checkpoint["state"]["best_weights"])
    network.settings = {**checkpoint["settings"], f"{group}.epochs": params.epochs}
    return network.eval()


def _classes(logits: Tensor) -> Tensor:
    return (logits > 0).long() if logits.ndim == 1 else logits.argmax(1)


def _likelier(labels: Tensor) -> Tensor:
    """The likelier class of labels that are probabilities of the positive one; else the labels."""
    return (labels > 0.5).long() if labels.is_floating_point() else labels


def _with_accuracy(
    history: list[dict[str, float]],
    so_far: Checkpoints,
    network: nn.Module,
    score: Callable[[], float],
) -> list[dict[str, float]]:
    """The history with the training accuracy of earlier epochs, from their checkpoints.

    Changes the weights of the network. An epoch without a checkpoint stays without it.
    """
    rows = []
    for row in history:
        name = epoch_name(int(row["epoch"]))
        if TRAINING_ACCURACY not in row and name in so_far:
            network.load_state_dict(so_far[name]()["state"]["network"])
            row = {**row, TRAINING_ACCURACY: score()}
        rows.append(row)
    return rows


def _epochs_without_gain(history: list[dict[str, float]]) -> int:
    losses = [row["validation_loss"] for row in history]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0
