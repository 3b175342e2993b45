from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name
from borderline.errors import BorderlineError
from borderline.params import RunParams
from borderline.pipelines.gasten.epoch import Steering
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.gan_params import EarlyStoppingParams, GanParams
from borderline.pipelines.gasten.networks import build_networks
from borderline.pipelines.gasten.terms import TERMS
from borderline.pipelines.gasten.training import Progress
from borderline.pipelines.gasten.training import train as stream_training
from borderline.records import LabelledImages
from conftest import gan_params

PARAMS = gan_params(epochs=4, steps_per_epoch=3, latent_dim=4, batch_size=16)


class Brightness(nn.Module):
    """A model under test that calls bright images positive; ``scale`` makes it sure of itself."""

    def __init__(self, scale: float = 4.0, offset: float = 0.3) -> None:
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * (images.mean(dim=(1, 2, 3)) - self.offset)


GASTEN = Steering(classifier=Brightness(), term=TERMS["gasten"](), alpha=5.0)


def progress(
    images: Tensor,
    run: RunParams,
    so_far: Checkpoints | None = None,
    params: GanParams = PARAMS,
    steering: Steering | None = None,
    early_stopping: EarlyStoppingParams | None = None,
) -> list[Progress]:
    return list(
        stream_training(
            Gan(params, images.shape[1:], run),
            images,
            epochs=params.epochs,
            settings={"gan.filters": params.filters},
            so_far=so_far or {},
            measure=lambda generator: {
                "training": float(generator.training),
                "fd_lenet": generator(torch.zeros(2, 4)).mean().item(),
            },
            steering=steering,
            early_stopping=early_stopping,
        )
    )


def train(images: Tensor, run: RunParams, *args: object, **kwargs: object) -> list[Checkpoint]:
    steps = progress(images, run, *args, **kwargs)  # type: ignore[arg-type]
    return [checkpoint for _, checkpoint in steps if checkpoint is not None]


def weights(checkpoint: Checkpoint) -> list[Tensor]:
    state = checkpoint["state"]
    return [*state["generator"].values(), *state["discriminator"].values()]


def same_bits(one: Checkpoint, other: Checkpoint) -> bool:
    return all(map(torch.equal, weights(one), weights(other)))


def without_time(checkpoint: Checkpoint) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in checkpoint["history"]]


def folder_of(checkpoints: list[Checkpoint]) -> Checkpoints:
    return {epoch_name(c["epoch"]): lambda c=c: c for c in checkpoints}


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("stopped_after", [1, 2, 3, 4])
@pytest.mark.parametrize("steering", [None, GASTEN], ids=["step 1", "step 2"])
def test_resumed_training_ends_with_the_same_bits(
    pair_images: LabelledImages,
    run: RunParams,
    stopped_after: int,
    every: int,
    steering: Steering | None,
) -> None:
    images = pair_images["images"]
    params = PARAMS.model_copy(update={"checkpoint_every": every})
    whole = train(images, run, params=params, steering=steering)
    assert whole[-1]["epoch"] == 4
    there = [c for c in whole if c["epoch"] <= stopped_after]
    resumed = train(images, run, folder_of(there), params=params, steering=steering)
    assert same_bits(resumed[-1], whole[-1])
    assert without_time(resumed[-1]) == without_time(whole[-1])
    assert torch.equal(resumed[-1]["state"]["random"], whole[-1]["state"]["random"])


@pytest.mark.parametrize(
    ("loss", "term", "columns"),
    [
        ("ns", None, []),
        ("ns", "gasten", ["confusion_loss"]),
        ("wgan_gp", None, ["w_distance", "gradient_penalty"]),
        ("wgan_gp", "gasten", ["w_distance", "gradient_penalty", "confusion_loss"]),
        ("ns", "mgda", ["confusion_loss", "generator_weight", "confusion_weight"]),
        ("ns", "mgda_norm", ["confusion_loss", "generator_weight", "confusion_weight"]),
    ],
)
def test_history_has_the_scalars_of_the_loss_and_of_the_term(
    pair_images: LabelledImages, run: RunParams, loss: str, term: str | None, columns: list[str]
) -> None:
    images, params = pair_images["images"], PARAMS.model_copy(update={"loss": loss, "epochs": 2})
    steering = replace(GASTEN, term=TERMS[term]()) if term else None
    whole = train(images, run, params=params, steering=steering)
    row = whole[-1]["history"][-1]
    measured = ["training", "fd_lenet"]
    assert [*row] == [
        *("epoch", "seconds", "generator_loss", "discriminator_loss", *columns, *measured)
    ]
    if "w_distance" in columns:
        penalty = params.gradient_penalty * row["gradient_penalty"]
        assert row["discriminator_loss"] == pytest.approx(penalty - row["w_distance"], rel=1e-5)
    if "generator_weight" in columns:
        assert row["generator_weight"] + row["confusion_weight"] == pytest.approx(1)
    resumed = train(images, run, folder_of(whole[:-1]), params=params, steering=steering)
    assert without_time(resumed[-1]) == without_time(whole[-1])


