"""Total variation of images: low in soft images, high in noisy ones.

Realism in the features of a judge hardly sees softness: a judge learns shapes, and a soft image of
a known shape lies among the real ones.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import total_variation as sum_of_differences

from borderline.measures.inference import in_batches
from borderline.measures.intervals import Estimate, estimate_of_grouped_mean

# A smaller share of the real images' value, or more than its inverse, is a fault.
_LEAST = 0.75


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, in [0, 1], float64 (N,).

    It is the anisotropic total variation (Rudin, Osher and Fatemi 1992), per pair of horizontal or
    vertical neighbours and per channel; 1 is the difference of black and white.

    Args:
        images: In [-1, 1], shape (N, C, H, W), with more than one pixel.

    Example:
        >>> stripes = torch.tensor([-1.0, 1.0]).repeat(4).expand(1, 1, 8, 8)
        >>> total_variation(torch.cat([stripes, stripes / 2, torch.zeros_like(stripes)]))
        tensor([0.5000, 0.2500, 0.0000], dtype=torch.float64)
    """
    *_, channels, height, width = images.shape
    pairs = channels * (height * (width - 1) + (height - 1) * width)

    def of_batch(batch: Tensor) -> Tensor:
        # Levels from 0 to 1 differ by half as much as those from -1 to 1.
        return sum_of_differences(batch.double(), reduction=None) / (2 * pairs)

    return in_batches(of_batch, images, device=torch.device("cpu"))


def mean_variation(values: Tensor, groups: Tensor | None = None) -> Estimate:
    """The mean of total variations (N,), as of :func:`estimate_of_grouped_mean`."""
    return estimate_of_grouped_mean(values, groups).within(0, 1)


def fault_of_variation(images: Estimate, real: Estimate) -> str:
    """Whether images vary much less or more from pixel to pixel than real ones, in words.

    They do if their mean total variation is less than three quarters of that of real borderline
    images, or more than four thirds, and the intervals do not overlap. Else the text is empty, and
    so it is where an interval is unknown.

    Example:
        >>> fault_of_variation(Estimate(0.02, 0.01, 0.03), Estimate(0.05, 0.04, 0.06))[:62]
        'the borderline images vary less from pixel to pixel than real '
    """
    if images.high < real.low and images.value < _LEAST * real.value:
        word, cause = "less", "soft or low in contrast"
    elif images.low > real.high and _LEAST * images.value > real.value:
        word, cause = "more", "noisy or high in contrast"
    else:
        return ""
    return (
        f"the borderline images vary {word} from pixel to pixel than real ones (total variation "
        f"{images.value:#.2g}, of real borderline images {real.value:#.2g}), so they may be {cause}"
    )
