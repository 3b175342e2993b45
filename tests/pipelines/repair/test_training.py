from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from borderline.boundary import ConfusionParams
from borderline.datasets import CheckpointFolder
from borderline.datasets.checkpoints import Checkpoint, Checkpoints
from borderline.errors import BorderlineError
from borderline.imported.classifier import ImportedClassifier
from borderline.imported.finetuned import FinetunedClassifier
from borderline.params import PairParams, RunParams
from borderline.pipelines.repair import training
from borderline.pipelines.repair.nodes import keep_repaired, train_repairs
from borderline.pipelines.repair.params import RepairParams
from borderline.records import FreshImages, LabelledImages, RepairImages, take_rows
from borderline.streaming import stream_of
from borderline.training.networks import build_model
from borderline.training.params import ModelParams, TrainingParams
from conftest import base_settings, imported_model
from elsewhere import SOURCES, Net, saved

SHAPE = (1, 12, 12)
ARMS = ("again", "boundary", "soft")
TRAINING = TrainingParams(
    epochs=2, batch_size=16, learning_rate=1e-2, validation_share=0.4, patience=3
)
MODEL = ModelParams(kind="cnn", filters=1, allow_chance=True)
CONFUSION = ConfusionParams(threshold=0.5, band=0.1, scale="probability")


def repair_of(**changed: Any) -> RepairParams:
    few = {"arms": ARMS, "images": 20, "seeds": 2}
    return RepairParams.model_validate({**base_settings()["repair"], **few, **changed})


def pool(targets: Tensor) -> tuple[Tensor, Tensor]:
    images = torch.rand(30, *SHAPE, generator=torch.Generator().manual_seed(2)) * 2 - 1
    return images, targets


@pytest.fixture
def repair_images() -> RepairImages:
    made = {"boundary": pool(torch.ones(30)), "soft": pool(torch.full((30,), 0.3))}
    return {
        f"{arm}.{name}": tensor
        for arm, both in made.items()
        for name, tensor in zip(("images", "targets"), both, strict=True)
    }


FRESH: FreshImages = {
    "images": torch.zeros(3, *SHAPE),
    "labels": torch.ones(3, dtype=torch.int64),
    "patterns": torch.zeros(3, dtype=torch.int64),
    "probabilities": torch.full((3,), 0.5),
    "generated": torch.tensor([9]),
}


class Trained(dict[str, Checkpoint]):
    """The trainings that a node has yielded, by name, and its last table."""

    table: pd.DataFrame

    @property
    def so_far(self) -> Checkpoints:
        """Them as a folder loads them."""
        return {name: lambda c=each: c for name, each in self.items()}  # type: ignore[misc]


def train(
    pair_images: LabelledImages,
    repair_images: RepairImages,
    run: RunParams,
    pair: PairParams,
    so_far: Checkpoints | None = None,
    *,
    classifier: nn.Module | None = None,
    model: Any = MODEL,
    fresh_images: FreshImages = FRESH,
    confusion: ConfusionParams = CONFUSION,
    **changed: Any,
) -> Trained:
    made = Trained()
    for checkpoints, made.table in train_repairs(
        classifier or build_model("cnn", 1, SHAPE),
        repair_images,
        fresh_images,
        pair_images,
        take_rows(pair_images, slice(0, 8)) | {"images": pair_images["images"][:8] * 0.9},
        so_far or {},
        model=model,
        training=TRAINING,
        repair=repair_of(**changed),
        confusion=confusion,
        pair=pair,
        run=run,
    ):
        made |= checkpoints
    return made


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return bool(one == other)


