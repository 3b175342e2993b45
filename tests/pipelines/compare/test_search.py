from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from borderline.boundary import Boundary
from borderline.pipelines.compare.search import (
    Arcs,
    Rivals,
    draw_arcs,
    sample_at_random,
    search,
    walk,
)
from conftest import BOUNDARY


class Plane(nn.Module):
    """A decoder whose images (B, 1, 1, 2) are its latents."""

    latent_dim = 2

    def forward(self, latents: Tensor) -> Tensor:
        return latents[:, None, None, :]


class Labelled(nn.Module):
    """A decoder whose last number is a label, which moves the image to one side."""

    latent_dim, label_column = 2, 1

    def forward(self, latents: Tensor) -> Tensor:
        moved = latents[:, 0] + torch.where(latents[:, 1] > 0, 1.0, -1.0)
        return torch.stack([moved, moved], 1)[:, None, None, :]


class Model(nn.Module):
    """A model whose logit is a function of the first pixel; it counts its images."""

    def __init__(self, logit: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.logit = logit
        self.seen = 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return self.logit(images[:, 0, 0, 0])


class OfThree(Model):
    """A model of a third class, which has the images whose second pixel is above a number."""

    def __init__(self, place: float, beside: float, most: float | None = 0.5) -> None:
        super().__init__(lambda x: 4 * (x - place))
        self.beside, self.most_other_mass = beside, most

    def other_mass(self, images: Tensor) -> Tensor:
        return 0.5 + (images[:, 0, 0, 1] - self.beside)


def crossing_at(place: float, slope: float = 4.0) -> Model:
    return Model(lambda x: slope * (x - place))


def rivals(first: nn.Module, second: nn.Module, *boundaries: Boundary, **changed: Any) -> Rivals:
    both = boundaries or (BOUNDARY, BOUNDARY)
    return Rivals(changed.get("decoder", Plane()), [first, second], both, torch.device("cpu"))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def arcs_between(rivals: Rivals, first: Tensor, last: Tensor) -> Arcs:
    shape = 2, len(first)
    ends = rivals.view(first).logits, rivals.view(last).logits
    return Arcs(first, last, torch.zeros(shape).double(), torch.ones(shape).double(), *ends)


@pytest.mark.parametrize("half", [0.01, 0.1, 0.4])
def test_all_images_lie_in_the_region_of_disagreement_and_are_different(half: float) -> None:
    models = crossing_at(-half), crossing_at(half, 9.0)
    result = search(rivals(*models), 30, seeded())
    images, found = result.found["images"], result.found
    assert len(images) == 30
    assert (images[:, 0, 0, 0].abs() < half).all()
    assert torch.equal(images.flatten(1), found["latents"])
    assert (found["this_p"] > 0.5).all()
    assert (found["other_p"] < 0.5).all()
    assert len(images.flatten(1).unique(dim=0)) == 30
    assert torch.equal(found["width"], found["width"].sort(descending=True).values)


def test_every_evaluation_of_a_model_on_an_image_counts() -> None:
    models = crossing_at(-0.1), crossing_at(0.1)
    both = rivals(*models)
    search(both, 10, seeded())
    assert both.evaluations == models[0].seen + models[1].seen
    before = both.evaluations
    sample_at_random(both, 25, seeded())
    assert both.evaluations - before == 50


def test_a_walk_measures_its_stretch() -> None:
    """On a quarter of the circle, the first pixel is a cosine, so the crossings are known."""
    places = torch.tensor([-0.3, -0.1]), torch.tensor([0.2, 0.15])
    both = rivals(crossing_at(-0.3), crossing_at(0.2))
    corner = 0.5**0.5
    first, last = (torch.tensor([[x, corner]]) for x in (-corner, corner))
    arcs = arcs_between(both, first, last)
    before = both.evaluations
    found = walk(both, arcs)
    # The first image already lies between the crossings: 2 for it, and 1 for each crossing.
    assert both.evaluations - before == 4
    expected = math.degrees(torch.acos(places[0][0]) - torch.acos(places[1][0]))
    assert found["angle"].item() == pytest.approx(expected, rel=0.02)
    assert found["width"].item() == pytest.approx(expected / 90, rel=0.02)


def test_a_narrow_stretch_is_found_by_the_crossings_that_become_known() -> None:
    both = rivals(crossing_at(0.5, 1.0), crossing_at(0.502, 20.0))
    first, last = torch.tensor([[-0.6, 0.8]]), torch.tensor([[0.8, 0.6]])
    found = walk(both, arcs_between(both, first, last))
    assert 0.5 < found["images"][0, 0, 0, 0] < 0.502
    assert found["angle"].item() == pytest.approx(0.1324, rel=0.02)


@pytest.mark.parametrize("thresholds", [(0.5, 0.9), (0.02, 0.5), (0.3, 0.7)])
def test_models_that_differ_in_their_threshold_disagree_between_both(
    thresholds: tuple[float, float],
) -> None:
    boundaries: list[Any] = [{**BOUNDARY, "threshold": t} for t in thresholds]
    both = rivals(crossing_at(0), crossing_at(0), *boundaries)
    found = search(both, 10, seeded()).found
    assert len(found["images"]) == 10
    assert torch.equal(found["this_p"], found["other_p"])
    assert (found["this_p"] > thresholds[0]).all()
    assert (found["this_p"] < thresholds[1]).all()


def test_models_of_two_confidences_are_searched_although_their_ends_tell_nothing() -> None:
    both = rivals(*(Model(lambda x, at=at: (x > at) * 8.0 - 4.0) for at in (-0.1, 0.1)))
    found = search(both, 10, seeded()).found
    assert len(found["images"]) == 10
    assert (found["images"][:, 0, 0, 0].abs() <= 0.1).all()


@pytest.mark.parametrize("slope", [4.0, 4.000001, 8.0])
def test_models_that_decide_alike_end_the_search_quickly(slope: float) -> None:
    both = rivals(crossing_at(0.1), crossing_at(0.1, slope))
    result = search(both, 100, seeded())
    assert len(result.found["images"]) == 0
    assert result.found["images"].shape[1:] == (1, 1, 2)
    assert result.arcs == 100
    assert both.evaluations <= 200 + 100 * 2 * 8


@pytest.mark.parametrize(
    ("model", "empty"),
    [(crossing_at(50), 1), (crossing_at(-50), 0), (Model(lambda x: x * math.nan), None)],
)
def test_models_that_never_agree_on_a_class_give_no_arc(model: Model, empty: int | None) -> None:
    result = search(rivals(crossing_at(0), model), 10, seeded())
    assert (len(result.found["images"]), result.arcs) == (0, 0)
    assert [side == 0 for side in result.sides] == [empty in (0, None), empty in (1, None)]


def test_a_rare_class_is_searched_on_in_further_rounds() -> None:
    """About one of 64 latents is positive, and gives four arcs at most."""
    result = search(rivals(crossing_at(2.1), crossing_at(2.3)), 30, seeded())
    assert result.latents > 3 * 64
    assert len(result.found["images"]) >= 20
    assert result.arcs <= 4 * result.sides[1]


def test_images_that_rounding_decides_are_no_disagreements() -> None:
    both = rivals(crossing_at(0), Model(lambda x: 4 * x + 4e-4))
    assert len(search(both, 10, seeded()).found["images"]) == 0


def test_repeated_images_count_once() -> None:
    class Two(Plane):
        def forward(self, latents: Tensor) -> Tensor:
            images = super().forward(latents).clamp(-1, 1)
            return torch.stack([(images[..., 0] * 5).round() / 5, images[..., 0] * 0], -1)

    both = rivals(crossing_at(-0.3), crossing_at(0.3), decoder=Two())
    found = search(both, 20, seeded()).found
    assert sorted(found["images"][:, 0, 0, 0].mul(5).round().int().tolist()) == [-1, 0, 1]
    assert sample_at_random(both, 200, seeded()) == 3


@pytest.mark.parametrize("first", [0, 1], ids=["this", "other"])
def test_images_beside_the_pair_of_either_model_are_left_out(first: int) -> None:
    models = OfThree(-0.4, 0.3), crossing_at(0.4)
    both = rivals(models[first], models[1 - first])
    found = search(both, 30, seeded()).found
    assert len(found["images"]) == 30
    assert (found["images"][:, 0, 0, 1] <= 0.3).all()
    assert both.left_out > 0
    before, images = both.left_out, Plane()(both.draw(400, seeded(1)))[:, 0, 0]
    apart = images[:, 0].abs() < 0.4
    beside = images[:, 1] > 0.3
    assert sample_at_random(both, 400, seeded(1)) == int((apart & ~beside).sum())
    assert both.left_out - before == int((apart & beside).sum())


def test_an_end_of_an_arc_lies_within_the_pair() -> None:
    both = rivals(OfThree(-0.1, 0.3), OfThree(0.1, 0.0))
    arcs, counts = draw_arcs(both, both.draw(200, seeded()), seeded())
    assert len(arcs.first) > 20
    for ends in (arcs.first, arcs.last):
        assert (ends[:, 1] <= 0).all()
    assert sum(counts.values()) < 120


def test_models_without_a_bound_have_no_image_beside_the_pair() -> None:
    found, bare = (
        search(rivals(model, crossing_at(0.4)), 30, seeded()).found
        for model in (OfThree(-0.4, 0.3, most=None), crossing_at(-0.4))
    )
    assert all(torch.equal(found[name], bare[name]) for name in found)  # type: ignore[literal-required]


def test_a_seed_gives_the_same_images_and_another_seed_others() -> None:
    first, again, other = (
        search(rivals(crossing_at(-0.1), crossing_at(0.1)), 10, seeded(seed)).found
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)  # type: ignore[literal-required]
    assert not torch.equal(first["images"], other["images"])


@pytest.mark.parametrize(("half", "share"), [(0.0125, 0.01), (0.0375, 0.03)])
def test_the_search_finds_at_least_four_times_as_many_as_random_sampling(
    half: float, share: float
) -> None:
    both = rivals(crossing_at(-half, 3.0), crossing_at(half, 5.0))
    found = len(search(both, 100, seeded()).found["images"])
    images = both.evaluations // 2
    assert found == 100
    assert sample_at_random(both, images, seeded(1)) == pytest.approx(share * images, abs=12)
    assert found >= 4 * share * images


def test_at_most_four_arcs_of_a_latent_and_the_widest_expected_stretches_first() -> None:
    both = rivals(crossing_at(-0.1), crossing_at(0.1))
    arcs, sides = draw_arcs(both, both.draw(64, seeded()), seeded())
    assert both.evaluations == 128, "the ends are all that it looks at"
    for ends in (arcs.first, arcs.last):
        assert ends.unique(dim=0, return_counts=True)[1].max() == 4
    widths = arcs.stretches()
    assert torch.equal(widths, widths.sort(descending=True).values)
    assert (arcs.first[:, 0] < -0.1).all()
    assert (arcs.last[:, 0] > 0.1).all()
    assert len(arcs.first) <= 4 * min(sides.values())


def test_arcs_stay_within_a_label() -> None:
    both = rivals(crossing_at(0.0), crossing_at(0.1), decoder=Labelled())
    arcs, counts = draw_arcs(both, torch.randn(500, 2, generator=seeded()), seeded(1))
    assert len(arcs.first) > 100
    assert min(counts.values()) > 100
    assert ((arcs.first[:, 1] > 0) == (arcs.last[:, 1] > 0)).all()
    labels = (arcs.first[:, 1] > 0).double().mean()
    assert 0.2 < labels < 0.8
