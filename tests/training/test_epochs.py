from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name
from borderline.errors import BorderlineError
from borderline.params import Mark, RunParams
from borderline.records import LabelledImages
from borderline.training import epochs as training
from borderline.training.networks import build_judge, build_model
from borderline.training.params import TrainingParams
from borderline.training.resampling import blend

PARAMS = TrainingParams(
    epochs=4, batch_size=16, learning_rate=1e-2, validation_share=0.2, patience=3
)


def train(
    data: LabelledImages,
    run: RunParams,
    so_far: Checkpoints | None = None,
    params: TrainingParams = PARAMS,
    settings: dict[str, object] | None = None,
) -> list[Checkpoint]:
    with run.global_seed("weights"):
        network = build_model("cnn", 1, (1, 12, 12))
    return list(
        training.train(
            network,
            data,
            training.binary_loss,
            params=params,
            run=run,
            purpose="test",
            settings=settings or {"a": 1},  # type: ignore[arg-type]
            so_far=so_far or {},
        )
    )


def as_folder(checkpoints: list[Checkpoint]) -> Checkpoints:
    return {epoch_name(c["epoch"]): lambda c=c: c for c in checkpoints}  # type: ignore[misc]


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)  # type: ignore[arg-type]
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)  # type: ignore[attr-defined, index]
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))  # type: ignore[arg-type]
    return bool(one == other)


def test_it_learns_and_streams_a_row_an_epoch(pair_images: LabelledImages, run: RunParams) -> None:
    checkpoints = train(pair_images, run, params=PARAMS.model_copy(update={"epochs": 12}))
    assert [c["epoch"] for c in checkpoints] == list(range(1, 13))
    assert [len(c["history"]) for c in checkpoints] == list(range(1, 13))
    history = checkpoints[-1]["history"]
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 2
    assert history[-1]["validation_accuracy"] == 1


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_resumed_training_ends_with_the_same_bits(
    pair_images: LabelledImages, run: RunParams, stopped_after: int
) -> None:
    whole = train(pair_images, run)
    resumed = train(pair_images, run, as_folder(whole[:stopped_after]))
    assert [c["epoch"] for c in resumed] == list(range(stopped_after, 5))
    assert same(resumed[-1], whole[-1])


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_member_of_a_committee_resumes_with_the_same_bits(
    pair_images: LabelledImages, run: RunParams, stopped_after: int
) -> None:
    """Its resample is drawn again, and its blends go on from the state of the generator."""

    def train_member(so_far: Checkpoints | None = None) -> list[Checkpoint]:
        with run.global_seed("weights"):
            network = build_judge(2, (1, 12, 12))
        return list(
            training.train(
                network,
                pair_images,
                training.class_loss,
                params=PARAMS.model_copy(update={"learning_rate": 1e-3}),
                run=run,
                purpose="test",
                settings={"a": 1},
                so_far=so_far or {},
                resampled=True,
                change=partial(blend, classes=2, share=0.5),
            )
        )

    whole = train_member()
    resumed = train_member(as_folder(whole[:stopped_after]))
    assert same(resumed[-1], whole[-1])


def test_finished_training_yields_its_last_checkpoint_again(
    pair_images: LabelledImages, run: RunParams
) -> None:
    whole = train(pair_images, run)
    again = train(pair_images, run, as_folder(whole))
    assert len(again) == 1
    assert same(again[0], whole[-1])


MEASURED = PARAMS.model_copy(update={"training_accuracy": True})


def test_training_accuracy_is_a_column_and_changes_nothing_else(
    pair_images: LabelledImages, run: RunParams
) -> None:
    plain, measured = train(pair_images, run), train(pair_images, run, params=MEASURED)
    assert same(measured[-1]["state"], plain[-1]["state"])
    *_, last = measured[-1]["history"]
    assert last.pop("train_accuracy") == accuracy_of(measured[-1], pair_images, run)
    assert last == plain[-1]["history"][-1]
    assert MEASURED.fingerprint("a") == PARAMS.fingerprint("a")
    assert MEASURED.plain(Mark.NO_RESULT) == PARAMS.plain(Mark.NO_RESULT), "no part of the ledger"


