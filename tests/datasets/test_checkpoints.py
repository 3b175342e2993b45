from __future__ import annotations

import os
import pickle
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.io import DatasetError

from borderline.datasets import CheckpointDataset, CheckpointFolder
from borderline.datasets.checkpoints import Checkpoint, check_settings, epoch_name, latest
from borderline.errors import BorderlineError
from borderline.fingerprints import NOISE_DIGEST, REFERENCE, STEP_2_SEED


def checkpoint(epoch: int) -> Checkpoint:
    network = torch.nn.Linear(2, 1)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    return Checkpoint(
        epoch=epoch,
        settings={"gan.filters": 4, "gan.epochs": None},
        history=[{"epoch": i + 1, "loss": 0.5} for i in range(epoch)],
        state={"network": network.state_dict(), "optimiser": optimiser.state_dict()},
    )


def test_folder_streams_epochs_and_loads_them_lazily(tmp_path: Path) -> None:
    folder = CheckpointFolder(path=str(tmp_path / "checkpoints"))
    for epoch in (1, 2):
        folder.save({epoch_name(epoch): checkpoint(epoch)})
    loaded = folder.load()
    assert sorted(loaded) == ["epoch_0001", "epoch_0002"]
    assert all(callable(load) for load in loaded.values())
    second = loaded["epoch_0002"]()
    assert second["epoch"] == 2
    assert second["state"]["optimiser"]["state"][0]["step"] == 1


def test_empty_folder_is_an_error_only_where_it_may_not_be(tmp_path: Path) -> None:
    assert CheckpointFolder(path=str(tmp_path / "none"), may_be_empty=True).load() == {}
    assert CheckpointFolder(path=str(tmp_path / "none"), may_be_empty=True).exists()
    assert not CheckpointFolder(path=str(tmp_path / "none")).exists()
    with pytest.raises(DatasetError):
        CheckpointFolder(path=str(tmp_path / "none")).load()


def test_what_a_killed_save_left_is_not_taken_for_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / ".0123456789abcdef.pt").write_bytes(b"half")
    folder = CheckpointFolder(path=str(tmp_path), may_be_empty=True)
    assert folder.load() == {}
    folder.save({epoch_name(1): checkpoint(1)})
    assert list(folder.load()) == ["epoch_0001"]


@pytest.mark.parametrize(("epochs", "expected"), [(1, 1), (2, 2), (3, 2), (12, 12), (100, 12)])
def test_latest_is_the_newest_within_reach(epochs: int, expected: int) -> None:
    checkpoints = {epoch_name(n): lambda n=n: checkpoint(n) for n in (1, 2, 12)}
    newest = latest(checkpoints, epochs)
    assert newest is not None
    assert newest["epoch"] == expected


def test_latest_of_none_is_none() -> None:
    assert latest({}, 5) is None
    assert latest({epoch_name(6): lambda: checkpoint(6)}, 5) is None


def test_other_settings_are_named_with_both_values_and_the_folder() -> None:
    check_settings(checkpoint(1), {"gan.filters": 4, "not compared": 1})
    with pytest.raises(BorderlineError, match=r"gan\.filters is 8.*in there.*made with 4.*move"):
        check_settings(checkpoint(1), {"gan.filters": 8}, where="there")
    # A setting that stands elsewhere, alone or with its group.
    for called in ({"gan": "mine"}, {"gan.filters": "mine.filters", "gan": "other"}):
        with pytest.raises(BorderlineError, match=r"^mine\.filters is 8"):
            check_settings(checkpoint(1), {"gan.filters": 8}, called=called)


