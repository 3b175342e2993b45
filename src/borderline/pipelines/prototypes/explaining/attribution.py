"""Signed attributions of captum: the push of each pixel towards one of the two classes."""

from __future__ import annotations

import torch
from captum.attr import GradientShap, IntegratedGradients, Occlusion, Saliency
from torch import Tensor, nn

from borderline.measures.inference import batch_size_of, images_at_once
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

# Images at once with gradients, of up to so many pixels a side.
_BATCH_SIZE, _SIDE = 512, 32


def attribute(
    method: Method,
    classifier: nn.Module,
    images: Tensor,
    real: LabelledImages,
    settings: ExplanationParams,
    run: RunParams,
    threshold: float,
    attempt: int = 0,
) -> Tensor:
    """The push of each pixel on p(positive).

    - ``gradient_shap`` (Lundberg and Lee 2017): the gradient at random points between baseline and
      image, times their difference. The sum over the pixels estimates the difference of p.
    - ``saliency`` (Simonyan et al. 2014): the gradient at the image, with its sign.
    - ``integrated_gradients`` (Sundararajan et al. 2017): as ``gradient_shap``, at evenly spaced
      points between a black image and the image.
    - ``occlusion`` (Zeiler and Fergus 2014): the decrease of p when a square is blackened, the mean
      over the squares that hold the pixel. The squares lie a fifth of their side apart.

    Args:
        method: The method.
        classifier: The model under test: images (N, C, H, W) to logits (N,).
        images: Images in [-1, 1], shape (N, C, H, W); may be none.
        real: The real training images of the pair, for the baselines of GradientSHAP.
        settings: Samples, steps, window.
        run: Seed and device.
        threshold: The decision threshold of the model.
        attempt: Another number gives another seed.

    Returns:
        Shape (N, H, W), summed over the channels (occlusion blackens all of them together):
        positive where a pixel pushes towards the positive class.
    """
    if len(images) == 0:
        return images.new_zeros(0, *images.shape[-2:])
    device = run.torch_device()
    classifier, most = classifier.to(device).eval(), batch_size_of(classifier)

    def probability(batch: Tensor) -> Tensor:
        return torch.sigmoid(classifier(batch))

    def of_image(image: Tensor) -> Tensor:
        with_gradients = min(most, images_at_once(image.shape, _BATCH_SIZE, _SIDE))
        if method == "gradient_shap":
            p = float(probability(image.detach())[0].detach())
            baselines = baselines_of(
                settings.shap_baseline, real, image.detach().cpu(), p, threshold
            )
            samples = settings.shap_samples
            values = sum(
                GradientShap(probability).attribute(
                    image, baselines=baselines.to(device), n_samples=len(part)
                )
                * (len(part) / samples)
                for part in torch.arange(samples).split(with_gradients)
            )
        elif method == "saliency":
            values = Saliency(probability).attribute(image.requires_grad_(True), abs=False)
        elif method == "integrated_gradients":
            values = IntegratedGradients(probability).attribute(
                image, BLACK, n_steps=settings.steps, internal_batch_size=with_gradients
            )
        else:
            channels, height, width = image.shape[1:]
            square, step = settings.squares_of(height, width)
            values = Occlusion(probability).attribute(
                image,
                sliding_window_shapes=(channels, *square),
                strides=(channels, step, step),
                baselines=BLACK,
                perturbations_per_eval=min(most, images_at_once(image.shape)),
            )
            values = values / channels
        summed: Tensor = values.detach().sum(1).float().cpu()
        return summed

    with run.global_seed(method, attempt):
        return torch.cat([of_image(image[None].to(device).detach().clone()) for image in images])


def baselines_of(
    kind: str, real: LabelledImages, image: Tensor, p: float, threshold: float
) -> Tensor:
    """The baselines (M, C, H, W) of GradientSHAP for an image (1, C, H, W) with probability p.

    The ``kind`` is ``black``, ``mean`` or ``other_class`` (real images of the class that the
    model does not assign to it).
    """
    if kind == "black":
        return torch.full_like(image, BLACK)
    if kind == "mean":
        return real["images"].mean(0, keepdim=True)
    return real["images"][real["labels"] == (0 if p > threshold else 1)]


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of two attributions (N, H, W) of the same images, over the pixels.

    Shape (N,), in [-1, 1]; NaN where an attribution is the same everywhere.
    """
    a, b = (values.flatten(1).double() for values in (first, second))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    correlations: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return correlations
