from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from borderline.errors import BorderlineError
from borderline.grid import GIVEN_STEP_1
from borderline.params import PairParams, RunParams
from borderline.pipelines.gasten.gan import Gan
from borderline.preflight.checkpoints import check_given_step_1
from conftest import gan_params

PAIR = PairParams(positive=7, negative=1, test_share=0.2)
GAN = gan_params(latent_dim=2, batch_size=2)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"generator": {"filters": 2, "learning_rate": 0.5}}, None),
        (
            {"generator": {"filters": 3}},
            "gan.filters 2 (gan.generator.filters: 3), gan.blocks None",
        ),
        (
            {"discriminator": {"blocks": 2}},
            "gan.blocks None (gan.discriminator.blocks: 2), gan.latent_dim 2",
        ),
    ],
)
def test_given_step_1_has_the_networks_of_the_settings(
    run: RunParams, changed: dict[str, Any], words: str | None
) -> None:
    state = Gan(GAN, (1, 8, 8), run).state()
    checkpoint = {"epoch": 1, "settings": {}, "history": [], "state": state}
    catalog: Any = SimpleNamespace(
        exists=lambda name: name == GIVEN_STEP_1,
        load=lambda name: {"epoch_0001": lambda: checkpoint},
    )
    parameters: Any = SimpleNamespace(
        gan=gan_params(latent_dim=2, batch_size=2, **changed),
        pair=PAIR,
        grid=SimpleNamespace(generators=()),
    )
    about: Any = SimpleNamespace(step_1_checkpoints="given")
    if words is None:
        check_given_step_1(catalog, parameters, about)
        return
    with pytest.raises(BorderlineError) as error:
        check_given_step_1(catalog, parameters, about)
    assert words in str(error.value)
