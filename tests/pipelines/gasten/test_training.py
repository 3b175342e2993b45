from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from borderline.datasets.checkpoints import Checkpoint, Checkpoints, epoch_name
from borderline.datasets.image_source import LabelledImages
from borderline.errors import BorderlineError
from borderline.params import RunParams
from borderline.pipelines.gasten import training
from borderline.pipelines.gasten.params import GanParams
from borderline.pipelines.gasten.training import Gan

PARAMS = GanParams(
    epochs=4, steps_per_epoch=3, latent_dim=4, filters=2, batch_size=16, learning_rate=1e-3
)


def train(
    images: Tensor,
    run: RunParams,
    so_far: Checkpoints | None = None,
    params: GanParams = PARAMS,
    confusion_term: Callable[[Tensor], Tensor] | None = None,
) -> list[Checkpoint]:
    return list(
        training.train(
            Gan.build(params, images.shape[1:], run),
            images,
            params=params,
            epochs=params.epochs,
            settings={"gan.filters": params.filters},
            so_far=so_far or {},
            confusion_term=confusion_term,
            measure=lambda generator: {"training": float(generator.training)},
        )
    )


def weights(checkpoint: Checkpoint) -> list[Tensor]:
    state = checkpoint["state"]
    return [*state["generator"].values(), *state["discriminator"].values()]


def same_bits(one: Checkpoint, other: Checkpoint) -> bool:
    return all(map(torch.equal, weights(one), weights(other)))


@pytest.mark.parametrize("stopped_after", [1, 3, 4])
def test_resumed_training_ends_with_the_same_bits(
    pair_images: LabelledImages, run: RunParams, stopped_after: int
) -> None:
    images = pair_images["images"]
    whole = train(images, run)
    folder = {epoch_name(c["epoch"]): lambda c=c: c for c in whole[:stopped_after]}
    resumed = train(images, run, folder)
    assert [c["epoch"] for c in resumed] == list(range(stopped_after, 5))
    assert same_bits(resumed[-1], whole[-1])
    assert resumed[-1]["history"] == whole[-1]["history"]
    assert torch.equal(resumed[-1]["state"]["random"], whole[-1]["state"]["random"])


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


def test_confusion_term_steers_the_generator(pair_images: LabelledImages, run: RunParams) -> None:
    images = pair_images["images"]
    longer = PARAMS.model_copy(update={"steps_per_epoch": 30, "learning_rate": 1e-2})

    def brightness(epochs: list[Checkpoint]) -> float:
        network = training.build_generator(longer, tuple(images.shape[1:]))
        network.load_state_dict(epochs[-1]["state"]["generator"])
        return network.eval()(torch.zeros(8, 4)).mean().item()

    plain = train(images, run, params=longer)
    dark = train(images, run, params=longer, confusion_term=lambda fake: 100 * fake.mean())
    assert brightness(dark) < brightness(plain) - 0.2


def test_discriminator_is_spared_in_the_generators_step(
    pair_images: LabelledImages, run: RunParams
) -> None:
    seen = []

    def term(fake: Tensor) -> Tensor:
        seen.append(any(p.requires_grad for p in gan.discriminator.parameters()))
        return fake.mean()

    gan = Gan.build(PARAMS, (1, 12, 12), run)
    images = pair_images["images"]
    list(
        training.train(
            gan, images, params=PARAMS, epochs=1, settings={}, so_far={}, confusion_term=term
        )
    )
    assert seen == [False] * 3
    assert all(p.requires_grad for p in gan.discriminator.parameters())


@pytest.mark.parametrize(
    ("images", "batch", "steps", "sizes"),
    [
        (10, 4, None, [4, 4]),
        (10, 4, 5, [4] * 5),
        (3, 64, None, [3]),
        (3, 64, 4, [3] * 4),
    ],
)
def test_batches_are_full_and_see_each_image_at_most_once_a_pass(
    images: int, batch: int, steps: int | None, sizes: list[int]
) -> None:
    params = PARAMS.model_copy(update={"batch_size": batch, "steps_per_epoch": steps})
    batches = list(training._batches(images, params, torch.Generator().manual_seed(0)))
    assert [len(b) for b in batches] == sizes
    per_pass = images // min(batch, images)
    for start in range(0, len(batches), per_pass):
        seen = torch.cat(batches[start : start + per_pass]).tolist()
        assert len(set(seen)) == len(seen)


def test_other_settings_are_refused(pair_images: LabelledImages, run: RunParams) -> None:
    images = pair_images["images"]
    folder = {epoch_name(c["epoch"]): lambda c=c: c for c in train(images, run)}
    with pytest.raises(BorderlineError, match=r"gan\.filters is 3"):
        train(images, run, folder, params=PARAMS.model_copy(update={"filters": 3}))


def test_diverged_loss_is_one_sentence(pair_images: LabelledImages, run: RunParams) -> None:
    with pytest.raises(BorderlineError, match=r"epoch 1 with gan\.learning_rate 0\.001: lower it"):
        train(pair_images["images"], run, confusion_term=lambda fake: fake.mean() / 0)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8)])
def test_colour_and_other_sizes(run: RunParams, shape: tuple[int, int, int]) -> None:
    images = torch.rand(20, *shape) * 2 - 1
    assert len(train(images, run, params=PARAMS.model_copy(update={"epochs": 1}))) == 1