@pytest.mark.parametrize("stopped_after", [2, 4])
def test_training_accuracy_of_earlier_epochs_comes_from_their_checkpoints(
    pair_images: LabelledImages, run: RunParams, stopped_after: int
) -> None:
    plain, measured = train(pair_images, run), train(pair_images, run, params=MEASURED)
    later = train(pair_images, run, as_folder(plain[:stopped_after]), params=MEASURED)
    assert same(later[-1], measured[-1])
    # A folder without the first epoch has its cell empty.
    later = train(pair_images, run, as_folder(plain[1:]), params=MEASURED)
    assert ["train_accuracy" in row for row in later[-1]["history"]] == [False, True, True, True]


def accuracy_of(checkpoint: Checkpoint, data: LabelledImages, run: RunParams) -> float:
    network = build_model("cnn", 1, (1, 12, 12))
    network.load_state_dict(checkpoint["state"]["network"])
    rows, _ = training.split_validation(data, PARAMS, run, "test")
    return training.evaluate(
        network, data["images"][rows], data["labels"][rows], training.binary_loss
    )[1]


def test_best_weights_are_those_of_the_lowest_validation_loss(
    pair_images: LabelledImages, run: RunParams
) -> None:
    wild = PARAMS.model_copy(update={"learning_rate": 3.0, "epochs": 8, "patience": 8})
    checkpoints = train(pair_images, run, params=wild)
    losses = [row["validation_loss"] for row in checkpoints[-1]["history"]]
    best = checkpoints[losses.index(min(losses))]
    assert losses.index(min(losses)) < 7, "the test wants a training that gets worse"
    assert same(checkpoints[-1]["state"]["best_weights"], best["state"]["network"])


def test_patience_ends_training_for_good(pair_images: LabelledImages, run: RunParams) -> None:
    hasty = PARAMS.model_copy(update={"learning_rate": 3.0, "epochs": 30, "patience": 1})
    checkpoints = train(pair_images, run, params=hasty)
    assert len(checkpoints) < 30
    losses = [row["validation_loss"] for row in checkpoints[-1]["history"]]
    assert losses[-1] >= min(losses[:-1])
    assert all(b < a for a, b in itertools.pairwise(losses[:-1]))
    assert len(train(pair_images, run, as_folder(checkpoints), params=hasty)) == 1


def test_other_settings_or_images_are_refused(pair_images: LabelledImages, run: RunParams) -> None:
    folder = as_folder(train(pair_images, run))
    with pytest.raises(BorderlineError, match="a is 2"):
        train(pair_images, run, folder, settings={"a": 2})
    others = {**pair_images, "images": pair_images["images"] * 0.99}
    with pytest.raises(BorderlineError, match="images digest"):
        train(others, run, folder)


def test_soft_labels_have_the_loss_of_their_probability_and_the_accuracy_of_their_class() -> None:
    class Constant(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, 0, 0, 0]

    logits, soft = torch.tensor([1.0, 1.0, -1.0, -1.0]), torch.tensor([0.9, 0.2, 0.4, 0.0])
    images = logits.reshape(4, 1, 1, 1)
    loss, accuracy = training.evaluate(Constant(), images, soft, training.binary_loss)
    p = logits.double().sigmoid()
    expected = -(soft * p.log() + (1 - soft) * (1 - p).log()).mean()
    assert loss == pytest.approx(float(expected), abs=1e-6)
    assert accuracy == 0.75
    assert training.accuracy(Constant(), images, soft, torch.arange(4)) == 0.75


def test_large_images_are_evaluated_in_small_batches() -> None:
    seen = []

    class Constant(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(len(images))
            return images[:, 0, 0, 0]

    images, labels = torch.zeros(30, 1, 512, 512), torch.zeros(30)
    training.evaluate(Constant(), images, labels, training.binary_loss)
    training.accuracy(Constant(), images, labels, torch.arange(30))
    assert seen == [16, 14, 16, 14]
