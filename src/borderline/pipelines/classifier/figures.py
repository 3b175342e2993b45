"""The figure of a model under test."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay
from torch import Tensor


def draw_classifier_scores(
    p: Tensor, labels: Tensor, scores: dict[str, float], band: float
) -> Figure:
    """Confusion matrix, calibration curve and the histogram of p on the real test images.

    Args:
        p: Probabilities of the positive class, shape (N,).
        labels: True labels, 0 or 1, shape (N,).
        scores: The result of ``score_classifier``.
        band: Half the width of the borderline band.
    """
    figure = Figure(figsize=(12, 4), layout="constrained")
    figure.suptitle(
        f"Model under test on {len(labels)} real test images: "
        f"accuracy {scores['accuracy']:.1%}, calibration error {scores['ece']:.3f}"
    )
    matrix, calibration, histogram = figure.subplots(1, 3)
    ConfusionMatrixDisplay(
        np.array(
            [
                [scores["true_negative"], scores["false_positive"]],
                [scores["false_negative"], scores["true_positive"]],
            ]
        ),
        display_labels=["negative", "positive"],
    ).plot(ax=matrix, colorbar=False, cmap="Blues", values_format="d")
    matrix.set_title("Confusion matrix")
    CalibrationDisplay.from_predictions(
        labels.numpy(), p.numpy(), n_bins=10, strategy="quantile", ax=calibration
    )
    calibration.set(
        title="Calibration", xlabel="Predicted p(positive)", ylabel="Share of positive images"
    )
    histogram.hist(p.numpy(), bins=20, range=(0, 1), color="#4477aa")
    histogram.axvspan(0.5 - band, 0.5 + band, color="#ddaa33", alpha=0.4, label="borderline band")
    histogram.set(
        title=f"{scores['borderline_test_images']:.0f} test images are borderline",
        xlabel="p(positive)",
        ylabel="Test images",
    )
    histogram.legend()
    return figure
