"""The measures and verdicts of the findings, as pages, sentences and figures call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VALIDATION_MEASURES = {
    "cosine_similarity": "pairwise similarity",
    "euclidean_distance": "pairwise distance",
    "coverage_area": "coverage area",
    "facility_location": "facility location",
    "dispersion": "dispersion",
    "precision": "1-nearest-prototype precision",
    "stability": "stability across seeds",
}
"""The measures of the validation of prototypes, as sentences and figures call them."""

VERDICTS: Mapping[str, str] = {
    "memorised": "Memorised",
    "unrealistic": "Unrealistic",
    "another_class": "Another class",
    "weakness": "The model's weakness",
    "ambiguous": "Ambiguous",
    "undecided": "Undecided",
}
"""The verdicts on a borderline image with their names on pages; the first that holds decides."""

MIXED = "mixed"
"""The verdict on a pattern in which no verdict prevails."""


class Described(NamedTuple):
    """The description of a measure; ``form`` is a format for ``str.format``."""

    title: str
    form: str
    meaning: str


MEASURES: Mapping[str, Described] = {
    "accuracy": Described(
        "accuracy", "{:z.1%}", "share of the real test images that the model classifies correctly"
    ),
    "sensitivity": Described(
        "sensitivity",
        "{:z.1%}",
        "share of the real test images of the positive class that the model classifies correctly",
    ),
    "specificity": Described(
        "specificity",
        "{:z.1%}",
        "share of the real test images of the negative class that the model classifies correctly",
    ),
    "ece": Described(
        "calibration error",
        "{:z.3f}",
        "mean gap between predicted probability and observed frequency (ECE)",
    ),
    "borderline_test": Described(
        "borderline test images",
        "{:z.1%}",
        "share of the real test images inside the borderline band",
    ),
    "yield": Described(
        "yield", "{:z.1%}", "share of the chosen generator's images that are borderline"
    ),
    "acd": Described(
        "ACD",
        "{:z.3f}",
        "average confusion distance of these images: 0 on the boundary, large far from it",
    ),
    "hubris": Described(
        "hubris",
        "{:z.3f}",
        "confidence of the model on these images: 0 on the boundary, 1 at full confidence",
    ),
    "fd_lenet": Described(
        "Fréchet distance (fd_lenet)",
        "{:z.1f}",
        "distance between generated and real images in the judge's features; lower is more "
        "realistic",
    ),
    "patterns": Described(
        "patterns",
        "{:z.0f}",
        "groups of similar borderline images, each with one prototype; exemplars of a continuum",
    ),
    "cluster_stability": Described(
        "stability of the clusters",
        "{:z.2f}",
        "mean agreement with the clusters of resamples (adjusted Rand index; 1 is perfect)",
    ),
    "coverage": Described(
        "coverage of the prototypes",
        "{:z.2f}",
        "area under the share of borderline images near a prototype, over all radii",
    ),
    "found_again": Described(
        "prototypes found again",
        "{:z.2f}",
        "mean cosine similarity to the prototypes of repeats with other seeds",
    ),
    "weakness": Described(
        "the model's weakness",
        "{:z.1%}",
        "share of the borderline images whose class the committee of judges is sure of",
    ),
    "ambiguous": Described(
        "ambiguous",
        "{:z.1%}",
        "share of the borderline images on which the committee splits between the two classes",
    ),
    "another_class": Described(
        "another class",
        "{:z.1%}",
        "share of the borderline images that are of neither class to the committee",
    ),
    "unrealistic": Described(
        "unrealistic",
        "{:z.1%}",
        "share of the borderline images that are farther from the training images than nearly "
        "every real test image",
    ),
    "memorised": Described(
        "memorised", "{:z.1%}", "share of the borderline images that nearly copy a training image"
    ),
    "near_patterns": Described(
        "test images near patterns", "{:z.1%}", "share of the real test images near a pattern"
    ),
    "errors_near": Described(
        "errors near patterns", "{:z.1%}", "share of the model's errors near a pattern"
    ),
}
"""Every measure of the findings, in the order in which pages show them."""


def combination_in_words(name: str) -> str:
    """The name of a reduction with a clustering, as pages and figures write it.

    Example:
        >>> combination_in_words("pca_kmeans")
        'pca + kmeans'
    """
    return name.replace("_", " + ")
