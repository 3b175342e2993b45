"""Signed attributions of captum: the push of each pixel towards one of the two classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from captum.attr import GradientShap, IntegratedGradients, Occlusion, Saliency
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.prototypes.params import ExplanationParams, Method
from borderline.records import LabelledImages

BLACK = -1.0
UNITS = {
    "gradient_shap": "contribution to p",
    "saliency": "gradient of p",
    "integrated_gradients": "contribution to p",
    "occlusion": "decrease of p",
}
"""The unit of each method."""

_BATCH_SIZE = 512
Baselines = Callable[[Tensor, float], Tensor]
"""From an image (1, C, H, W) and its p to its baseline images, shape (M, C, H, W)."""


def attribute(
    method: Method,
    classifier: nn.Module,
    images: Tensor,
    baselines: Baselines,
    settings: ExplanationParams,
    run: RunParams,
    attempt: int = 0,
) -> Tensor:
    """The push of each pixel on p(positive).

    - ``gradient_shap`` (Lundberg and Lee 2017): the gradient at random points between baseline and
      image, times their difference. The sum over the pixels estimates the difference of p.
    - ``saliency`` (Simonyan et al. 2014): the gradient at the image, with its sign.
    - ``integrated_gradients`` (Sundararajan et al. 2017): as ``gradient_shap``, at evenly spaced
      points between a black image and the image.
    - ``occlusion`` (Zeiler and Fergus 2014): the decrease of p when a square is blackened, the mean
      over the squares that hold the pixel.

    Args:
        method: The name of the method.
        classifier: The model under test: images (N, C, H, W) to logits (N,).
        images: Images in [-1, 1], shape (N, C, H, W); may be none.
        baselines: The baselines of GradientSHAP.
        settings: Samples, steps, window.
        run: Seed and device.
        attempt: Another number gives another seed.

    Returns:
        Shape (N, H, W), summed over the channels (occlusion blackens all of them together):
        positive where a pixel pushes towards the positive class.
    """
    if len(images) == 0:
        return images.new_zeros(0, *images.shape[-2:])
    device = run.torch_device()
    classifier = classifier.to(device).eval()

    def probability(batch: Tensor) -> Tensor:
        return torch.sigmoid(classifier(batch))

    def of_image(image: Tensor) -> Tensor:
        if method == "gradient_shap":
            p = float(probability(image.detach())[0].detach())
            values = GradientShap(probability).attribute(
                image,
                baselines=baselines(image.detach().cpu(), p).to(device),
                n_samples=settings.shap_samples,
            )
        elif method == "saliency":
            values = Saliency(probability).attribute(image.requires_grad_(True), abs=False)
        elif method == "integrated_gradients":
            values = IntegratedGradients(probability).attribute(
                image, BLACK, n_steps=settings.steps, internal_batch_size=_BATCH_SIZE
            )
        else:
            channels, height, width = image.shape[1:]
            # A square over the whole image would give all pixels the same value.
            side = max(min(settings.window, height - 1, width - 1), 1)
            values = Occlusion(probability).attribute(
                image,
                sliding_window_shapes=(channels, side, side),
                strides=(channels, 1, 1),
                baselines=BLACK,
                perturbations_per_eval=_BATCH_SIZE,
            )
            values = values / channels
        summed: Tensor = values.detach().sum(1).float().cpu()
        return summed

    with run.global_seed(method, attempt):
        return torch.cat([of_image(image[None].to(device).detach().clone()) for image in images])


def baselines_of(kind: str, real: LabelledImages) -> Baselines:
    """The baselines of GradientSHAP.

    Args:
        kind: ``black``, ``mean`` or ``other_class`` (real images of the less probable class).
        real: The real training images of the pair, labels 0 and 1.
    """
    if kind == "black":
        return lambda image, p: torch.full_like(image, BLACK)
    if kind == "mean":
        mean = real["images"].mean(0, keepdim=True)
        return lambda image, p: mean
    sides = [real["images"][real["labels"] == label] for label in (0, 1)]
    return lambda image, p: sides[0 if p > 0.5 else 1]


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of two attributions of the same image, over the pixels.

    Args:
        first: Shape (N, H, W).
        second: Shape (N, H, W).

    Returns:
        Shape (N,), in [-1, 1]; NaN where an attribution is the same everywhere.
    """
    a, b = (values.flatten(1).double() for values in (first, second))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    correlations: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return correlations
