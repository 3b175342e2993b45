"""Other thresholds than 0.5: a shift of both logit and threshold changes no image."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from borderline.boundary import (
    Boundary,
    calibrated_boundary,
    ends_of_band,
    fault_of_band,
    formula_of_band,
    largest_distance,
    logit,
    sigmoid,
    uncentred,
)
from borderline.measures import confusion
from borderline.measures.plots import PROBABILITY_COLOURS, colours_of_p
from borderline.params import RunParams
from borderline.pipelines.gasten.latent_search import SearchSampler
from borderline.pipelines.gasten.pixel_blends import BlendSampler
from borderline.pipelines.gasten.terms import TERMS
from borderline.pipelines.metrics.measuring import confusion_columns, confusion_sums
from borderline.pipelines.prototypes.explaining.walks import shortest_walks
from borderline.records import LabelledImages
from borderline.sampling import Sampler
from conftest import BOUNDARY, metrics_params, prototypes_params

RUN = RunParams(seed=0, device="cpu")
# Sums of floats are exact for these shifts and the logits below.
SHIFTS = (-2.0, 0.5, 4.0)
LOGITS = torch.linspace(-6, 6, 97, dtype=torch.float64)


def boundary_at(t: float, scale: Literal["probability", "logit"] = "logit") -> Boundary:
    return {"threshold": t, "band": 0.4 if scale == "logit" else 0.1, "scale": scale, "rule": ""}


class Plane(nn.Module):
    """A model whose logit is a weighted sum of the pixels and a shift."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(20 * torch.randn(36, generator=random) / 6)
        self.shift = shift

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight + self.shift


class Painter(nn.Module):
    latent_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 36, generator=torch.Generator().manual_seed(0)))

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents @ self.weight / 2).reshape(-1, 1, 6, 6)


def test_sigmoid_and_logit_are_inverse_and_the_half_is_exact() -> None:
    assert logit(0.5) == 0
    for p in (1e-6, 0.02, 0.5, 0.8, 1 - 1e-6):
        assert sigmoid(logit(p)) == pytest.approx(p, rel=1e-12)
    assert (uncentred(0.9, 0.5), uncentred(0.1, 0.5)) == (0.9, 0.1)


@pytest.mark.parametrize(("t", "scale"), [(0.2, "probability"), (0.8, "logit")])
def test_distance_and_band_are_measured_from_the_threshold(
    t: float, scale: Literal["probability", "logit"]
) -> None:
    boundary = boundary_at(t, scale)
    p = torch.linspace(0, 1, 1001, dtype=torch.float64)
    distance = confusion.confusion_distance(p, boundary)
    assert distance[round(1000 * t)] == pytest.approx(0, abs=1e-12)
    inside = p[confusion.is_borderline(p, boundary)]
    low, high = ends_of_band(boundary)
    assert inside.min() == pytest.approx(low, abs=2e-3)
    assert inside.max() == pytest.approx(high, abs=2e-3)
    assert confusion.is_positive(p, boundary).sum() == 1000 - round(1000 * t)
    assert distance.max() <= largest_distance(boundary)
    assert confusion.average_confusion_distance(p, boundary) == pytest.approx(distance.mean())


def test_logits_say_that_certain_images_are_far_from_a_threshold_near_0() -> None:
    p = torch.tensor([0.0, 0.01, 0.02, 0.04, 1.0])
    near = confusion.confusion_distance(p, boundary_at(0.02, "probability"))
    far = confusion.confusion_distance(p, boundary_at(0.02))
    assert near[0] == pytest.approx(0.02)
    assert far[0] > 12
    assert far[[1, 3]].tolist() == pytest.approx([0.7, 0.7], abs=0.02)
    assert torch.isfinite(far).all()


def test_band_on_the_scale_of_p_ends_before_0_and_1() -> None:
    for band, t in ((0.5, 0.5), (0.1, 0.2), (0.1, 0.1), (0.1, 0.9), (0.2, 0.8), (0.001, 0.999)):
        assert fault_of_band(band, t, "probability") == ""
        boundary: Boundary = {"threshold": t, "band": band, "scale": "probability", "rule": ""}
        assert not confusion.is_borderline(torch.tensor([0.0, 1.0]), boundary).any()
    assert "at most 0.02" in fault_of_band(0.1, 0.02, "probability")
    assert "away from p = 1" in fault_of_band(0.1, 0.95, "probability")
    assert "at most 0.02345" in fault_of_band(0.1, 0.023458, "probability"), "not more"
    assert formula_of_band(boundary_at(0.02)) == "|logit p - logit 0.02| < 0.4"


