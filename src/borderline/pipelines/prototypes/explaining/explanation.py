"""The attributions of the prototypes, and the scores of their quality."""

from __future__ import annotations

from collections.abc import Mapping
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
    Faithfulness,
    curves,
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
    """A model under test, images of it to explain, and the settings of the attributions.

    Attributes:
        classifier: The model.
        images: Shape (K, C, H, W); may be none.
        real: The real training images of the pair.
        settings: Methods, samples, repetitions.
        run: Seed and device.
    """

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

    def curves(self, attributions: Attributions) -> dict[str, Curves]:
        """The deletion and insertion curves of all methods."""
        steps, device = self.settings.curve_steps, self.run.torch_device()
        return {
            method: curves(self.classifier, self.images, values, steps, device)
            for method, values in attributions.items()
        }

    def random_curves(self) -> list[Curves]:
        """The deletion and insertion curves of random orders of the pixels."""
        seed, device = self.run.seed_for("random maps"), self.run.torch_device()
        orders, steps = self.settings.random_maps, self.settings.curve_steps
        return random_curves(self.classifier, self.images, orders, steps, device, seed)


def tabulate(
    explainer: Explainer, attributions: Attributions, faithfulness: Mapping[str, Faithfulness]
) -> pd.DataFrame:
    """One row a method, with the scores of its quality; none without images.

    Returns:
        ``agreement``, the correlation of two runs with other seeds (mean and least over the
        images); ``deletion`` and ``insertion`` against random orders, with p-values; and the rank
        correlation with the attributions of the model with its last layer (``randomised_last``)
        and all layers (``randomised_all``) drawn anew.
    """
    rows = []
    for method in explainer.methods if len(explainer.images) else ():
        values = attributions[method]
        agreed = agreement(values, explainer.attribute(method, attempt=1)).numpy()
        agreed = agreed[~np.isnan(agreed)] if np.isfinite(agreed).any() else np.array([np.nan])
        randomisation = (_randomisation(explainer, method, values, layers) for layers in (1, None))
        rows.append((method, agreed.mean(), agreed.min(), *faithfulness[method], *randomisation))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


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
