from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from borderline.findings import FIGURES, Findings
from borderline.measures.intervals import estimate_of_share
from borderline.pipelines.report.gathering import Tables, gather

NAMES = {"source": "digits", "positive": "7", "negative": "1"}
IMAGES = {"images": torch.zeros(6, 1, 8, 8), "labels": torch.zeros(6)}

_ENDS = ("", "_low", "_high")


def tables(**changed: pd.DataFrame) -> Tables:
    """Tables in which every figure is another number."""
    board = {
        "source": ["plain", "hybrid", "real images"],
        "chosen": [False, True, False],
        "rule": "knee",
        "images": [10, 900, 200],
        "borderline": [1, 800, 3],
        **{f"yield{end}": [0.1, 0.80 + i / 100, 0.2] for i, end in enumerate(_ENDS)},
        **{f"acd{end}": [0.1, 0.30 + i / 100, 0.2] for i, end in enumerate(_ENDS)},
        **{f"hubris{end}": [0.1, 0.60 + i / 100, 0.2] for i, end in enumerate(_ENDS)},
        **{f"fd_lenet{end}": [1.0, 50.0 + i, 2.0] for i, end in enumerate(_ENDS)},
        "fd_lenet_n": 150,
    }
    made: dict[str, Any] = {
        "classifier_scores": {
            "ece": [0.05],
            "true_negative": [90],
            "false_positive": [2],
            "false_negative": [3],
            "true_positive": [105],
            "test_images": [200],
            "borderline_test_images": [7],
        },
        "calibration": {"temperature": [1.5]},
        "leaderboard": board,
        "cluster_scores": {
            "images": [400],
            "recipe": ["pca + kmeans"],
            "noise": [0.25],
            "ari_resamples": [0.55],
            "ari_resamples_low": [0.4],
            "ari_resamples_high": [0.7],
            "note": [None],
        },
        "prototype_table": {
            "prototype": [0, 1],
            "cluster": [0, -1],
            "images": [100, np.nan],
            "stability": [0.7, np.nan],
            "p": [0.51, 0.49],
            "chosen_by": "k_medoids",
        },
        "repeat_table": {"repeat": [0, 1, 2], "images": [50, 0, 60]},
        "matches": {"prototype": [0, 0], "repeat": [0, 2], "row": [1, 2], "similarity": [0.9, 0.8]},
        "validation": {
            "chosen_by": ["k_medoids", "k_medoids", "random"],
            "measure": ["coverage_area", "stability", "stability"],
            "value": [0.61, 0.91, 0.1],
            "low": [0.60, 0.90, 0.1],
            "high": [0.62, np.nan, 0.1],
            "says": ["Coverage.", "Stability.", "Another."],
        },
        "explanation_scores": {
            "method": ["saliency", "occlusion", "gradient_shap"],
            "deletion_p": [0.01, 0.2, 0.3],
            "insertion_p": [0.02, 0.02, np.nan],
            "randomised_all": [0.1, -0.8, np.nan],
        },
        "tipping_table": {
            "prototype": [0, 0, 1, 1],
            "towards": ["negative", "positive"] * 2,
            "confident": [True, False, True, True],
            "share": [0.2, 0.3, np.nan, np.nan],
        },
        "real_patterns": {"cluster": [0, 0, -1]},
        "errors_near_patterns": {
            "cluster": ["0", "any", "none"],
            "images": [20, 120, 80],
            "errors": [1, 4, 1],
            "p_value": [0.5, 0.03, 0.9],
        },
        "rejection": {
            "abstains_by": ["confidence", "prototypes", "chance"],
            "says": ["First.", "Second.", "Third."],
        },
        "summary": {"doubts": ["one cloud; few images"]},
    }
    return Tables(**{name: pd.DataFrame(own) for name, own in made.items()} | changed)


def found(**changed: pd.DataFrame) -> Findings:
    return gather(tables(**changed), NAMES, nn.Linear(3, 1), IMAGES, IMAGES, 0.1)


