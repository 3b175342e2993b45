"""Scores of a model under test on real images, their figure, and its calibration."""

from __future__ import annotations

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.boundary import Boundary, ends_of_band
from borderline.errors import BorderlineError
from borderline.measures.class_names import ClassNames, in_figure, p_of
from borderline.measures.confusion import at_temperature, is_borderline, to_logits
from borderline.measures.guessing import (
    balanced_rows,
    better_than_guessing,
    threshold_to_test,
    words_of_threshold,
)
from borderline.measures.inference import predict_real
from borderline.records import LabelledImages

HIGHEST_TEMPERATURE = 20.0
_AT_THE_BOUND = 0.99
# Characters of a line at a tick, and at an axis.
_TICK, _AXIS = 14, 30
# Of each class half; enough to tell 54 % from guessing.
_IMAGES_AGAINST_GUESSING = 2000


def check_better_than_guessing(
    network: nn.Module, test: LabelledImages, threshold: float | None, title: str
) -> None:
    """Check that a model, which was trained here, is more accurate than guessing.

    Args:
        network: The model under test, on the CPU.
        test: The test images of the pair; equally many of each class are used.
        threshold: The decision threshold; None for one that is not known yet.
        title: The model in words.

    Raises:
        BorderlineError: When it is not.
    """
    rows = balanced_rows(test["labels"], _IMAGES_AGAINST_GUESSING)
    if not len(rows):
        return
    p = predict_real(network, test["images"][rows], torch.device("cpu"))
    t = threshold_to_test(threshold, p)
    right = int(((p.double() > t) == (test["labels"][rows] == 1)).sum())
    if not better_than_guessing(right, len(rows)):
        at, other = words_of_threshold(threshold)
        raise BorderlineError(
            f"The model under test {title} classifies {right} of {len(rows)} test images of the "
            f"pair correctly after its training{at}, no better than guessing, so its boundary has "
            "no meaning: raise its epochs, change its learning_rate, give it more images or a "
            f"larger network{other}, or set models.<name>.allow_chance to true."
        )


def draw_classifier_scores(
    p: Tensor,
    labels: Tensor,
    scores: dict[str, float],
    boundary: Boundary,
    names: ClassNames,
    train_p: Tensor,
) -> Figure:
    """Confusion matrix, calibration curve and histograms of p, with their scores.

    p (N,) and the labels (N,) are those of the test images; ``train_p`` (M,) is that of the
    training images.
    """
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    figure.suptitle(
        f"Model under test on {len(labels)} real test images: "
        f"accuracy {scores['accuracy']:.1%}, calibration error {scores['ece']:.3f}"
    )
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[2, 1])[0]
    matrix, calibration = left.subplots(1, 2)
    test, training = right.subplots(2, 1)
    counts = ("true_negative", "false_positive", "false_negative", "true_positive")
    ConfusionMatrixDisplay(
        np.array([scores[name] for name in counts]).reshape(2, 2),
        display_labels=[in_figure(name, _TICK) for name in names],
    ).plot(ax=matrix, colorbar=False, cmap="Blues", values_format="d")
    matrix.set_title("Confusion matrix")
    CalibrationDisplay.from_predictions(
        labels.numpy(),
        p.numpy(),
        n_bins=10,
        strategy="quantile",
        ax=calibration,
    )
    calibration.set(
        title="Calibration",
        xlabel=in_figure(f"Predicted {p_of(names)}", _AXIS),
        ylabel=in_figure(f"Share of images of {names.positive}", _AXIS),
    )
    _draw_histogram(test, p, boundary, "test")
    _draw_histogram(training, train_p, boundary, "training")
    training.set_xlabel(in_figure(p_of(names), _AXIS))
    test.legend()
    return figure


def _draw_histogram(axes: Axes, p: Tensor, boundary: Boundary, images: str) -> None:
    """The histogram of p, with the borderline band; the title counts the images in it.

    Its axis has the scale of the boundary.
    """
    if boundary["scale"] == "logit":
        logits = to_logits(p).numpy()
        edges = expit(np.linspace(logits.min() - 0.5, logits.max() + 0.5, 31))
        axes.hist(expit(logits), bins=list(edges), color="#4477aa")
        axes.set_xscale("logit")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.hist(p.numpy(), bins=20, range=(0, 1), color="#4477aa")
    low, high = ends_of_band(boundary)
    axes.axvspan(low, high, color="#ddaa33", alpha=0.4, label="borderline band")
    borderline = int(is_borderline(p, boundary).sum())
    axes.set_title(f"{borderline} of {len(p)} are borderline", fontsize="medium")
    axes.set_ylabel(f"{images.capitalize()} images")


def fit_temperature(p: Tensor, labels: Tensor) -> dict[str, float]:
    """The temperature T at which ``sigmoid(logit(p) / T)`` fits best (Guo et al. 2017).

    p (N,) and the labels, 0 or 1, are of images outside the training.

    Returns:
        ``temperature`` in (1/20, 20), above 1 for an overconfident model, NaN where the optimum is
        at a bound, for example when the model separates all images; the binary cross-entropy
        ``loss`` and ``calibrated_loss``, in nats; ``validation_images`` N.
    """

    def loss(log_temperature: float) -> float:
        calibrated = at_temperature(p, math.exp(log_temperature))
        return F.binary_cross_entropy(calibrated, labels.double()).item()

    widest = math.log(HIGHEST_TEMPERATURE)
    optimum = minimize_scalar(loss, bounds=(-widest, widest), method="bounded")
    fits = abs(optimum.x) < _AT_THE_BOUND * widest
    return {
        "temperature": math.exp(optimum.x) if fits else math.nan,
        "loss": loss(0.0),
        "calibrated_loss": float(optimum.fun) if fits else math.nan,
        "validation_images": len(labels),
    }
