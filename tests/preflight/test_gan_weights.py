from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from kedro.pipeline import Node, Pipeline

from borderline.errors import BorderlineError
from borderline.pipelines.gasten.networks import build_discriminator, build_generator
from borderline.preflight import gan_weights
from borderline.preflight.gan_weights import check_gan_weights, weights_of
from conftest import gan_params

PIPELINE = Pipeline([Node(lambda _: None, "images", "gan.checkpoints")])


def params(**changed: object) -> Any:
    return gan_params(**{"epochs": 1, "latent_dim": 5, "batch_size": 4, "filters": 4} | changed)


def source_of(height: int, width: int) -> Any:
    return SimpleNamespace(train={"images": torch.zeros(2, 1, height, width)})


@pytest.mark.parametrize("architecture", ["dcgan", "resnet"])
def test_weights_are_counted_as_the_networks_have_them(architecture: str) -> None:
    gan, shape = params(architecture=architecture), (3, 17, 45)
    networks = build_generator(gan, shape), build_discriminator(gan, shape)
    assert weights_of(gan, shape) == sum(
        weights.numel() for network in networks for weights in network.parameters()
    )


def test_counting_draws_nothing() -> None:
    before = torch.get_rng_state()
    weights_of(params(), (1, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)


def test_gan_that_the_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gan_weights, "memory", lambda: 2**27)
    words = (
        r"^gan.filters is 4, but the weights of a dcgan for images of 8x2048 pixels \(height x "
        r"width\) take .* set gan.filters lower, gan.architecture to 'resnet', or source.size"
    )
    with pytest.raises(BorderlineError, match=words):
        check_gan_weights(PIPELINE, source_of(8, 2048), params())
    check_gan_weights(PIPELINE, source_of(8, 2048), params(architecture="resnet"))
    check_gan_weights(PIPELINE, source_of(8, 64), params())
    # A run of other stages does not care.
    check_gan_weights(Pipeline([]), source_of(8, 2048), params())