def test_every_figure_is_that_of_its_table() -> None:
    figures = found().figures
    assert set(figures) == set(FIGURES)
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(
        {
            "accuracy": 195 / 200,
            "ece": 0.05,
            "borderline_test": 7 / 200,
            "yield": 0.8,
            "acd": 0.3,
            "hubris": 0.6,
            "fd_lenet": 50,
            "patterns": 2,
            "cluster_stability": 0.55,
            "coverage": 0.61,
            "found_again": 0.91,
            "near_patterns": 120 / 200,
            "errors_near": 4 / 5,
        }
    )
    counted = {"accuracy": (195, 200), "near_patterns": (120, 200), "errors_near": (4, 5)}
    for name, (hits, images) in counted.items():
        share = estimate_of_share(hits, images)
        assert (figures[name].low, figures[name].high) == pytest.approx((share.low, share.high))
        assert figures[name].n == images
    assert (figures["acd"].low, figures["acd"].high) == pytest.approx((0.31, 0.32))
    assert (figures["acd"].n, figures["fd_lenet"].n) == (900, 150)
    assert figures["cluster_stability"].low is None, "a range of resamples is no interval"
    assert figures["found_again"].high is None


def test_what_is_told_of_the_model_and_its_patterns() -> None:
    told = found()
    assert (told.kind, told.weights) == ("Linear", 4)
    assert (told.errors, told.errors_near_p) == (5, 0.03)
    assert (told.generator, told.rule) == ("hybrid", "knee")
    assert (told.made, told.borderline_images, told.noise) == (800, 400, 0.25)
    assert (told.shown, told.validation) == ("k_medoids", ("Coverage.", "Stability."))
    assert told.abstaining == ("First.", "Second.")
    assert told.doubts == ("one cloud", "few images")
    assert told.note == ""


def test_pattern_has_what_the_tables_say_of_it() -> None:
    own, noise = found().patterns
    assert (own.images, own.share, own.stability) == (100, 0.25, 0.7)
    assert (own.partners, own.repeats) == (2, 2)
    assert own.found_again == pytest.approx(0.85)
    assert (own.real_borderline, own.near, own.errors) == (2, 20, 1)
    assert (own.negative_found, own.positive_found) == (True, False)
    assert (own.to_negative, own.to_positive) == (0.2, None)
    assert (noise.cluster, noise.images, noise.share, noise.stability) == (-1, None, None, None)
    assert (noise.real_borderline, noise.near, noise.found_again) == (0, 0, None)
    # Blends reach the other side, and have no length in latent space.
    assert (noise.negative_found, noise.to_negative) == (True, None)


def test_maps_are_trusted_only_where_they_pass() -> None:
    both, one, neither = found().maps
    assert both == (
        "Saliency: deleting (p = 0.01) and inserting (p = 0.02) its pixels in order moves p more "
        "than in random order; a model with random weights has another map (rank correlation 0.10)."
    )
    assert one == (
        "Occlusion: inserting (p = 0.02) its pixels in order moves p more than in random order; in "
        "deleting (p = 0.20) its pixels it is no better than random maps, so do not trust it; a "
        "model with random weights has much the same map (rank correlation -0.80)."
    )
    assert neither.startswith("Gradient shap: in deleting (p = 0.30) and inserting (p = nan) its")


def test_without_patterns_there_is_a_note() -> None:
    nothing = {
        "prototype_table": tables().prototype_table[:0],
        "validation": tables().validation[:0],
        "matches": tables().matches[:0],
        "tipping_table": tables().tipping_table[:0],
        "explanation_scores": tables().explanation_scores[:0],
        "errors_near_patterns": pd.DataFrame(
            [{"cluster": "any", "images": None, "errors": None, "p_value": None}]
        ),
        "cluster_scores": tables().cluster_scores.assign(
            note="too few", recipe=None, noise=np.nan, ari_resamples=np.nan
        ),
    }
    told = found(**nothing)
    assert (told.patterns, told.shown, told.note, told.recipe) == ((), "", "too few", "")
    assert told.noise is None
    for name in ("coverage", "found_again", "near_patterns", "errors_near", "cluster_stability"):
        assert told.figures[name].value is None
    assert told.figures["patterns"].value == 0


def test_model_without_errors_has_no_share_of_them() -> None:
    scores = tables().classifier_scores.assign(
        false_positive=0, false_negative=0, true_positive=110
    )
    near = tables().errors_near_patterns.assign(errors=0)
    told = found(classifier_scores=scores, errors_near_patterns=near)
    assert told.errors == 0
    assert told.figures["errors_near"].value is None
    assert told.figures["accuracy"].value == 1
