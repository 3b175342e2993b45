"""Scores of a model under test on the real test images."""

from __future__ import annotations

from sklearn.metrics import confusion_matrix
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_calibration_error

from borderline.measures.confusion import is_borderline

CALIBRATION_BINS = 15


def score_classifier(p: Tensor, labels: Tensor, band: float) -> dict[str, float]:
    """Scores of a binary classifier.

    Args:
        p: Probabilities of the positive class, shape (N,), N at least 1.
        labels: True labels, 0 or 1, shape (N,).
        band: Half the width of the borderline band, in (0, 0.5].

    Returns:
        ``accuracy``; ``loss``, the binary cross-entropy in nats; ``ece``, the expected calibration
        error of p with 15 bins (Guo et al. 2017 use the confidence of the predicted class); the
        confusion matrix as ``true_negative``, ``false_positive``, ``false_negative``,
        ``true_positive``; the numbers of ``test_images`` and of ``borderline_test_images``.
    """
    matrix = confusion_matrix(labels.numpy(), (p > 0.5).long().numpy(), labels=[0, 1])
    true_negative, false_positive, false_negative, true_positive = matrix.ravel().tolist()
    return {
        "accuracy": (true_negative + true_positive) / len(labels),
        "loss": F.binary_cross_entropy(p.double(), labels.double()).item(),
        "ece": binary_calibration_error(p, labels, n_bins=CALIBRATION_BINS).item(),
        "true_negative": true_negative,
        "false_positive": false_positive,
        "false_negative": false_negative,
        "true_positive": true_positive,
        "test_images": len(labels),
        "borderline_test_images": int(is_borderline(p, band).sum()),
    }
