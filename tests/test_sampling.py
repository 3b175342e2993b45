from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.gasten.latent_search import SearchSampler
from borderline.pipelines.gasten.pixel_blends import BlendSampler
from borderline.records import LabelledImages, Part
from borderline.sampling import (
    PART_SIZE,
    GanSampler,
    Parts,
    Sampler,
    part_sizes,
    sample_within_pair,
)

Z = 4


class Decoder(nn.Module):
    latent_dim = Z

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents[:, :, None, None].expand(-1, -1, 4, 4).mean(1, keepdim=True))


class Brightness(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return 9 * images.mean((1, 2, 3))


SAMPLERS: dict[str, Sampler] = {
    "gasten": GanSampler(generator=Decoder()),
    "latent_search": SearchSampler(
        generator=Decoder(), pairs="random", truncation=None, spread=0.0, tolerance=0.01
    ),
    "pixel_bisection": BlendSampler(pairs="random", tolerance=0.01),
}


@pytest.mark.parametrize("images", [1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE])
def test_parts_add_up(images: int) -> None:
    sizes = list(part_sizes(images))
    assert sum(sizes) == images
    assert max(sizes) <= PART_SIZE


@pytest.fixture
def real() -> LabelledImages:
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 2
    levels = (labels * 2 - 1) * (0.1 + 0.8 * torch.rand(200, generator=random))
    return {"images": levels[:, None, None, None].expand(-1, 1, 4, 4), "labels": labels}


@pytest.mark.parametrize("kind", SAMPLERS)
def test_sampler_from_disk_makes_the_same_images_and_others_with_another_seed(
    kind: str, real: LabelledImages, run: RunParams
) -> None:
    sampler: Sampler = pickle.loads(pickle.dumps(SAMPLERS[kind]))

    def sample(seed: int) -> Part:
        (part,) = sampler.sample(Brightness(), real, 20, run.model_copy(update={"seed": seed}), 0.5)
        return part

    first = sample(0)
    assert torch.equal(first["images"], sample(0)["images"])
    assert not torch.equal(first["images"], sample(1)["images"])
    assert torch.allclose(first["probabilities"], torch.sigmoid(Brightness()(first["images"])))
    if sampler.decoder is None:
        assert "latents" not in first
    else:
        assert torch.allclose(sampler.decoder(first["latents"]), first["images"], atol=1e-6)


class OfThree(Brightness):
    """A model of a third class, which has what is near grey."""

    most_other_mass = 0.5

    def other_mass(self, images: Tensor) -> Tensor:
        return 1 - images.mean((1, 2, 3)).abs() * 4


def drain(parts: Parts) -> tuple[Part, str]:
    made: list[Part] = []
    while True:
        try:
            made.append(next(parts))
        except StopIteration as end:
            (part,) = made
            return part, str(end.value)


def test_images_of_other_classes_are_left_out_and_counted(
    real: LabelledImages, run: RunParams
) -> None:
    sampler = SAMPLERS["gasten"]
    everything, note = drain(sample_within_pair(sampler, Brightness(), real, 500, run, 0.5))
    assert note == ""
    assert "other_mass" not in everything
    other = OfThree().other_mass(everything["images"])
    kept, note = drain(sample_within_pair(sampler, OfThree(), real, 500, run, 0.5))
    within = other <= 0.5
    assert 0 < int(within.sum()) < 500
    for name in ("images", "latents", "probabilities"):
        assert torch.equal(kept[name], everything[name][within])
    assert torch.equal(kept["other_mass"], other[within])
    assert note.startswith(f"{500 - int(within.sum())} of 500 images were left out")
    assert f"on average {float(other.mean()):.2f}" in note
