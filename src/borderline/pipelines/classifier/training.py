"""Supervised training that streams a checkpoint an epoch, and goes on from any of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, check_settings, latest
from borderline.datasets.tensors import digest
from borderline.params import RunParams, Setting
from borderline.pipelines.classifier.networks import Classifier
from borderline.pipelines.classifier.params import TrainingParams
from borderline.records import LabelledImages

Loss = Callable[[Tensor, Tensor], Tensor]


def binary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of logits (N,) with labels 0 or 1 (N,)."""
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, K) with class indices (N,)."""
    return F.cross_entropy(logits, labels)


def train(
    network: Classifier,
    data: LabelledImages,
    loss: Loss,
    *,
    params: TrainingParams,
    run: RunParams,
    purpose: str,
    settings: dict[str, Setting],
    so_far: Checkpoints,
) -> Iterator[Checkpoint]:
    """Train with Adam and yield a checkpoint after each epoch.

    A training that was stopped goes on after its last checkpoint and ends with the same bits (on
    the CPU); its last checkpoint is yielded again first, so that a finished one still has output.

    Args:
        network: The network, with its initial weights; trained in place.
        data: Training images in [-1, 1], shape (N, C, H, W), and labels, shape (N,).
        loss: Takes the network's output and the labels.
        params: How to train.
        run: Seed and device.
        purpose: What the training is called in the derivation of its seeds.
        settings: The fingerprint of the training.
        so_far: The checkpoints that are there already.

    Yields:
        Checkpoints whose history has ``train_loss``, ``validation_loss`` and
        ``validation_accuracy``.

    Raises:
        BorderlineError: When the checkpoints were made with other settings.
    """
    device = run.torch_device()
    settings = {**settings, "images digest": digest(data["images"], data["labels"])}
    images, labels = data["images"].to(device), data["labels"].to(device)
    in_training, in_validation = (
        rows.to(device) for rows in split_validation(data["labels"], params, run, purpose)
    )
    network.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=params.learning_rate)
    order = run.generator(purpose, "order")
    history: list[dict[str, float]] = []
    best_loss, best_weights, epoch = float("inf"), copy.deepcopy(network.state_dict()), 0

    checkpoint = latest(so_far, params.epochs)
    if checkpoint is not None:
        check_settings(checkpoint, settings)
        state, history, epoch = checkpoint["state"], checkpoint["history"], checkpoint["epoch"]
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
        for batch in shuffled.split(params.batch_size):
            batch_loss = loss(network(images[batch]), labels[batch])
            optimiser.zero_grad(set_to_none=True)
            batch_loss.backward()
            optimiser.step()
            total += batch_loss.detach() * len(batch)
        validation_loss, validation_accuracy = evaluate(
            network, images[in_validation], labels[in_validation], loss
        )
        if validation_loss < best_loss:
            best_loss, best_weights = validation_loss, copy.deepcopy(network.state_dict())
        history = [
            *history,
            {
                "epoch": epoch,
                "train_loss": total.item() / len(in_training),
                "validation_loss": validation_loss,
                "validation_accuracy": validation_accuracy,
            },
        ]
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


def split_validation(
    labels: Tensor, params: TrainingParams, run: RunParams, purpose: str
) -> tuple[Tensor, Tensor]:
    """The rows of the images that train and of those that only validate, stratified.

    Args:
        labels: Shape (N,).
        params: How large a share validates.
        run: Its seed.
        purpose: What the training is called in the derivation of its seeds.
    """
    training, validation = train_test_split(
        torch.arange(len(labels)).numpy(),
        test_size=params.validation_share,
        stratify=labels.numpy(),
        random_state=run.seed_for(purpose, "validation"),
    )
    return torch.from_numpy(training), torch.from_numpy(validation)


def evaluate(
    network: Classifier, images: Tensor, labels: Tensor, loss: Loss, batch_size: int = 1024
) -> tuple[float, float]:
    """Mean loss and accuracy.

    Args:
        network: On the device of the images.
        images: Images in [-1, 1], shape (N, C, H, W), N at least 1.
        labels: Labels, shape (N,).
        loss: Takes the network's output and the labels.
        batch_size: Images at a time.

    Returns:
        The mean loss and the share of right answers in [0, 1].
    """
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([network(batch) for batch in images.split(batch_size)])
        answers = (logits > 0).long() if logits.ndim == 1 else logits.argmax(1)
        return loss(logits, labels).item(), (answers == labels).double().mean().item()


def _epochs_without_gain(history: list[dict[str, float]]) -> int:
    losses = [row["validation_loss"] for row in history]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0
