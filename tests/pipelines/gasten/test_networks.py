from __future__ import annotations

import pytest
import torch
from torch import nn

from borderline.datasets.checkpoints import Checkpoint, check_settings
from borderline.datasets.model_format import Reader, Writer
from borderline.errors import BorderlineError
from borderline.pipelines.gasten.networks import (
    build_discriminator,
    build_generator,
    feature_map_sizes,
)
from borderline.pipelines.gasten.params import GanParams
from conftest import base_settings, gan_params


def params(**changed: object) -> GanParams:
    return gan_params(**{"epochs": 1, "latent_dim": 5, "batch_size": 4} | changed)


@pytest.mark.parametrize(
    ("size", "blocks", "sizes"),
    [
        (28, None, [4, 7, 14, 28]),
        (32, None, [4, 8, 16, 32]),
        (64, None, [4, 8, 16, 32, 64]),
        (8, None, [4, 8]),
        (9, None, [3, 5, 9]),
        (28, 1, [14, 28]),
        (28, 4, [2, 4, 7, 14, 28]),
    ],
)
def test_sizes_double_up_to_the_image(size: int, blocks: int | None, sizes: list[int]) -> None:
    assert feature_map_sizes(size, blocks) == sizes


@pytest.mark.parametrize("architecture", ["dcgan", "resnet"])
@pytest.mark.parametrize("loss", ["ns", "wgan_gp"])
@pytest.mark.parametrize("size", [8, 9, 28, 33, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_square_image_goes_both_ways(
    architecture: str, loss: str, size: int, channels: int
) -> None:
    gan, shape = params(architecture=architecture, loss=loss), (channels, size, size)
    images = build_generator(gan, shape)(torch.randn(3, 5))
    assert images.shape == (3, *shape)
    assert images.abs().max() <= 1
    assert build_discriminator(gan, shape)(images).shape == (3,)


@pytest.mark.parametrize("blocks", [1, 2, 4, 5])
def test_any_number_of_blocks(blocks: int) -> None:
    gan = params(blocks=blocks)
    images = build_generator(gan, (1, 28, 28))(torch.randn(3, 5))
    assert build_discriminator(gan, (1, 28, 28))(images).shape == (3,)
    convolutions = [
        m for m in build_generator(gan, (1, 28, 28)).modules() if isinstance(m, nn.ConvTranspose2d)
    ]
    assert len(convolutions) == blocks


def test_reference_widths_for_28x28() -> None:
    gan = params(filters=64, latent_dim=64)
    generator = build_generator(gan, (1, 28, 28))
    linear = next(m for m in generator.modules() if isinstance(m, nn.Linear))
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert (linear.in_features, linear.out_features) == (64, 256 * 16)
    assert [(m.in_channels, m.out_channels) for m in convolutions] == [
        (256, 128),
        (128, 64),
        (64, 1),
    ]
    discriminator = build_discriminator(gan, (1, 28, 28))
    widths = [m.out_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [64, 128, 256]


def test_weights_start_at_a_spread_of_0_02() -> None:
    torch.manual_seed(0)
    generator = build_generator(params(filters=64, latent_dim=64), (1, 28, 28))
    for module in generator.modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(module.weight.mean().item()) < 2e-3


@pytest.mark.parametrize("architecture", ["dcgan", "resnet"])
def test_wgan_gp_judges_each_image_alone(architecture: str) -> None:
    images = torch.randn(6, 1, 28, 28)
    alone = {}
    for loss in ("ns", "wgan_gp"):
        network = build_discriminator(params(architecture=architecture, loss=loss), (1, 28, 28))
        network.train()
        together = network(images)
        alone[loss] = torch.allclose(network(images[:3]), together[:3], atol=1e-5)
    assert alone == {"ns": False, "wgan_gp": True}


def test_resnet_has_three_blocks_up_and_four_down() -> None:
    gan = params(architecture="resnet", filters=4)
    up = {type(m).__name__ for m in build_generator(gan, (3, 32, 32)).net}
    assert "_Up" in up
    seen: list[tuple[int, ...]] = []
    discriminator = build_discriminator(gan, (3, 32, 32))
    for block in discriminator.blocks:  # type: ignore[union-attr]
        block.register_forward_hook(lambda _m, _i, output: seen.append(tuple(output.shape[1:])))
    discriminator(torch.randn(2, 3, 32, 32))
    assert seen == [(4, 16, 16), (8, 8, 8), (16, 4, 4), (32, 2, 2)]


def test_each_network_has_its_own_filters_and_blocks() -> None:
    gan = params(filters=4, generator={"filters": 8, "blocks": 2}, discriminator={"blocks": 1})
    generator, discriminator = (
        [m for m in build(gan, (1, 28, 28)).modules() if isinstance(m, kind)]
        for build, kind in (
            (build_generator, nn.ConvTranspose2d),
            (build_discriminator, nn.Conv2d),
        )
    )
    assert [m.in_channels for m in generator] == [16, 8]
    assert [m.out_channels for m in discriminator] == [4]


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_resnet_has_its_blocks_in_both_networks(name: str) -> None:
    with pytest.raises(ValueError, match=f"a resnet has .* set {name}.blocks to null"):
        params(architecture="resnet", **{name: {"blocks": 2}})


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        ({"generator": {"filters": 3}}, "gan.filters", "2 (gan.generator.filters: 3)"),
        ({"discriminator": {"blocks": 2}}, "gan.blocks", "None (gan.discriminator.blocks: 2)"),
        (
            {"generator": {"learning_rate": 0.5}, "discriminator": {"betas": [0, 0.9]}},
            "gan.learning_rate",
            "0.001 (gan.generator.learning_rate: 0.5, gan.discriminator.betas: [0.0, 0.9])",
        ),
        ({"betas": [0.5, 0.9]}, "gan.learning_rate", "0.001 (gan.generator.betas: [0.5, 0.9], "),
    ],
)
def test_checkpoints_of_common_settings_and_of_own_ones_refuse_each_other(
    changed: dict[str, object], name: str, value: str
) -> None:
    before, after = (params(**more).fingerprint("gan") for more in ({}, changed))
    assert before.keys() == after.keys()
    for made, now in ((before, after), (after, before)):
        checkpoint: Checkpoint = {"epoch": 1, "settings": made, "history": [], "state": {}}
        with pytest.raises(BorderlineError) as error:
            check_settings(checkpoint, now)
        assert str(error.value).startswith(f"{name} is ")
        assert value in str(error.value)


def test_own_settings_that_equal_the_common_ones_change_nothing() -> None:
    own = {"filters": 2, "learning_rate": 1e-3, "betas": [0.5, 0.999]}
    same = params(generator=own, discriminator=own).fingerprint("gan")
    assert same == params().fingerprint("gan")
    assert not any("betas" in name or "generator" in name for name in same)


@pytest.mark.parametrize("betas", [[0.5], [0.5, 1], [-0.1, 0.9], 0.5, ["a", 0.9]])
def test_betas_are_two_rates(betas: object) -> None:
    for own in ({"betas": betas}, {"generator": {"betas": betas}}):
        with pytest.raises(ValueError, match="two numbers from 0 to below 1"):
            params(**own)


def test_networks_that_earlier_versions_saved_are_read() -> None:
    writer = Writer()
    tree = writer.tree(build_generator(params(), (1, 8, 8)))
    for name in ("betas", "generator", "discriminator"):
        del tree["arguments"]["params"]["values"][name]
    read = Reader(writer.tensors, allow_code=lambda: None).value(tree)
    assert read.made_of[1]["params"] == params()


def test_presets_are_names_that_single_settings_override() -> None:
    values = base_settings()["gan"] | {"preset": "paper"}
    paper = GanParams.model_validate(values)
    assert (paper.filters, paper.learning_rate, paper.batch_size) == (64, 2e-4, 64)
    assert GanParams.model_validate(values | {"filters": 5}).filters == 5
    # What the ledger and the checkpoints compare is what the preset means, not its name.
    spelled_out = GanParams.model_validate(paper.model_dump() | {"preset": None})
    assert spelled_out.fingerprint("gan") == paper.fingerprint("gan")
