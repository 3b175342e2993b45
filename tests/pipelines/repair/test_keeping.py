from __future__ import annotations

from typing import Any

import pytest
import torch

from borderline.datasets import ModelDataset
from borderline.datasets.checkpoints import Checkpoint, Checkpoints
from borderline.errors import BorderlineError
from borderline.pipelines.repair.keeping import kept_arm, name_of, repaired_model
from borderline.pipelines.repair.params import RepairParams
from borderline.training.networks import build_model
from conftest import base_settings

SHAPE = (1, 12, 12)


def repair_of(**changed: Any) -> RepairParams:
    few = {"arms": ["again", "random", "boundary"], "seeds": 2}
    return RepairParams.model_validate({**base_settings()["repair"], **few, **changed})


def trainings(**losses: list[float]) -> Checkpoints:
    """Trainings with these losses on the selection images, and nothing about test images."""

    def one(loss: float) -> Checkpoint:
        return {"epoch": 1, "settings": {}, "history": [], "state": {"selection_loss": loss}}

    return {
        name_of(arm, seed): lambda loss=loss: one(loss)  # type: ignore[arg-type, misc]
        for arm, each in losses.items()
        for seed, loss in enumerate(each, start=1)
    }


@pytest.mark.parametrize(
    ("losses", "changed", "arm"),
    [
        ({"again": [0, 0], "random": [3, 3], "boundary": [1, 4]}, {}, "boundary"),
        ({"again": [0, 0], "random": [2, 3], "boundary": [1, 4]}, {}, "random"),
        ({"again": [0, 0], "random": [2, 3], "boundary": [1, 1]}, {"keep": "random"}, "random"),
        ({"again": [0, 0], "random": [2, 3], "boundary": [1, 1]}, {"keep": "again"}, "again"),
        ({"again": [0, 0], "random": [float("nan"), 1], "boundary": [5, 5]}, {}, "boundary"),
        ({"again": [0, 0], "random": [2, 3, 0], "boundary": [2, 2, 9]}, {}, "boundary"),
        ({"again": [0, 0], "random": [2, 3], "soft": [1, 1]}, {}, "random"),
    ],
    ids=["best mean", "first of equals", "chosen", "control", "not a number", "seeds", "arms"],
)
def test_kept_arm_has_the_lowest_mean_loss_on_the_selection_images(
    losses: dict[str, list[float]], changed: dict[str, Any], arm: str
) -> None:
    assert kept_arm(trainings(**losses), repair_of(**changed)) == arm


def test_repaired_model_is_a_stored_copy_with_other_weights(tmp_path: Any) -> None:
    model, other = build_model("cnn", 1, SHAPE), build_model("cnn", 1, SHAPE)
    model.settings = {"model.filters": 1}
    before = model.head.weight.clone()
    training: Checkpoint = {
        "epoch": 1,
        "settings": {},
        "history": [],
        "state": {"weights": other.state_dict()},
    }
    repaired = repaired_model(model, training, "random")
    assert torch.equal(model.head.weight, before)
    dataset = ModelDataset(filepath=str(tmp_path / "repaired.safetensors"))
    dataset.save(repaired)
    again = dataset.load()
    x = torch.rand(3, *SHAPE)
    assert torch.equal(again(x), other(x))
    assert not again.training
    digest = again.settings.pop("repair.weights digest")
    assert again.settings == {"model.filters": 1, "repair.arm": "random"}
    assert len(digest) == 16


def test_a_diverged_training_is_no_model_to_keep() -> None:
    model = build_model("cnn", 1, SHAPE)
    weights = {n: torch.full_like(w, torch.nan) for n, w in model.state_dict().items()}
    training: Checkpoint = {
        "epoch": 1,
        "settings": {},
        "history": [],
        "state": {"weights": weights},
    }
    with pytest.raises(BorderlineError, match=r"arm random diverged.*repair\.keep"):
        repaired_model(model, training, "random")
