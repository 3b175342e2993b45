from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.gasten import epoch
from borderline.pipelines.gasten.epoch import Steering
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.terms import TERMS
from borderline.records import LabelledImages
from conftest import gan_params

PARAMS = gan_params(
    epochs=4, steps_per_epoch=3, latent_dim=4, filters=2, batch_size=16, learning_rate=1e-3
)


class Brightness(nn.Module):
    """A model under test that calls bright images positive."""

    def forward(self, images: Tensor) -> Tensor:
        return 4 * (images.mean(dim=(1, 2, 3)) - 0.3)


GASTEN = Steering(classifier=Brightness(), term=TERMS["gasten"](), alpha=5.0)


def test_discriminator_is_spared_in_the_generators_step(
    pair_images: LabelledImages, run: RunParams
) -> None:
    seen = []

    class Spy(Brightness):
        def forward(self, images: Tensor) -> Tensor:
            if images.requires_grad:
                seen.append(any(p.requires_grad for p in gan.discriminator.parameters()))
            return super().forward(images)

    gan = Gan(PARAMS, (1, 12, 12), run)
    steering = Steering(classifier=Spy(), term=TERMS["gasten"](), alpha=1.0)
    epoch.train_epoch(gan, pair_images["images"], 1, steering)
    assert seen == [False] * 3
    assert all(p.requires_grad for p in gan.discriminator.parameters())


def test_discriminator_steps_for_each_generator_step(
    pair_images: LabelledImages, run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("_discriminator_step", "_generator_step"):
        original = getattr(epoch, name)

        def counted(*args: object, name: str = name, original=original) -> Tensor:  # type: ignore[no-untyped-def]
            steps.append(name[1])
            return original(*args)

        monkeypatch.setattr(epoch, name, counted)
    params = PARAMS.model_copy(update={"disc_iters": 2, "steps_per_epoch": 5})
    epoch.train_epoch(Gan(params, (1, 12, 12), run), pair_images["images"], 1, None)
    assert "".join(steps) == "ddgddgdg"


def test_history_has_the_mean_of_the_scalars_of_the_steps(
    pair_images: LabelledImages, run: RunParams
) -> None:
    class Counting(TERMS["gasten"]):  # type: ignore[misc]
        history_columns = ("count",)
        steps = 0.0

        def step(self, *args: object) -> tuple[Tensor, ...]:
            self.steps += 1
            return (*super().step(*args), torch.tensor(self.steps))

    params = PARAMS.model_copy(update={"steps_per_epoch": 4, "disc_iters": 2})
    steering = Steering(classifier=Brightness(), term=Counting())
    row = epoch.train_epoch(Gan(params, (1, 12, 12), run), pair_images["images"], 1, steering)
    assert row["count"] == 1.5, "two steps of the generator"


def test_share_of_real_batch_is_borderline(run: RunParams) -> None:
    rows = torch.tensor([3, 5, 7])
    steering = replace(GASTEN, real_rows=rows, real_share=0.5)
    batch = epoch._with_borderline(torch.arange(100, 116), steering, run.generator("x"))
    assert set(batch[:8].tolist()) <= {3, 5, 7}
    assert batch[8:].tolist() == list(range(108, 116))
    assert torch.equal(epoch._with_borderline(batch, GASTEN, run.generator("x")), batch)


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
    batches = list(epoch._batches(images, params, torch.Generator().manual_seed(0)))
    assert [len(b) for b in batches] == sizes
    per_pass = images // min(batch, images)
    for start in range(0, len(batches), per_pass):
        seen = torch.cat(batches[start : start + per_pass]).tolist()
        assert len(set(seen)) == len(seen)
