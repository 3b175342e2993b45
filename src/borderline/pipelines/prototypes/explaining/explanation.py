"""The attributions of the prototypes, and the scores of their quality.

One score is the randomisation check (Adebayo et al. 2018): the weights of the model's last layer,
or of all layers, are drawn anew. An attribution that stays the same shows the image, not the model.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from torch import Tensor, nn

from borderline.measures.inference import has_gradients
from borderline.params import RunParams
from borderline.pipelines.prototypes.explaining.attribution import agreement, attribute
from borderline.pipelines.prototypes.explaining.faithfulness import (
    Curves,
    curves,
    faithfulness,
    random_curves,
)
from borderline.pipelines.prototypes.params import ExplanationParams, Method
from borderline.records import Attributions, LabelledImages

_COLUMNS = (
    *("method", "agreement", "agreement_least", "deletion", "deletion_p", "insertion"),
    *("insertion_p", "randomised_last", "randomised_all"),
)


def explain(
    classifier: nn.Module,
    images: Tensor,
    real: LabelledImages,
    settings: ExplanationParams,
    run: RunParams,
    threshold: float,
) -> tuple[Attributions, pd.DataFrame, dict[str, Curves], list[Curves]]:
    """Attribute images (K, C, H, W) by every method that the model allows for, and test these.

    K may be 0; ``real`` is the real training images of the pair, ``threshold`` the
    decision threshold of the model.

    Returns:
        The attributions; one row a method: ``agreement``, the correlation of two runs with other
        seeds (mean and least over the images), the scores of :func:`faithfulness`, and the rank
        correlation with the attributions of the model with its last layer (``randomised_last``)
        and all layers (``randomised_all``) drawn anew; the deletion and insertion curves by
        method; and those of random orders of the pixels.
    """

    def of_method(method: Method, model: nn.Module = classifier, attempt: int = 0) -> Tensor:
        return attribute(method, model, images, real, settings, run, threshold, attempt)

    methods = settings.methods_of(has_gradients(classifier))
    attributions = attribute_all(classifier, images, real, settings, run, threshold)
    if len(images) == 0:
        return attributions, pd.DataFrame(columns=list(_COLUMNS)), {}, []
    common = settings.curve_steps, run.torch_device()
    seed = run.seed_for("random maps")
    random = random_curves(classifier, images, settings.random_maps, *common, seed)
    of_methods: dict[str, Curves] = {}
    rows = []
    for method in methods:
        values = attributions[method]
        of_methods[method] = curves(classifier, images, values, *common)
        agreed = agreement(values, of_method(method, attempt=1)).numpy()
        agreed = agreed[~np.isnan(agreed)] if np.isfinite(agreed).any() else np.array([np.nan])
        row = {"method": method, "agreement": agreed.mean(), "agreement_least": agreed.min()}
        for name, layers in (("randomised_last", 1), ("randomised_all", None)):
            attempts = range(settings.randomisations)
            models = (randomised(classifier, layers, run, attempt) for attempt in attempts)
            correlations = [
                rank_correlations(values, of_method(method, model)).mean()
                for model in models
                if model is not None
            ]
            row[name] = float(np.mean(correlations)) if correlations else np.nan
        rows.append(row | faithfulness(of_methods[method], random))
    return attributions, pd.DataFrame(rows, columns=list(_COLUMNS)), of_methods, random


def attribute_all(
    classifier: nn.Module,
    images: Tensor,
    real: LabelledImages,
    settings: ExplanationParams,
    run: RunParams,
    threshold: float,
) -> Attributions:
    """Attribute images (K, C, H, W) by every method that the model allows for, without tests."""
    methods = settings.methods_of(has_gradients(classifier))
    return {m: attribute(m, classifier, images, real, settings, run, threshold) for m in methods}


def randomised(
    classifier: nn.Module, layers: int | None, run: RunParams, attempt: int
) -> nn.Module | None:
    """A copy of the model with its last layers, or with None all of them, drawn anew.

    None where no layer has ``reset_parameters``; another attempt gives other weights.
    """
    model = copy.deepcopy(classifier)
    drawable = [module for module in model.modules() if hasattr(module, "reset_parameters")]
    if not drawable:
        return None
    with run.global_seed("randomised model", attempt):
        for layer in drawable[::-1][:layers]:
            layer.reset_parameters()  # type: ignore[operator]
    return model


def rank_correlations(first: Tensor, second: Tensor) -> np.ndarray:
    """The absolute value of Spearman's correlation of attributions (N, H, W) of the same images.

    Shape (N,), in [0, 1]: 1 also with all signs reversed, 0 where an attribution is the same
    everywhere.
    """
    correlations = [
        abs(spearmanr(a, b).statistic) if a.std() > 0 and b.std() > 0 else 0.0
        for a, b in zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True)
    ]
    return np.array(correlations)
