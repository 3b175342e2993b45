from __future__ import annotations

import pytest
import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.prototypes.explaining.attribution import (
    BLACK,
    UNITS,
    agreement,
    attribute,
    baselines_of,
)
from borderline.pipelines.prototypes.params import ExplanationParams, Method
from borderline.records import LabelledImages
from conftest import prototypes_params

PARAMS = prototypes_params().explanation
METHODS: tuple[Method, ...] = tuple(UNITS)


class Corner(nn.Module):
    """Sure of the positive class when the top left corner is bright, and blind to the rest."""

    def forward(self, images: Tensor) -> Tensor:
        return 0.5 * images[:, :, :2, :2].sum((1, 2, 3))


def explain(
    method: Method,
    images: Tensor,
    run: RunParams,
    model: nn.Module | None = None,
    real: LabelledImages | None = None,
    attempt: int = 0,
    **changed: object,
) -> Tensor:
    params = ExplanationParams.model_validate(PARAMS.model_dump() | changed)
    real = real or {"images": images, "labels": images}
    return attribute(method, model or Corner(), images, real, params, run, 0.5, attempt)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_only_pixels_that_the_model_sees_push(
    method: Method, channels: int, run: RunParams
) -> None:
    images = torch.rand(3, channels, 6, 6)
    attributions = explain(method, images, run, window=1)
    assert attributions.shape == (3, 6, 6)
    assert (attributions[:, :2, :2] > 0).all()
    # Not 0: a sum is rounded otherwise in a batch of many images than in one of a single image.
    assert attributions[:, 2:].abs().max() < 1e-6
    assert attributions[:, :, 2:].abs().max() < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_signs_are_towards_the_positive_class(method: Method, run: RunParams) -> None:
    class Opposed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images[:, 0, 0, 0] - images[:, 0, 2, 2]

    attributions = explain(method, torch.full((1, 1, 3, 3), 0.5), run, Opposed(), window=1)[0]
    assert attributions[0, 0] > 0.01
    assert attributions[2, 2] < -0.01
    assert attributions[1, 1] == 0


@pytest.mark.parametrize("method", ["gradient_shap", "integrated_gradients"])
def test_pushes_add_up_to_the_change_of_p_from_black(method: Method, run: RunParams) -> None:
    images = torch.rand(2, 1, 6, 6)
    total = explain(method, images, run, shap_samples=2000, steps=100).sum((1, 2))
    change = torch.sigmoid(Corner()(images)) - torch.sigmoid(Corner()(-torch.ones(1, 1, 6, 6)))
    assert torch.allclose(total, change, atol=0.03 if method == "gradient_shap" else 1e-4)


def test_saliency_is_the_gradient(run: RunParams) -> None:
    images = torch.rand(2, 1, 6, 6)
    p = torch.sigmoid(Corner()(images))
    expected = torch.zeros(2, 6, 6)
    expected[:, :2, :2] = (0.5 * p * (1 - p))[:, None, None]
    assert torch.allclose(explain("saliency", images, run), expected, atol=1e-6)


def test_occlusion_is_the_mean_fall_of_p_over_the_squares(run: RunParams) -> None:
    image = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    attributions = explain("occlusion", image, run, window=3)[0]
    p = torch.sigmoid(Corner()(image))
    falls, squares = torch.zeros(4, 4), torch.zeros(4, 4)
    for top in range(2):
        for left in range(2):
            changed = image.clone()
            changed[:, :, top : top + 3, left : left + 3] = BLACK
            fall = float(p - torch.sigmoid(Corner()(changed)))
            falls[top : top + 3, left : left + 3] += fall
            squares[top : top + 3, left : left + 3] += 1
    assert torch.allclose(attributions, falls / squares, atol=1e-6)


class Counting(Corner):
    """Counts the images that it sees."""

    seen = 0
    largest_batch = 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        self.largest_batch = max(self.largest_batch, len(images))
        return super().forward(images)


