"""Scores of a binary classifier on labelled images, at its decision threshold."""

from __future__ import annotations

import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_calibration_error

from borderline.boundary import Boundary
from borderline.measures.confusion import is_borderline, is_positive
from borderline.measures.intervals import estimate_of_grouped_share

CALIBRATION_BINS = 15
_ENDS = ("", "_low", "_high")


def score_classifier(
    p: Tensor, labels: Tensor, boundary: Boundary, groups: Tensor | None = None
) -> dict[str, float]:
    """Scores of p (N,), N at least 1, with labels 0 or 1 (N,).

    Args:
        boundary: The decision boundary; an image is predicted positive if p is above its threshold.
        groups: The group of each image, int64 (N,); None for none.

    Returns:
        ``accuracy``; ``sensitivity``, the share of positive images that are predicted positive, and
        ``specificity``, that of negative images that are predicted negative, with the ends ``_low``
        and ``_high`` of their 95 % intervals (NaN without images of the class); ``loss``, the
        binary cross-entropy in nats; ``ece``, the expected calibration error of p with 15 bins (Guo
        et al. 2017 use the confidence of the predicted class); the confusion matrix as
        ``true_negative``, ``false_positive``, ``false_negative``, ``true_positive``; the numbers of
        ``test_images`` and of ``borderline_test_images``. With groups also the intervals of the
        accuracy and of the share ``borderline_test``.
    """
    predicted, near = is_positive(p, boundary).long(), is_borderline(p, boundary)
    matrix = confusion_matrix(labels.numpy(), predicted.numpy(), labels=[0, 1])
    true_negative, false_positive, false_negative, true_positive = matrix.ravel().tolist()
    every, right = torch.ones_like(labels, dtype=torch.bool), predicted == labels
    shares = {"sensitivity": (right, labels == 1), "specificity": (right, labels == 0)}
    of_all = {"accuracy": (right, every), "borderline_test": (near, every)}
    intervals: dict[str, float] = {}
    for name, (hits, rows) in (shares | ({} if groups is None else of_all)).items():
        share = estimate_of_grouped_share(hits[rows], None if groups is None else groups[rows])
        intervals |= {f"{name}{end}": v for end, v in zip(_ENDS, share, strict=True)}
    return {
        "accuracy": (true_negative + true_positive) / len(labels),
        **intervals,
        "loss": F.binary_cross_entropy(p.double(), labels.double()).item(),
        "ece": binary_calibration_error(p, labels, n_bins=CALIBRATION_BINS).item(),
        "true_negative": true_negative,
        "false_positive": false_positive,
        "false_negative": false_negative,
        "true_positive": true_positive,
        "test_images": len(labels),
        "borderline_test_images": int(near.sum()),
    }
