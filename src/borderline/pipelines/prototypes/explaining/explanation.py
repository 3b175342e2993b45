"""The attributions of the prototypes, and the scores of their quality."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from torch import Tensor, nn

from borderline.measures.inference import has_gradients
from borderline.params import RunParams
from borderline.pipelines.prototypes.explaining.attribution import (
    agreement,
    attribute,
    baselines_of,
)
from borderline.pipelines.prototypes.explaining.faithfulness import (
    Curves,
    curves,
    faithfulness,
    random_curves,
)
from borderline.pipelines.prototypes.explaining.randomisation import randomised, rank_correlations
from borderline.pipelines.prototypes.params import ExplanationParams, Method
from borderline.records import Attributions, LabelledImages

_COLUMNS = (
    *("method", "agreement", "agreement_least", "deletion", "deletion_p", "insertion"),
    *("insertion_p", "randomised_last", "randomised_all"),
)


@dataclass(frozen=True)
class Explainer:
    """A model under test, images (K, C, H, W) to explain, and how; there may be no images."""

    classifier: nn.Module
    images: Tensor
    real: LabelledImages
    settings: ExplanationParams
    run: RunParams

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods of the settings that the model allows for."""
        return self.settings.methods_of(has_gradients(self.classifier))

    def attribute(self, method: Method, attempt: int = 0) -> Tensor:
        """The attributions of one method, shape (K, H, W)."""
        baselines = baselines_of(self.settings.shap_baseline, self.real)
        return attribute(
            method, self.classifier, self.images, baselines, self.settings, self.run, attempt
        )

    def attributions(self) -> Attributions:
        """The attributions of all methods."""
        return {method: self.attribute(method) for method in self.methods}


def examine(
    explainer: Explainer, attributions: Attributions
) -> tuple[pd.DataFrame, dict[str, Curves], list[Curves]]:
    """Test the attributions; without images there is nothing to test.

    Returns:
        One row a method: ``agreement``, the correlation of two runs with other seeds (mean and
        least over the images); ``deletion`` and ``insertion`` with p-values; and the rank
        correlation with the attributions of the model with its last layer (``randomised_last``)
        and all layers (``randomised_all``) drawn anew. The deletion and insertion curves by
        method, and those of random orders of the pixels.
    """
    if len(explainer.images) == 0:
        return pd.DataFrame(columns=list(_COLUMNS)), {}, []
    model, images, settings = explainer.classifier, explainer.images, explainer.settings
    common = settings.curve_steps, explainer.run.torch_device()
    seed = explainer.run.seed_for("random maps")
    random = random_curves(model, images, settings.random_maps, *common, seed)
    of_methods: dict[str, Curves] = {}
    rows = []
    for method in explainer.methods:
        values = attributions[method]
        of_methods[method] = curves(model, images, values, *common)
        agreed = agreement(values, explainer.attribute(method, attempt=1)).numpy()
        agreed = agreed[~np.isnan(agreed)] if np.isfinite(agreed).any() else np.array([np.nan])
        scores = agreed.mean(), agreed.min(), *faithfulness(of_methods[method], random)
        randomisation = (_randomisation(explainer, method, values, layers) for layers in (1, None))
        rows.append((method, *scores, *randomisation))
    return pd.DataFrame(rows, columns=list(_COLUMNS)), of_methods, random


def _randomisation(
    explainer: Explainer, method: Method, values: Tensor, layers: int | None
) -> float:
    """The mean rank correlation with the attributions of the model with layers drawn anew."""
    correlations = [
        rank_correlations(values, replace(explainer, classifier=model).attribute(method)).mean()
        for attempt in range(explainer.settings.randomisations)
        if (model := randomised(explainer.classifier, layers, explainer.run, attempt)) is not None
    ]
    return float(np.mean(correlations)) if correlations else np.nan