def test_checkpoints_come_at_their_interval_and_at_the_end(
    pair_images: LabelledImages, run: RunParams
) -> None:
    params = PARAMS.model_copy(update={"checkpoint_every": 3})
    every = progress(pair_images["images"], run, params=params)
    assert [len(history) for history, _ in every] == [1, 2, 3, 4]
    assert [checkpoint is not None for _, checkpoint in every] == [False, False, True, True]


def test_step_2_begins_with_a_checkpoint_of_what_it_starts_from(
    pair_images: LabelledImages, run: RunParams
) -> None:
    images = pair_images["images"]
    first = train(images, run, steering=GASTEN)[0]
    fresh = Gan(PARAMS, images.shape[1:], run).state()
    assert first["epoch"] == 0
    assert all(map(torch.equal, first["state"]["generator"].values(), fresh["generator"].values()))


def test_seed_decides_every_bit(pair_images: LabelledImages, run: RunParams) -> None:
    images = pair_images["images"]
    assert same_bits(train(images, run)[-1], train(images, run)[-1])
    other = RunParams(seed=1, device="cpu")
    assert not same_bits(train(images, run)[-1], train(images, other)[-1])


def test_checkpoints_are_copies_and_measured_in_evaluation(
    pair_images: LabelledImages, run: RunParams
) -> None:
    checkpoints = train(pair_images["images"], run)
    assert not same_bits(checkpoints[0], checkpoints[1])
    assert all(row["training"] == 0 for row in checkpoints[-1]["history"])


# At a higher rate a training ends elsewhere for a change in the last bits, as of another CPU.
LONGER = PARAMS.model_copy(update={"steps_per_epoch": 30, "learning_rate": 3e-3, "epochs": 2})


@pytest.mark.parametrize("term", TERMS)
def test_every_term_pulls_the_generator_to_the_boundary(
    pair_images: LabelledImages, run: RunParams, term: str
) -> None:
    images, model = pair_images["images"], Brightness()
    alpha = {"gasten": 25.0, "logit": 5.0, "kl": 20.0}.get(term, 1.0)
    steering = Steering(classifier=model, term=TERMS[term](), alpha=alpha)

    def mean_distance(checkpoint: Checkpoint) -> float:
        network = build_networks(LONGER, tuple(images.shape[1:]), run)[0]
        network.load_state_dict(checkpoint["state"]["generator"])
        latents = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
        return (torch.sigmoid(model(network.eval()(latents))) - 0.5).abs().mean().item()

    plain = mean_distance(train(images, run, params=LONGER)[-1])
    steered = train(images, run, params=LONGER, steering=steering)[-1]
    assert mean_distance(steered) < 0.8 * plain
    assert "confusion_loss" in steered["history"][-1]


def test_weight_grows_from_epoch_to_epoch(pair_images: LabelledImages, run: RunParams) -> None:
    images = pair_images["images"]
    two = PARAMS.model_copy(update={"epochs": 2})
    plain = train(images, run, params=two, steering=GASTEN)
    grown = train(images, run, params=two, steering=replace(GASTEN, growth=2.0))
    assert same_bits(plain[1], grown[1]), "the first epoch has the weight as it is set"
    assert not same_bits(plain[2], grown[2])


def test_other_settings_are_refused(pair_images: LabelledImages, run: RunParams) -> None:
    images = pair_images["images"]
    there = folder_of(train(images, run))
    with pytest.raises(BorderlineError, match=r"gan\.filters is 3"):
        train(images, run, there, params=PARAMS.model_copy(update={"filters": 3}))


