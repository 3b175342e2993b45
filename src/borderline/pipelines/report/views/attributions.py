"""Pictures of the attributions, and where their strongest pushes are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from borderline.measures.plots import as_data_uris, as_picture, overlay, scale_of
from borderline.pages.pictures import Picture

_NAMES = {"gradient_shap": "GradientSHAP"}


def method_name(method: str) -> str:
    """The name of an attribution method in words."""
    return _NAMES.get(method, method.replace("_", " "))


def picture_attributions(images: Tensor, attributions: Mapping[str, Tensor]) -> list[list[Picture]]:
    """The pictures of each image's attributions, one a method.

    Args:
        images: In [-1, 1], shape (K, C, H, W).
        attributions: By method, shape (K, H, W); all images share the scale of a method.
    """
    shown: list[list[Picture]] = [[] for _ in images]
    backgrounds = as_picture(images)
    for method, pushes in attributions.items():
        limit, name = scale_of(pushes), method_name(method)
        for number, (background, push) in enumerate(zip(backgrounds, pushes.numpy(), strict=True)):
            laid = torch.from_numpy(overlay(background, push / limit)).movedim(-1, 0)
            (address,) = as_data_uris(laid[None] * 2 - 1)
            places = zip(("red", "blue"), where(push), strict=True)
            words = [f"{c} mostly at the {place}" if place else f"no {c}" for c, place in places]
            alt = f"{name} of prototype {number}: {', '.join(words)}"
            shown[number].append({"src": address, "alt": alt, "name": name})
    return shown


def where(push: np.ndarray) -> tuple[str, str]:
    """The places of the strongest pushes towards the positive and the negative class.

    Args:
        push: An attribution, shape (H, W); positive pixels push to the positive class.

    Returns:
        A ninth of the image in words for each, for example ``top right``; empty for no push.
    """
    return _strongest(np.maximum(push, 0)), _strongest(np.maximum(-push, 0))


def _strongest(push: np.ndarray) -> str:
    if not push.any():
        return ""
    ninths = [[box.sum() for box in np.array_split(r, 3, 1)] for r in np.array_split(push, 3, 0)]
    row, column = np.unravel_index(np.argmax(ninths), (3, 3))
    down, across = ("top", "middle", "bottom")[row], ("left", "", "right")[column]
    if not across:
        return f"{down} centre" if down != "middle" else "centre"
    return f"{down} {across}"
