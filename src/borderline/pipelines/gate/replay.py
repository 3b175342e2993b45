"""The replay of suites: the decisions of a model on images that were found with a former model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from borderline.boundary import Boundary
from borderline.measures.confusion import centred, is_positive
from borderline.measures.inference import predict_real
from borderline.measures.intervals import estimate_of_share
from borderline.suites.suite import Item, Suite

COLUMNS = [
    *("model", "suite", "measure", "former_models", "images", "value", "low", "high"),
    *("former", "worse", "better", "p_value"),
]
MEASURES = {"weakness": "weakness_accuracy", "ambiguous": "ambiguous_confident"}
"""The measure on the images with each verdict."""


def replay_all(
    models: Mapping[str, tuple[nn.Module, Boundary]],
    suites: Mapping[str, Suite],
    *,
    confident: float,
    device: torch.device,
) -> pd.DataFrame:
    """The measures of all models on all suites, a row a measure by ``COLUMNS``.

    ``weakness_accuracy`` is the share of the images with the verdict weakness that the model
    classifies correctly at its own threshold, and ``ambiguous_confident`` the share of the
    ambiguous images that it is confident of. Both have Wilson's interval, and are NaN without
    images. ``former`` is the same share of the former model, from the p and the threshold that the
    suite has for each image. ``worse`` counts the images on which only the later model is wrong, or
    confident of an ambiguous one, ``better`` those on which only the former one is. ``p_value`` is
    that of McNemar's exact test (1947), two-sided; 1 where both counts are 0.

    Args:
        models: The later models with their decision boundaries, by name.
        suites: The suites by folder.
        confident: A model is confident of an image if the centred probability of one of the two
            classes is at least this, in (0.5, 1).
        device: The device to compute on.
    """
    rows = []
    for name, (model, boundary) in models.items():
        for folder, suite in suites.items():
            p = predict_real(model, suite.images, device)
            for verdict, measure in MEASURES.items():
                places = suite.rows(verdict)
                items = [suite.items[place] for place in places]
                measured = _measured(verdict, p[places], boundary, items, confident)
                former = ", ".join(sorted({item.model for item in items}))
                rows.append((name, folder, measure, former, len(items), *measured))
    return pd.DataFrame(rows, columns=COLUMNS)


def _measured(
    verdict: str, p: Tensor, boundary: Boundary, items: Sequence[Item], confident: float
) -> tuple[float, ...]:
    """The last columns of a row: the share with its interval, that of the former model, ..."""
    if verdict == "weakness":
        hits, former = _is_right(p, boundary, items)
        worse, better = int((former & ~hits).sum()), int((hits & ~former).sum())
    else:
        hits, former = _is_confident(p, boundary, items, confident)
        worse, better = int((hits & ~former).sum()), int((former & ~hits).sum())
    share = estimate_of_share(int(hits.sum()), len(items))
    p_value = float(binomtest(worse, worse + better).pvalue) if worse + better else 1.0
    return (*share, former.double().mean().item(), worse, better, p_value)


def _is_right(p: Tensor, boundary: Boundary, items: Sequence[Item]) -> tuple[Tensor, Tensor]:
    """Whether the later and the former model classify each image as labelled, bool (n,) each."""
    labels = torch.tensor([item.label == 1 for item in items], dtype=torch.bool)
    former = torch.tensor([item.p > item.threshold for item in items], dtype=torch.bool)
    return is_positive(p, boundary) == labels, former == labels


def _is_confident(
    p: Tensor, boundary: Boundary, items: Sequence[Item], confident: float
) -> tuple[Tensor, Tensor]:
    """Whether the later and the former model are confident of each image, bool (n,) each."""
    former = [centred(torch.tensor(item.p).double(), item.threshold) for item in items]
    both = centred(p, boundary["threshold"]), torch.tensor(former, dtype=torch.float64)
    later, earlier = (torch.maximum(c.double(), 1 - c.double()) >= confident for c in both)
    return later, earlier
