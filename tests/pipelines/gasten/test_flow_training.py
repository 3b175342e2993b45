from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name
from borderline.errors import BorderlineError
from borderline.params import RunParams
from borderline.pipelines.gasten.flow_training import (
    Flow,
    _shares,
    averaged,
    train,
    train_epoch,
    trained_decoder,
)
from borderline.records import LabelledImages
from conftest import generator_settings

RUN = RunParams(seed=3, device="cpu")


def settings_of(**changed: Any) -> Any:
    tiny = {"channels": [8, 8], "layers": 1, "batch_size": 16, "steps_per_epoch": 4, "epochs": 3}
    return generator_settings("diffusion", **tiny | changed)


def bright_and_dark(count: int = 40) -> LabelledImages:
    """Bright images of class 1, dark ones of class 0."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    images = 0.2 * torch.randn(count, 1, 8, 8, generator=random)
    return {"images": (images + labels[:, None, None, None] - 0.5).clamp(-1, 1), "labels": labels}


def checkpoints_of(so_far: Checkpoints | None = None, **changed: Any) -> list[Checkpoint]:
    settings = settings_of(**changed)
    progress = train(
        Flow(settings, (1, 8, 8), RUN),
        bright_and_dark(),
        settings=settings.fingerprint("generator"),
        so_far=so_far or {},
        measure=lambda decoder: {"mean": decoder(torch.zeros(2, decoder.latent_dim)).mean().item()},
    )
    return [checkpoint for _, checkpoint in progress if checkpoint is not None]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


@pytest.mark.parametrize("stopped", [1, 2])
def test_stopped_training_goes_on_with_the_same_bits(stopped: int) -> None:
    whole = checkpoints_of()
    made = whole[stopped - 1]
    resumed = checkpoints_of({epoch_name(stopped): lambda: made})
    assert [checkpoint["epoch"] for checkpoint in resumed] == list(range(stopped, 4))
    assert same(resumed[-1]["state"], whole[-1]["state"])
    # Another number of steps of the decoder needs no other training.
    assert checkpoints_of({epoch_name(3): lambda: whole[-1]}, steps=2)[-1]["epoch"] == 3
    with pytest.raises(BorderlineError, match=r"generator.learning_rate is 0\.5"):
        checkpoints_of({epoch_name(stopped): lambda: made}, learning_rate=0.5)


def test_kept_decoder_has_the_averaged_weights() -> None:
    settings, images = settings_of(), bright_and_dark()
    flow = Flow(settings, (1, 8, 8), RUN)
    train_epoch(flow, images["images"], images["labels"])
    latents = flow.draw_noise(5, RUN)
    kept = trained_decoder(settings, flow.state())
    assert torch.equal(kept(latents), flow.generator.eval()(latents))
    own, average = (n.state_dict() for n in (flow.network, flow.generator.velocity))
    assert any(not torch.equal(own[name], average[name]) for name in own)


def test_average_follows_the_weights_and_soon_forgets_the_first() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 100.0)
    average = averaged(network, 0.9)
    for step in range(60):
        torch.nn.init.constant_(network.weight, float(step % 2))
        average.update_parameters(network)
    assert 0.4 < average.module.weight.item() < 0.6


def test_flow_learns_both_classes_from_an_unbalanced_pair() -> None:
    pair = bright_and_dark(200)
    # Nine dark images for a bright one.
    kept = (pair["labels"] == 0) | (torch.arange(200) % 18 == 1)
    flow = Flow(settings_of(steps_per_epoch=100, channels=[8], learning_rate=3e-3), (1, 8, 8), RUN)
    loss = train_epoch(flow, pair["images"][kept], pair["labels"][kept])["flow_loss"]
    assert 0 < loss < 1.2
    latents = flow.draw_noise(200, RUN)
    with torch.no_grad():
        bright = flow.generator.eval()(latents).mean(dim=(1, 2, 3)) > 0
    positive = latents[:, -1] > 0
    sure = latents[:, -1].abs() > 0.5
    assert (bright == positive)[sure].double().mean() > 0.9
    assert 0.3 < bright.double().mean() < 0.7


def test_of_images_told_a_share_that_share_is_positive() -> None:
    random = torch.Generator().manual_seed(1)
    labels = torch.arange(40_000) % 2
    assert torch.equal(_shares(labels, 0.0, random), labels.float())
    shares = _shares(labels, 1.0, random)
    for low in (0.0, 0.3, 0.8):
        told = (shares >= low) & (shares < low + 0.2)
        assert float(labels[told].double().mean()) == pytest.approx(low + 0.1, abs=0.03)


def test_batch_of_fewer_images_than_its_size_is_all_of_them() -> None:
    images = bright_and_dark(6)
    flow = Flow(settings_of(steps_per_epoch=None), (1, 8, 8), RUN)
    assert train_epoch(flow, images["images"], images["labels"])["flow_loss"] > 0