def test_band_on_the_logit_scale_ends_before_0_and_1_too() -> None:
    assert fault_of_band(12.7, 0.02, "logit") == ""
    assert "12.74 log-odds away from p = 0" in fault_of_band(13, 0.02, "logit")
    certain = torch.tensor([0.0, 1.0])
    boundary: Boundary = {"threshold": 0.98, "band": 12.7, "scale": "logit", "rule": ""}
    assert not confusion.is_borderline(certain, boundary).any()


def test_float32_does_not_round_a_threshold_near_1_to_the_p_of_an_image() -> None:
    p = torch.tensor([1 - 2**-23, 1 - 2**-24, 1.0])
    positive = confusion.is_positive(p, boundary_at(1 - 1.4 * 2**-24))
    assert positive.tolist() == [False, True, True]


@pytest.mark.parametrize(("temperature", "is_known"), [(1.5, True), (0.5, False)])
def test_calibrated_yield_is_unknown_where_the_band_reaches_0(
    temperature: float, is_known: bool
) -> None:
    boundary, p = boundary_at(0.2, "probability"), torch.sigmoid(LOGITS)
    metrics = metrics_params(sample_size=10, fewest_images=10, neighbours=2)
    sums = confusion_sums(p, temperature, metrics, boundary)
    columns = confusion_columns(sums, temperature, boundary)
    assert math.isfinite(columns["yield_calibrated"]) == is_known
    assert math.isfinite(columns["acd_calibrated"])


@pytest.mark.parametrize("shift", SHIFTS)
def test_measures_on_the_logit_scale_do_not_change_with_a_common_shift(shift: float) -> None:
    here = confusion.Confusion.of(torch.sigmoid(LOGITS), boundary_at(0.5), 20)
    moved = boundary_at(sigmoid(shift))
    there = confusion.Confusion.of(torch.sigmoid(LOGITS + shift), moved, 20)
    assert (here.borderline, here.above) == (there.borderline, there.above)
    one, other = here.estimates(boundary_at(0.5)), there.estimates(moved)
    assert one["yield"] == other["yield"]
    assert one["acd"] == pytest.approx(other["acd"])
    assert one["above_half"] == other["above_threshold"]
    assert one["hubris"] != other["hubris"], "which measures p itself"
    centred = confusion.centred(torch.sigmoid(LOGITS + shift), moved["threshold"])
    assert torch.allclose(centred, torch.sigmoid(LOGITS))


@pytest.mark.parametrize("t", [0.2, 0.8])
def test_hubris_is_0_on_the_boundary_and_grows_from_it(t: float) -> None:
    boundary = boundary_at(t, "probability")

    def hubris(p: float) -> float:
        sums = confusion.Confusion.of(torch.full((50,), p), boundary, 20)
        return sums.estimates(boundary)["hubris"].value

    assert hubris(t) == pytest.approx(0, abs=1e-6)
    for side in (0.0, 1.0):
        values = [hubris(t + share * (side - t)) for share in (0.2, 0.6, 1.0)]
        assert all(a < b for a, b in pairwise([0.0, *values]))
    even = torch.linspace(0, 1, 50)
    sums = confusion.Confusion.of(even, boundary, 20)
    assert sums.estimates(boundary)["hubris"].value == pytest.approx(1 - math.exp(-1), rel=1e-5)


def test_calibration_keeps_the_boundary_where_it_is() -> None:
    boundary, p = boundary_at(0.2), torch.sigmoid(LOGITS)
    calibrated = calibrated_boundary(boundary, 2.5)
    assert calibrated["threshold"] == pytest.approx(sigmoid(logit(0.2) / 2.5))
    before = confusion.is_positive(p, boundary)
    assert torch.equal(before, confusion.is_positive(confusion.at_temperature(p, 2.5), calibrated))
    assert calibrated_boundary(BOUNDARY, 2.5) is BOUNDARY