class Breaks(Brightness):
    """Gives a loss that is not finite from a certain call on."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def forward(self, images: Tensor) -> Tensor:
        self.left -= 1
        return super().forward(images) / (0 if self.left < 0 else 1)


@pytest.mark.parametrize(("after", "kept"), [(0, [0]), (4, [0, 1]), (7, [0, 1, 2])])
def test_diverged_training_ends_with_its_last_good_checkpoint(
    pair_images: LabelledImages, run: RunParams, after: int, kept: list[int]
) -> None:
    steering = Steering(classifier=Breaks(after), term=TERMS["logit"](), alpha=1.0)
    every = progress(pair_images["images"], run, steering=steering)
    checkpoints = [checkpoint for _, checkpoint in every if checkpoint is not None]
    assert [c["epoch"] for c in checkpoints] == kept
    assert all(torch.isfinite(w).all() for c in checkpoints for w in weights(c))
    history, checkpoint = every[-1]
    last = history[-1]
    assert checkpoint is None
    assert last["epoch"] == kept[-1] + 1
    assert not math.isfinite(last["confusion_loss"])
    assert "fd_lenet" not in last


def test_early_stopping_ends_a_training_and_a_resumed_one_agrees(
    pair_images: LabelledImages, run: RunParams
) -> None:
    images, rule = pair_images["images"], EarlyStoppingParams(metric="fd_lenet", patience=1)
    params = PARAMS.model_copy(update={"epochs": 60})
    stopped = train(images, run, params=params, early_stopping=rule)
    distances = [row["fd_lenet"] for row in stopped[-1]["history"]]
    assert len(distances) < 60
    assert distances[-1] >= min(distances[:-1])
    assert distances[:-1] == sorted(distances[:-1], reverse=True)
    resumed = train(images, run, folder_of(stopped), params=params, early_stopping=rule)
    assert [c["epoch"] for c in resumed] == [len(distances)]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8)])
@pytest.mark.parametrize("architecture", ["dcgan", "resnet"])
@pytest.mark.parametrize("loss", ["ns", "wgan_gp"])
def test_every_architecture_and_loss_trains(
    run: RunParams, shape: tuple[int, int, int], architecture: str, loss: str
) -> None:
    images = torch.rand(20, *shape) * 2 - 1
    params = PARAMS.model_copy(update={"epochs": 1, "architecture": architecture, "loss": loss})
    (checkpoint,) = train(images, run, params=params)
    before = Gan(params, shape, run).state()
    for name in ("generator", "discriminator"):
        after = checkpoint["state"][name]
        assert any(not torch.equal(after[key], before[name][key]) for key in after)
        assert all(torch.isfinite(w).all() for w in after.values())


def test_learning_rate_is_that_of_the_settings_not_of_the_checkpoint(
    pair_images: LabelledImages, run: RunParams
) -> None:
    state = train(pair_images["images"], run)[-1]["state"]
    gan = Gan(PARAMS.model_copy(update={"learning_rate": 0.5}), (1, 12, 12), run)
    gan.load(state)
    assert gan.generator_optimiser.param_groups[0]["lr"] == 0.5
    assert gan.discriminator_optimiser.param_groups[0]["lr"] == 0.5


def test_each_network_has_its_own_rate_and_betas(
    pair_images: LabelledImages, run: RunParams
) -> None:
    own = {"generator": {"betas": [0.1, 0.9]}, "discriminator": {"learning_rate": 0.5}}
    before = Gan(PARAMS, (1, 12, 12), run)
    gan = Gan(gan_params(**PARAMS.model_dump() | own | {"betas": (0.2, 0.8)}), (1, 12, 12), run)
    for _ in range(2):
        groups = [
            optimiser.param_groups[0]
            for optimiser in (gan.generator_optimiser, gan.discriminator_optimiser)
        ]
        assert [group["lr"] for group in groups] == [PARAMS.learning_rate, 0.5]
        assert [group["betas"] for group in groups] == [(0.1, 0.9), (0.2, 0.8)]
        gan.load(before.state())
    for optimiser in (before.generator_optimiser, before.discriminator_optimiser):
        assert optimiser.param_groups[0]["betas"] == (0.5, 0.999)


def test_training_leaves_the_state_that_it_starts_from_alone(
    pair_images: LabelledImages, run: RunParams
) -> None:
    images = pair_images["images"]
    checkpoint = train(images, run)[0]
    before = copy.deepcopy(checkpoint["state"]["generator_optimiser"])
    train(images, run, folder_of([checkpoint]))
    after = checkpoint["state"]["generator_optimiser"]
    for key, values in before["state"].items():
        assert torch.equal(values["exp_avg"], after["state"][key]["exp_avg"])


def test_bfloat16_trains_float32_weights(pair_images: LabelledImages, run: RunParams) -> None:
    images = pair_images["images"]
    params = PARAMS.model_copy(update={"precision": "bfloat16"})
    half, full = train(images, run, params=params)[-1], train(images, run)[-1]
    assert all(w.dtype in (torch.float32, torch.int64) for w in weights(half))
    assert not same_bits(half, full)
    for name in ("generator_loss", "discriminator_loss"):
        assert half["history"][-1][name] == pytest.approx(full["history"][-1][name], rel=0.05)


def test_compiled_networks_have_the_same_state(run: RunParams) -> None:
    plain = Gan(PARAMS, (1, 12, 12), run)
    compiled = Gan(PARAMS.model_copy(update={"compile": True}), (1, 12, 12), run)
    assert compiled.state()["generator"].keys() == plain.state()["generator"].keys()
    assert compiled.generator._compiled_call_impl is not None