@pytest.mark.parametrize(
    ("former", "now"),
    [({}, {"activation": "silu"}), ({"activation": "silu"}, {}), ({"a": [1]}, {"a.b": 1})],
)
def test_argument_that_comes_or_goes_is_another_setting(
    former: dict[str, Any], now: dict[str, Any]
) -> None:
    def settings(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"model.kind": "imported"} | {
            f"model.arguments.{n}": v for n, v in arguments.items()
        }

    made: Checkpoint = {"epoch": 1, "settings": settings(former), "history": [], "state": {}}
    check_settings(made, settings(former))
    # A check that does not know the model compares none of its settings.
    check_settings(made, {"gan.filters": 8})
    with pytest.raises(BorderlineError, match=r"models\.mine\.arguments\.a\S* is .*made with"):
        check_settings(made, settings(now), called={"model": "models.mine"})


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_a_changed_file_is_named_without_its_digest() -> None:
    made = {**checkpoint(1), "settings": {"model.file_digest": "0" * 16}}
    now, called = {"model.file_digest": "1" * 16}, {"model": "models.mine"}
    with pytest.raises(
        BorderlineError, match=r"^The file of models\.mine changed, and .* there were"
    ):
        check_settings(made, now, where="there", called=called)


def test_checkpoints_of_earlier_versions_are_of_the_mean_of_colours() -> None:
    def settings(**grey: str | None) -> dict[str, Any]:
        return {"model.input.channels": 1, **{f"model.input.{n}": v for n, v in grey.items()}}

    made = {**checkpoint(1), "settings": settings()}
    check_settings(made, settings(grey=None))
    with pytest.raises(BorderlineError, match=r"model\.input\.grey is 'luminance', but"):
        check_settings(made, settings(grey="luminance"))


def test_checkpoint_runs_no_code(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    torch.save({"epoch": Malicious(proof)}, tmp_path / "epoch_0001.pt")
    with pytest.raises(DatasetError):
        CheckpointDataset(filepath=str(tmp_path / "epoch_0001.pt")).load()
    (tmp_path / "epoch_0002.pt").write_bytes(pickle.dumps(Malicious(proof)))
    with pytest.raises(DatasetError):
        CheckpointDataset(filepath=str(tmp_path / "epoch_0002.pt")).load()
    assert not proof.exists()


def test_one_file_is_a_folder_of_one(tmp_path: Path) -> None:
    path = tmp_path / "from_elsewhere.pt"
    assert not CheckpointFolder(path=str(path)).exists()
    CheckpointDataset(filepath=str(path)).save(checkpoint(7))
    folder = CheckpointFolder(path=str(path))
    assert folder.exists()
    assert list(folder.load()) == ["epoch_0007"]
    assert folder.load()["epoch_0007"]()["epoch"] == 7


@pytest.mark.parametrize(
    ("name", "value"), [(REFERENCE, "all"), (NOISE_DIGEST, "a"), (STEP_2_SEED, 3)]
)
def test_a_setting_that_is_missing_at_its_usual_value_is_compared(name: str, value: str) -> None:
    def made(**settings: Any) -> Checkpoint:
        return {"epoch": 1, "settings": settings, "history": [], "state": {}}

    check_settings(made(), {})
    check_settings(made(**{name: value}), {name: value})
    for checkpoint, now in ((made(), {name: value}), (made(**{name: value}), {})):
        with pytest.raises(BorderlineError, match=name):
            check_settings(checkpoint, now)


@pytest.mark.parametrize(
    ("made_with", "now", "refused"),
    [
        ({}, {"confusion.threshold": 0.5}, False),
        ({}, {"confusion.threshold": 0.2}, True),
        # An operating point is not known before the run.
        ({"confusion.threshold": 0.3}, {}, False),
        ({}, {"confusion.scale": "logit"}, False),
        ({"confusion.band": 0.1}, {"confusion.scale": "logit"}, True),
        ({"confusion.band": 0.1}, {"confusion.scale": "probability"}, False),
    ],
)
def test_checkpoints_of_earlier_versions_are_of_the_threshold_one_half(
    made_with: dict[str, Any], now: dict[str, Any], refused: bool
) -> None:
    made: Checkpoint = {"epoch": 1, "settings": made_with, "history": [], "state": {}}
    with pytest.raises(BorderlineError) if refused else nullcontext():
        check_settings(made, now)