@pytest.mark.parametrize("t", [0.02, 0.2, 0.8])
def test_terms_are_least_at_the_threshold(t: float) -> None:
    for name, kind in TERMS.items():
        term = kind(t)
        least = term.loss(torch.tensor([logit(t)], dtype=torch.float64)).item()
        values = [
            term.loss(torch.tensor([logit(t) + d]).double()).item() for d in (-1, -0.1, 0.1, 1)
        ]
        assert min(values) > least, name
    p = torch.tensor([0.1, 0.7], dtype=torch.float64)
    logits = torch.logit(p)
    assert TERMS["gasten"](t).loss(logits) == pytest.approx((p - t).abs().mean())
    bernoulli = torch.distributions.Bernoulli
    kl = torch.distributions.kl_divergence(bernoulli(torch.tensor(t).double()), bernoulli(p))
    assert TERMS["kl"](t).loss(logits) == pytest.approx(kl.mean())
    assert TERMS["logit"](t).loss(logits) == pytest.approx((logits - logit(t)).abs().mean())
    expected = 0.5 * (math.log(0.01) + (p - t) ** 2 / 0.01).mean()
    assert TERMS["gaussian"](t).loss(logits) == pytest.approx(expected)


@pytest.mark.parametrize("shift", SHIFTS)
def test_logit_term_does_not_change_with_a_common_shift(shift: float) -> None:
    here, there = LOGITS.clone().requires_grad_(), (LOGITS + shift).requires_grad_()
    one, other = TERMS["logit"]().loss(here), TERMS["logit"](sigmoid(shift)).loss(there)
    assert one.item() == pytest.approx(other.item(), rel=1e-12)
    (first,), (second,) = (torch.autograd.grad(v, x) for v, x in ((one, here), (other, there)))
    # At the boundary itself rounding may give the slope of one side.
    assert (first == second).sum() >= len(LOGITS) - 1


def _sampled(sampler: Sampler, shift: float) -> dict[str, Tensor]:
    images = torch.tanh(torch.randn(60, 1, 6, 6, generator=torch.Generator().manual_seed(3)))
    real: LabelledImages = {"images": images, "labels": (Plane()(images) > 0).long()}
    parts = sampler.sample(Plane(shift), real, 60, RUN, sigmoid(shift))
    found = list(iter(parts))
    return {n: torch.cat([part[n] for part in found]) for n in found[0]}  # type: ignore[literal-required]


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize(
    "sampler",
    [
        SearchSampler(
            generator=Painter(), pairs="random", truncation=None, spread=0.0, tolerance=0.01
        ),
        SearchSampler(
            generator=Painter(), pairs="nearest", truncation=2.0, spread=0.05, tolerance=0.01
        ),
        BlendSampler(pairs="random", tolerance=0.01),
    ],
    ids=["random", "nearest", "blends"],
)
def test_searches_find_the_same_images_after_a_common_shift(sampler: Sampler, shift: float) -> None:
    here, there = _sampled(sampler, 0.0), _sampled(sampler, shift)
    assert here["images"].shape == there["images"].shape
    assert torch.allclose(here["images"], there["images"], atol=2e-4)
    spread = getattr(sampler, "spread", 0.0)
    centred = confusion.centred(there["probabilities"].double(), sigmoid(shift))
    assert (centred - 0.5).abs().max() <= spread + 0.0101


@pytest.mark.parametrize("shift", SHIFTS)
def test_walks_end_at_the_same_images_after_a_common_shift(shift: float) -> None:
    latents = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
    settings = prototypes_params().tipping
    for here, there in zip(settings.ends(0.5), settings.ends(sigmoid(shift)), strict=True):
        one = shortest_walks(Painter(), Plane(), latents, here, 0.5, 3, RUN.torch_device())
        other = shortest_walks(
            Painter(), Plane(shift), latents, there, sigmoid(shift), 3, RUN.torch_device()
        )
        assert torch.allclose(one.images, other.images, atol=1e-3)
        assert one.lengths.isnan().tolist() == other.lengths.isnan().tolist()


@pytest.mark.parametrize("t", [0.02, 0.2, 0.8])
def test_the_threshold_has_the_middle_colour(t: float) -> None:
    scale = colours_of_p(t)
    assert [float(scale(p)) for p in (0, t, 1)] == pytest.approx([0, 0.5, 1])
    half = PROBABILITY_COLOURS(float(colours_of_p(0.5)(0.3)))
    assert half == PROBABILITY_COLOURS(0.3)
