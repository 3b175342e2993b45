"""Which pixels push the model under test towards which class."""

from __future__ import annotations

import torch
from captum.attr import GradientShap
from torch import Tensor, nn

from borderline.params import RunParams

BLACK = -1.0


def gradient_shap(classifier: nn.Module, images: Tensor, samples: int, run: RunParams) -> Tensor:
    """GradientSHAP (Lundberg & Lee 2017) of the model's p(positive), against the black image.

    Args:
        classifier: The model under test: images (N, C, H, W) to logits (N,).
        images: Images in [-1, 1], shape (N, C, H, W); may be none.
        samples: Random points on the straight way from black to the image.
        run: Seed and device.

    Returns:
        Attributions of each pixel, shape (N, H, W), summed over the channels: positive where it
        pushes towards the positive class. An image's sum estimates its p minus that of black.
    """
    if len(images) == 0:
        return images.new_zeros(0, *images.shape[-2:])
    device = run.torch_device()
    classifier = classifier.to(device).eval()
    explainer = GradientShap(lambda batch: torch.sigmoid(classifier(batch)))
    black = torch.full_like(images[:1], BLACK).to(device)
    with run.global_seed("gradient shap"):
        attributions = [
            explainer.attribute(image[None].to(device), baselines=black, n_samples=samples)
            for image in images
        ]
    return torch.cat(attributions).detach().sum(1).float().cpu()
