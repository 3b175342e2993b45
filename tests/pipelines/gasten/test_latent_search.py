from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from borderline import sampling
from borderline.measures.confusion import is_borderline
from borderline.params import RunParams
from borderline.pipelines.gasten import latent_search
from borderline.pipelines.gasten.flow import Decoder
from borderline.pipelines.gasten.imported_generator import ImportedGenerator
from borderline.pipelines.gasten.latent_search import SearchSampler, spherical
from borderline.records import LabelledImages, Part
from conftest import BOUNDARY

Z = 6


class Ramp(nn.Module):
    """A generator whose images are as bright as the latent's first entries say."""

    latent_dim = Z

    def __init__(self, offset: float = 0.0, levels: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.offset, self.levels = offset, levels
        self.weight = nn.Parameter(torch.randn(Z, 64, generator=random) / Z**0.5)

    def forward(self, latents: Tensor) -> Tensor:
        images = torch.tanh(latents @ self.weight + self.offset)
        if self.levels:
            images = (images * self.levels).round() / self.levels
        return images.reshape(-1, 1, 8, 8)


class Model(nn.Module):
    """A model that weighs every pixel, sure of itself."""

    def __init__(self, scale: float = 30.0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(scale * torch.randn(64, generator=random) / 8)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight


def find(
    images: int = 300,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    **changed: Any,
) -> tuple[Part, str]:
    shown = changed.pop("real", torch.empty(0, 1, 8, 8))
    model = changed.pop("model", Model())
    values = {"pairs": "random", "truncation": None, "spread": 0.0, "tolerance": 0.01} | changed
    sampler = SearchSampler(generator=generator or Ramp(), discriminator=discriminator, **values)
    real: LabelledImages = {"images": shown, "labels": torch.zeros(len(shown))}
    parts = sampler.sample(model, real, images, RunParams(seed=5, device="cpu"), 0.5)
    found: list[Part] = []
    while True:
        try:
            found.append(next(parts))
        except StopIteration as end:
            merged = {name: torch.cat([part[name] for part in found]) for name in found[0]}
            return merged, end.value


def test_images_are_on_the_boundary_where_few_of_the_generator_are() -> None:
    freely = torch.sigmoid(Model()(Ramp()(torch.randn(3000, Z))))
    assert is_borderline(freely, BOUNDARY).double().mean() < 0.1
    found, note = find()
    assert note == ""
    assert len(found["images"]) == 300
    assert (found["probabilities"] - 0.5).abs().max() <= 0.0101
    with torch.no_grad():
        assert torch.allclose(Ramp()(found["latents"]), found["images"], atol=1e-6)
        assert torch.allclose(
            torch.sigmoid(Model()(found["images"])), found["probabilities"], atol=1e-6
        )


@pytest.mark.parametrize("pairs", ["random", "nearest"])
def test_no_two_images_are_alike(pairs: str) -> None:
    found, _ = find(pairs=pairs)
    distances = torch.pdist(found["images"].flatten(1))
    assert distances.min() > 2 / 255 * 8


def test_latents_are_as_long_as_those_of_the_generator() -> None:
    found, _ = find(images=2000)
    lengths, usual = found["latents"].norm(dim=1), torch.randn(2000, Z).norm(dim=1)
    assert lengths.mean().item() == pytest.approx(usual.mean().item(), rel=0.1)


def test_truncation_leaves_typical_latents() -> None:
    wide, narrow = (find(truncation=limit)[0]["latents"] for limit in (None, 0.5))
    assert narrow.norm(dim=1).mean() < 0.5 * wide.norm(dim=1).mean()
    assert narrow.norm(dim=1).max() <= 0.5 * Z**0.5 * 1.01


def test_probabilities_spread_as_wished_for() -> None:
    found, _ = find(images=1000, spread=0.08, tolerance=0.005)
    p = found["probabilities"]
    assert (p - 0.5).abs().max() <= 0.0851
    thirds = torch.histc(p, bins=3, min=0.42, max=0.58)
    assert thirds.min() > 200
    assert is_borderline(p, BOUNDARY).all()


def test_generator_near_the_boundary_is_searched_for_spread_probabilities_too() -> None:
    class Near(Ramp):
        def forward(self, latents: Tensor) -> Tensor:
            return 0.02 * super().forward(latents)

    p = torch.sigmoid(Model()(Near()(torch.randn(2000, Z))))
    assert is_borderline(p, {**BOUNDARY, "band": 0.2}).double().mean() > 0.9
    found, note = find(generator=Near(), spread=0.08)
    assert "on one side" not in note
    assert len(found["images"]) > 0
    assert found["probabilities"].std() > 0.02


def test_most_real_images_are_kept() -> None:
    class Brightness(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(1, 2, 3))

    kept, _ = find(discriminator=Brightness(), keep=0.25)
    freely, _ = find()
    assert len(kept["images"]) == 300
    assert kept["images"].mean() > freely["images"].mean() + 0.05
    assert (kept["probabilities"] - 0.5).abs().max() <= 0.0101


def test_a_model_that_needs_much_memory_gets_no_larger_batches() -> None:
    class Large(Model):
        batch_size = 20

        def forward(self, images: Tensor) -> Tensor:
            assert len(images) <= 20
            return super().forward(images)

    found, _ = find(images=100, model=Large())
    assert len(found["images"]) == 100


def test_the_images_that_other_judges_rate_real_are_kept() -> None:
    class Brightness(nn.Module):
        def __init__(self, weight: float) -> None:
            super().__init__()
            self.weight = weight

        def embed(self, images: Tensor) -> Tensor:
            return self.weight * images.mean(dim=(1, 2, 3))[:, None]

    random = torch.Generator().manual_seed(2)
    bright = 0.1 + 0.3 * torch.rand(60, 1, 1, 1, generator=random).expand(-1, 1, 8, 8)
    # Features of another scale have the same say.
    judges = Brightness(1.0), Brightness(-100.0)
    kept, _ = find(members=judges, keep=0.25, real=bright)
    freely, _ = find()
    assert len(kept["images"]) == 300
    shares = [(f["images"].mean((1, 2, 3)) > 0.1).double().mean() for f in (freely, kept)]
    # At most four times as many.
    assert 0 < 3 * shares[0] < shares[1]
    assert (kept["probabilities"] - 0.5).abs().max() <= 0.0101


def test_each_class_keeps_its_share_though_one_looks_more_real() -> None:
    def lean(images: Tensor) -> Tensor:
        return images[..., 4:].mean((1, 2, 3)) - images[..., :4].mean((1, 2, 3))

    class Discriminator(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return lean(images)

    class Judge(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 50 * torch.stack([-lean(images), torch.zeros(len(images)), lean(images)], 1)

    rated: dict[str, Any] = {"discriminator": Discriminator(), "keep": 0.25, "members": (Judge(),)}

    def share_of_positive(**changed: Any) -> float:
        found, _ = find(images=1000, **changed)
        return float((lean(found["images"]) > 0).double().mean())

    freely = share_of_positive()
    assert 0.25 < freely < 0.75
    assert share_of_positive(**rated, columns=(2, 0)) == pytest.approx(freely, abs=0.04)
    assert share_of_positive(**rated, columns=None) > 0.95, "no opinion on the class"


def test_parts_are_whole_and_their_number_does_not_grow_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampling, "PART_SIZE", 100)
    found, note = find(images=250)
    assert note == ""
    assert len(found["images"]) == 250


def test_generator_on_one_side_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_search, "_MOST_LATENTS", 2000)

    class Bright(Ramp):
        def forward(self, latents: Tensor) -> Tensor:
            with torch.no_grad():
                return Model().weight.sign().reshape(1, 1, 8, 8) + 0 * super().forward(latents)

    found, note = find(generator=Bright())
    assert len(found["images"]) == 0
    assert "fall on one side of the boundary, with p from 1.000 to 1.000" in note
    assert "train the GAN longer" in note


@pytest.mark.parametrize("kind", [Decoder, ImportedGenerator])
def test_a_generator_that_is_no_gan_is_not_called_one(
    monkeypatch: pytest.MonkeyPatch, kind: type[nn.Module]
) -> None:
    monkeypatch.setattr(latent_search, "_MOST_LATENTS", 2000)

    class Bright(Ramp):
        called, advice = kind.called, kind.advice

        def forward(self, latents: Tensor) -> Tensor:
            return Model().weight.detach().sign().reshape(1, 1, 8, 8) + 0 * super().forward(latents)

    _, note = find(generator=Bright())
    assert "GAN" not in note
    assert f"images drawn from the {kind.called} fall on one side" in note
    assert note.endswith(kind.advice)


def test_a_handful_on_one_side_is_searched_once_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_search, "_MOST_LATENTS", 3000)
    drawn: list[int] = []

    class NearlyAllBright(Ramp):
        def forward(self, latents: Tensor) -> Tensor:
            drawn.append(len(latents))
            with torch.no_grad():
                lean = Model().weight.sign().reshape(1, 1, 8, 8)
                return torch.tanh(super().forward(latents) + 0.4 * lean)

    found, note = find(generator=NearlyAllBright())
    assert 0 < len(found["images"]) <= 300
    assert "images drawn from the GAN fall on the rarer side" in note
    assert "only" in note
    assert sum(drawn) < 3000 + 512 + 8 * 300


def test_generator_that_repeats_itself_says_so() -> None:
    class Two(Ramp):
        """Two kinds of images and a straight mixture between them: few distinct crossings."""

        def forward(self, latents: Tensor) -> Tensor:
            kind = torch.tanh(20 * latents[:, :1])
            with torch.no_grad():
                return (kind * Model().weight.sign()).reshape(-1, 1, 8, 8)

    found, note = find(generator=Two())
    assert 0 < len(found["images"]) < 300
    assert "the generator repeats itself" in note


def test_rare_side_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class MostlyBright(Ramp):
        def forward(self, latents: Tensor) -> Tensor:
            with torch.no_grad():
                lean = Model().weight.sign().reshape(1, 1, 8, 8)
                return torch.tanh(super().forward(latents) + 0.35 * lean)

    logits = Model()(MostlyBright()(torch.randn(20000, Z)))
    assert 0 < (logits < 0).double().mean() < 0.01
    found, note = find(generator=MostlyBright())
    assert note == ""
    assert len(found["images"]) == 300


def test_arc_has_its_ends_and_keeps_its_length() -> None:
    a, b = torch.randn(2, 50, Z, generator=torch.Generator().manual_seed(0))
    b = b / b.norm(dim=1, keepdim=True) * a.norm(dim=1, keepdim=True)
    for share in (0.0, 0.3, 0.5, 1.0):
        point = spherical(a, b, torch.full((50,), share))
        assert torch.allclose(point.norm(dim=1), a.norm(dim=1), atol=1e-4)
    assert torch.allclose(spherical(a, b, torch.zeros(50)), a, atol=1e-5)
    assert torch.allclose(spherical(a, b, torch.ones(50)), b, atol=1e-5)
    quarter = spherical(torch.tensor([[1.0, 0]]), torch.tensor([[0, 1.0]]), torch.tensor([0.5]))
    assert torch.allclose(quarter, torch.tensor([[0.5**0.5, 0.5**0.5]]))


def test_evaluations_are_the_images_times_the_passes() -> None:
    class Slow(Ramp):
        passes_per_image = 3

        def forward(self, latents: Tensor) -> Tensor:
            self.decoded = getattr(self, "decoded", 0) + len(latents)
            return super().forward(latents)

    generator = Slow()
    with sampling.counted_evaluations(generator) as evaluations:
        find(generator=generator)
    assert evaluations.count == 3 * generator.decoded
    find(generator=generator)
    assert evaluations.count < 3 * generator.decoded, "only what happens in the context counts"


@pytest.mark.parametrize("passes", [1, 4])
def test_budget_bounds_the_search_and_more_finds_more(passes: int) -> None:
    made = []
    for images in (64, 500, 3000):
        generator = Ramp()
        generator.passes_per_image = passes
        with sampling.counted_evaluations(generator) as evaluations:
            found, note = find(images=2000, generator=generator, budget=passes * images)
        assert evaluations.count <= passes * images
        made.append(len(found["images"]))
        assert f"at {made[-1]} of 2000 images" in note
        assert (found["probabilities"] - 0.5).abs().max() <= 0.0101
    assert 0 < made[0] < made[1] < made[2] < 2000


def test_a_budget_is_spent_on_walks_that_reach_the_boundary() -> None:
    """Walks of a rugged space take many steps: those that the budget cuts would be lost."""

    class Rugged(Ramp):
        def forward(self, latents: Tensor) -> Tensor:
            return super().forward(latents + (40 * latents).sin())

    generator = Rugged()
    with sampling.counted_evaluations(generator) as evaluations:
        found, _ = find(images=2000, generator=generator, budget=20_000)
    whole = evaluations.count / len(found["images"])
    with sampling.counted_evaluations(generator) as evaluations:
        found, _ = find(images=2000, generator=generator, budget=5000)
    assert evaluations.count / len(found["images"]) < 1.2 * whole


def test_budget_that_is_not_reached_says_nothing() -> None:
    found, note = find(budget=10**6)
    assert (len(found["images"]), note) == (300, "")


def test_budget_too_small_for_a_batch_makes_no_image_and_says_so() -> None:
    found, note = find(budget=3)
    assert len(found["images"]) == 0
    assert "the budget of 3 decoder evaluations ended the search at 0 of 300 images" in note


class Labelled(Ramp):
    """The last number of a latent is a label, which shifts its images to one side."""

    latent_dim, label_column = Z + 1, Z

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, latents: Tensor) -> Tensor:
        lean = Model().weight.detach().sign().reshape(1, 1, 8, 8) * self.shift
        side = torch.where(latents[:, Z] > 0, 1.0, -1.0)[:, None, None, None]
        return super().forward(latents[:, :Z]) * 0.5 + side * lean


def test_walks_stay_within_a_label() -> None:
    found, note = find(generator=Labelled(0.02))
    assert note == ""
    assert len(found["images"]) == 300
    positive = (found["latents"][:, Z] > 0).double()
    # Other stages take the first images.
    for some in (positive, positive[:100]):
        assert 0.3 < some.mean() < 0.7
    assert (found["probabilities"] - 0.5).abs().max() <= 0.0101


def test_labels_that_never_cross_the_boundary_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_search, "_MOST_LATENTS", 2000)
    found, note = find(generator=Labelled(2.0))
    assert len(found["images"]) == 0
    assert "those of each label on one" in note


def test_seed_decides_every_bit() -> None:
    assert torch.equal(find()[0]["images"], find()[0]["images"])
