from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from borderline.datasets.checkpoints import Checkpoint, check_settings
from borderline.datasets.model_format import Reader, Writer
from borderline.errors import BorderlineError
from borderline.pipelines.gasten.gan_params import GanParams
from borderline.pipelines.gasten.networks import (
    build_discriminator,
    build_generator,
    feature_map_sizes,
)
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
    assert feature_map_sizes((size, size), blocks) == [(side, side) for side in sizes]


@pytest.mark.parametrize("blocks", [None, 1, 3, 7])
@pytest.mark.parametrize("size", [(16, 40), (17, 45), (8, 128), (64, 65), (8, 4096)])
def test_no_side_gets_small_while_the_other_one_is_long(
    size: tuple[int, int], blocks: int | None
) -> None:
    sizes = feature_map_sizes(size, blocks)
    assert sizes[-1] == size
    for small, large in pairwise(sizes):
        halves = tuple((side + 1) // 2 for side in large)
        assert all(
            now in (half, side) for now, half, side in zip(small, halves, large, strict=True)
        )
        assert max(small) == max(halves) or min(large) == max(small), "the longer side is halved"
        if max(large) > 4:
            assert min(small) >= min(3, min(large))
    if blocks is None:
        assert max(sizes[0]) <= 4 < max(sizes[1])
    turned = feature_map_sizes(size[::-1], blocks)
    assert turned == [(width, height) for height, width in sizes]


@pytest.mark.parametrize("architecture", ["dcgan", "resnet"])
@pytest.mark.parametrize("loss", ["ns", "wgan_gp"])
@pytest.mark.parametrize(
    "size", [(8, 8), (9, 9), (28, 28), (33, 33), (64, 64), (17, 45), (45, 17), (8, 128), (9, 8)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_image_goes_both_ways(
    architecture: str, loss: str, size: tuple[int, int], channels: int
) -> None:
    gan, shape = params(architecture=architecture, loss=loss), (channels, *size)
    generator = build_generator(gan, shape)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, *shape)
    assert generator.image_shape == shape
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


@pytest.mark.parametrize("blocks", [None, 1, 4, 6])
@pytest.mark.parametrize("side", [9, 28, 32])
def test_square_images_get_the_layers_of_earlier_versions(side: int, blocks: int | None) -> None:
    """Checkpoints of square images load, and the same seed gives the same bits."""
    sides = [side]
    while sides[0] > 4 if blocks is None else len(sides) <= blocks:
        sides.insert(0, (sides[0] + 1) // 2)
    steps = list(pairwise(sides))
    widths = [2 * 2**block for block in reversed(range(len(steps)))] + [1]
    up: list[nn.Module] = [
        nn.Linear(5, widths[0] * sides[0] ** 2, bias=False),
        nn.Unflatten(1, (widths[0], sides[0], sides[0])),
    ]
    for number, (small, large) in enumerate(steps):
        end, rest = number == len(steps) - 1, large - (2 * small - 1)
        channels = widths[number], widths[number + 1]
        deconvolution = nn.ConvTranspose2d(*channels, 5, 2, 2, output_padding=rest, bias=end)
        up += [nn.BatchNorm2d(channels[0]), nn.ReLU(), deconvolution]
    down: list[nn.Module] = []
    for number in range(len(steps)):
        channels = widths[-1 - number], widths[-2 - number]
        down.append(nn.Conv2d(*channels, 5, 2, 2, bias=number == 0))
        down += [nn.BatchNorm2d(channels[1])] if number else []
        down.append(nn.LeakyReLU(0.2))
    down += [nn.Flatten(), nn.Linear(widths[0] * sides[0] ** 2, 1), nn.Flatten(0)]
    gan, shape, given = params(filters=2, blocks=blocks), (1, side, side), torch.randn(3, 5)
    generator, discriminator = build_generator(gan, shape), build_discriminator(gan, shape)
    for network, layers in ((generator, [*up, nn.Tanh()]), (discriminator, down)):
        before = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        weights = {name.removeprefix("net."): w for name, w in network.state_dict().items()}
        before.load_state_dict(weights)
        made = network(given)
        assert torch.equal(before(given), made)
        given = made


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