def test_larger_images_take_as_many_squares_that_still_hold_each_pixel(run: RunParams) -> None:
    seen = {}
    for side in (28, 56, 112, 224):
        model = Counting()
        image = torch.rand(1, 1, side, side)
        attributions = explain("occlusion", image, run, model, window=None)[0]
        seen[side] = model.seen
        corner = attributions[:2, :2]
        assert (corner.abs() > 0).all()
        assert (attributions[side // 2 :, side // 2 :].abs() < 1e-6).all()
        assert model.largest_batch <= max(1, 512 * 64**2 // side**2)
    assert seen[28] == 24**2 + 1
    assert max(seen.values()) < 1.2 * min(seen.values())


@pytest.mark.parametrize("shape", [(41, 41), (57, 57), (64, 64), (128, 128), (64, 101), (8, 200)])
def test_no_pixel_of_an_even_image_counts_more(shape: tuple[int, int], run: RunParams) -> None:
    """A square that is cut at an edge would blacken less, and so lower the values there."""

    class Mean(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean((1, 2, 3))

    attributions = explain("occlusion", torch.ones(1, 1, *shape), run, Mean(), window=None)[0]
    assert attributions.min().item() == pytest.approx(attributions.max().item(), rel=1e-3)


def test_steps_of_some_pixels_hardly_change_the_attribution(run: RunParams) -> None:
    class Bright(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            weights = torch.linspace(-1, 1, images.shape[-1])
            return 4 * (images * weights * weights[:, None]).mean((1, 2, 3))

    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    usual = explain("occlusion", image, run, Bright(), window=None)
    finest = Occlusion(lambda batch: torch.sigmoid(Bright()(batch))).attribute(
        image, sliding_window_shapes=(1, 12, 12), strides=(1, 1, 1), baselines=BLACK
    )
    assert agreement(usual, finest[:, 0]).item() > 0.99


@pytest.mark.parametrize("method", ["gradient_shap", "integrated_gradients"])
def test_gradients_of_large_images_are_in_parts(method: Method, run: RunParams) -> None:
    image = torch.rand(1, 1, 96, 96)
    model = Counting()
    samples = {"shap_samples": 130, "steps": 130}
    in_parts = explain(method, image, run, model, **samples)
    assert model.largest_batch <= 512 * 32**2 // 96**2
    p = torch.sigmoid(Corner()(image)) - torch.sigmoid(Corner()(torch.full_like(image, BLACK)))
    assert in_parts.sum().item() == pytest.approx(p.item(), rel=0.1)


@pytest.mark.parametrize("method", ["gradient_shap", "integrated_gradients", "occlusion"])
def test_no_batch_is_larger_than_the_model_takes(method: Method, run: RunParams) -> None:
    model = Counting()
    model.batch_size = 3
    explain(method, torch.rand(1, 1, 8, 8), run, model)
    assert model.largest_batch <= 3


def test_window_larger_than_the_image_is_cut(run: RunParams) -> None:
    attributions = explain("occlusion", torch.rand(1, 1, 4, 4), run, window=9)
    assert attributions.shape == (1, 4, 4)
    assert attributions.std() > 0, "a square over all of the image would say nothing"


@pytest.mark.parametrize(
    ("shape", "window", "square", "step"),
    [
        ((28, 28), None, (5, 5), 1),
        ((41, 41), None, (7, 7), 1),
        ((8, 8), None, (2, 2), 1),
        ((16, 16), None, (3, 3), 1),
        ((64, 64), None, (12, 12), 2),
        ((128, 128), None, (24, 24), 4),
        ((64, 101), None, (12, 11), 2),
        ((8, 200), None, (2, 2), 1),
        ((8, 8), 5, (5, 5), 1),
        ((2, 2), None, (1, 1), 1),
        ((28, 28), 10, (10, 10), 2),
        # One would not lead to the edge in steps of two.
        ((28, 28), 11, (11, 11), 1),
        ((64, 67), 16, (16, 16), 3),
        ((1, 9), None, (1, 1), 1),
    ],
)
def test_squares_and_their_steps_follow_the_image(
    shape: tuple[int, int], window: int | None, square: tuple[int, int], step: int
) -> None:
    params = PARAMS.model_copy(update={"window": window})
    assert params.squares_of(*shape) == (square, step)


@pytest.mark.parametrize("method", METHODS)
def test_attribution_repeats_and_another_attempt_has_another_seed(
    method: Method, run: RunParams
) -> None:
    images = torch.rand(2, 1, 6, 6)
    first = explain(method, images, run, shap_samples=5)
    assert torch.equal(first, explain(method, images, run, shap_samples=5))
    again = explain(method, images, run, shap_samples=5, attempt=1)
    assert torch.equal(first, again) == (method != "gradient_shap")


def test_more_samples_agree_more(run: RunParams) -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.rand(3, 1, 8, 8, generator=random)
    real = {"images": torch.rand(50, 1, 8, 8, generator=random), "labels": torch.arange(50) % 2}
    weights = torch.randn(64, generator=random)

    class Linear(nn.Module):
        def forward(self, batch: Tensor) -> Tensor:
            return batch.flatten(1) @ weights

    def agreed(samples: int) -> float:
        attributions = [
            explain(
                "gradient_shap",
                images,
                run,
                Linear(),
                real,
                attempt,
                shap_samples=samples,
                shap_baseline="other_class",
            )
            for attempt in (0, 1)
        ]
        return agreement(*attributions).mean().item()

    assert agreed(5) < agreed(400)
    assert agreed(400) > 0.95


def test_baselines_are_black_the_mean_or_the_other_class() -> None:
    images = torch.arange(4.0)[:, None, None, None].expand(-1, 1, 2, 2)
    real = {"images": images, "labels": torch.tensor([0, 1, 0, 1])}
    image = torch.zeros(1, 1, 2, 2)
    assert (baselines_of("black", real, image, 0.6, 0.5) == -1).all()
    assert (baselines_of("mean", real, image, 0.6, 0.5) == 1.5).all()
    negative, positive = (baselines_of("other_class", real, image, p, 0.5) for p in (0.6, 0.4))
    assert negative[:, 0, 0, 0].tolist() == [0, 2], "what leans to 1 is compared with 0"
    assert positive[:, 0, 0, 0].tolist() == [1, 3]


@pytest.mark.parametrize("method", METHODS)
def test_no_images_have_no_attributions(method: Method, run: RunParams) -> None:
    assert explain(method, torch.zeros(0, 1, 6, 6), run).shape == (0, 6, 6)


def test_agreement_is_pearsons_correlation() -> None:
    first = torch.rand(3, 4, 4)
    second = torch.stack([first[0], -2 * first[1], torch.ones(4, 4)])
    assert agreement(first, second).tolist() == pytest.approx([1, -1, float("nan")], nan_ok=True)