def test_each_arm_and_seed_is_trained_and_only_the_first_has_weights(
    pair_images: LabelledImages, repair_images: RepairImages, run: RunParams, pair: PairParams
) -> None:
    made = train(pair_images, repair_images, run, pair)
    assert list(made) == [f"{arm}_seed_{seed}" for arm in ARMS for seed in (1, 2)]
    state = made["boundary_seed_1"]["state"]
    shapes = {name: tuple(p.shape) for name, p in state.items() if name.endswith("_p")}
    assert shapes == {"test_p": (8,), "fresh_p": (3,), "selection_p": (12,)}
    assert state["threshold"] == state["boundary"]["threshold"] == 0.5
    assert {name for name in made if "weights" in made[name]["state"]} == {
        f"{arm}_seed_1" for arm in ARMS
    }
    network = build_model("cnn", 1, SHAPE)
    network.load_state_dict(state["weights"])
    with torch.no_grad():
        torch.testing.assert_close(network(FRESH["images"]).sigmoid(), state["fresh_p"])
    table = made.table
    assert table["training"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["added_images"].tolist() == [0, 0, 20, 20, 20, 20]
    losses = [row["validation_loss"] for row in made["soft_seed_2"]["history"]]
    assert table["selection_loss"].iloc[-1] == min(losses)


def test_stopped_repair_goes_on_with_the_same_bits_and_repeats_nothing(
    pair_images: LabelledImages,
    repair_images: RepairImages,
    run: RunParams,
    pair: PairParams,
    tmp_path: Path,
) -> None:
    whole = train(pair_images, repair_images, run, pair)
    folder = CheckpointFolder(path=str(tmp_path / "trainings"))
    folder.save({name: whole[name] for name in list(whole)[:3]})
    resumed = train(pair_images, repair_images, run, pair, folder.load())
    assert list(resumed) == list(whole)[3:]
    assert all(same(resumed[name], whole[name]) for name in resumed)
    pd.testing.assert_frame_equal(resumed.table, whole.table)
    more = train(pair_images, repair_images, run, pair, whole.so_far, seeds=3)
    assert list(more) == [f"{arm}_seed_3" for arm in ARMS]


def test_arms_share_their_initial_weights_and_seeds_differ(
    pair_images: LabelledImages,
    repair_images: RepairImages,
    run: RunParams,
    pair: PairParams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[Tensor] = []
    usual = training.train

    def recorded(network: nn.Module, *args: Any, **options: Any) -> Any:
        begun.append(nn.utils.parameters_to_vector(network.parameters()).detach().clone())
        return usual(network, *args, **options)

    monkeypatch.setattr(training, "train", recorded)
    train(pair_images, repair_images, run, pair)
    assert all(torch.equal(begun[i], begun[i % 2]) for i in range(6))
    assert not torch.equal(begun[0], begun[1])


def test_soft_targets_are_trained_towards(
    pair_images: LabelledImages, repair_images: RepairImages, run: RunParams, pair: PairParams
) -> None:
    """Grey images, which no real image is like, take the probability of their targets."""
    for arm in ("boundary", "soft"):
        repair_images[f"{arm}.images"] = torch.zeros(30, *SHAPE)
    made = train(
        pair_images,
        repair_images,
        run,
        pair,
        model=MODEL.model_copy(update={"epochs": 12, "learning_rate": 0.05}),
    )
    soft, hard = (made[f"{arm}_seed_1"]["state"]["fresh_p"] for arm in ("soft", "boundary"))
    assert 0.2 < float(soft.mean()) < 0.4
    assert float(hard.mean()) > 0.8


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"images": 21}, "repair.images is 21, but .* made with 20"),
        ({"fresh": 7}, "repair.fresh is 7"),
        ({"confusion": CONFUSION.model_copy(update={"threshold": 0.4})}, "confusion.threshold is"),
        ({"fresh_images": {**FRESH, "images": FRESH["images"] + 0.5}}, "fresh images digest is"),
        ({"model": MODEL.model_copy(update={"epochs": 3})}, "classifier.epochs is 3"),
        ({"arms": ARMS[:2]}, None),
    ],
)
def test_trainings_of_other_settings_are_refused_before_any_training(
    changed: dict[str, Any],
    words: str | None,
    pair_images: LabelledImages,
    repair_images: RepairImages,
    run: RunParams,
    pair: PairParams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = train(pair_images, repair_images, run, pair, arms=("again", "boundary"))
    monkeypatch.setattr(training, "_train", lambda *_: pytest.fail("a training has begun"))
    so_far = one.so_far
    if words is None:
        assert not train(pair_images, repair_images, run, pair, so_far, **changed)
        return
    # Only the last of the trainings is there.
    last = {"boundary_seed_2": so_far["boundary_seed_2"]}
    with pytest.raises(BorderlineError, match=words):
        train(pair_images, repair_images, run, pair, last, **changed)


@pytest.mark.parametrize(
    ("shown", "changed", "words"),
    [
        (8, {}, "'soft'.*test image"),
        (0, {"keep": "soft"}, "repair.keep is 'soft', but this arm has too few"),
        (0, {"arms": ("again", "soft")}, "each arm but 'again' has too few"),
    ],
)
def test_bad_arms_are_refused_before_any_training(
    shown: int,
    changed: dict[str, Any],
    words: str,
    pair_images: LabelledImages,
    repair_images: RepairImages,
    run: RunParams,
    pair: PairParams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An image of the test set stands in the arm, or the arm has too few images."""
    monkeypatch.setattr(training, "_train", lambda *_: pytest.fail("a training has begun"))
    if shown:
        repair_images["soft.images"][9] = pair_images["images"][0] * 0.9
    else:
        repair_images |= {n: repair_images[n][:5] for n in ("soft.images", "soft.targets")}
    with pytest.raises(BorderlineError, match=words):
        train(pair_images, repair_images, run, pair, **changed)


def test_trainings_of_an_arm_that_has_too_few_images_by_now_are_refused(
    pair_images: LabelledImages, repair_images: RepairImages, run: RunParams, pair: PairParams
) -> None:
    made = train(pair_images, repair_images, run, pair)
    fewer = {n: t[:5] if n.startswith("soft") else t for n, t in repair_images.items()}
    with pytest.raises(BorderlineError, match=r"take soft out of repair\.arms"):
        train(pair_images, fewer, run, pair, made.so_far)


def test_operating_point_is_chosen_again_for_each_network(
    pair_images: LabelledImages, repair_images: RepairImages, run: RunParams, pair: PairParams
) -> None:
    point = {"threshold": {"specificity": 0.5}, "band": 1e-4, "scale": "probability"}
    confusion = ConfusionParams.model_validate(point)
    made = train(pair_images, repair_images, run, pair, confusion=confusion)
    states = [each["state"] for each in made.values()]
    assert len({state["threshold"] for state in states}) == len(states)
    assert all("specificity" in state["boundary"]["rule"] for state in states)


def imported() -> ImportedClassifier:
    source = {"kind": "state_dict", **SOURCES["state_dict"]}
    params = imported_model(source=source, outputs="logits")
    content = saved("state_dict", Net().eval(), torch.zeros(2, *SHAPE))
    return ImportedClassifier(params, content, SHAPE)


def test_imported_model_is_finetuned_from_its_weights_and_kept(
    pair_images: LabelledImages, repair_images: RepairImages, run: RunParams, pair: PairParams
) -> None:
    classifier = imported()
    before = copy.deepcopy(classifier.state_dict())
    changed: dict[str, Any] = {
        "finetuning": {"epochs": 1, "learning_rate": 1e-4, "batch_size": 64},
        "keep": "boundary",
    }
    made = train(
        *(pair_images, repair_images, run, pair),
        classifier=classifier,
        model=classifier.params,
        **changed,
    )
    assert same(dict(classifier.state_dict()), dict(before))
    kept = keep_repaired(classifier, made.so_far, repair=repair_of(**changed))
    assert isinstance(kept, FinetunedClassifier)
    first = made["boundary_seed_1"]
    with torch.no_grad():
        p = kept(FRESH["images"]).sigmoid()
    assert torch.equal(p, first["state"]["fresh_p"])
    # One step of Adam changes a weight by its learning rate.
    moved = [(kept.state_dict()[n] - w).abs().max() for n, w in before.items()]
    assert 0.5e-4 < float(torch.stack(moved).max()) < 1.5e-4
    assert kept.settings["repair.arm"] == "boundary"
    assert kept.settings["model.file_digest"] == classifier.digest


def test_progress_counts_the_trainings_of_arms_with_enough_images(
    repair_images: RepairImages,
) -> None:
    stream = stream_of(train_repairs)
    assert stream is not None
    assert stream.total(repair_images=repair_images, repair=repair_of()) == 6
    del repair_images["soft.images"]
    assert stream.total(repair_images=repair_images, repair=repair_of()) == 4
    assert stream.trains
    assert stream.named == "arm"
