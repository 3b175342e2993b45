from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from borderline.errors import BorderlineError
from borderline.findings import (
    MEASURES,
    NOT_RATED,
    VERDICTS,
    Findings,
    Measured,
    PatternRating,
    Rating,
    digest_of_patterns,
)
from borderline.imported.classifier import BlindJudge, ImportedClassifier
from borderline.measures.intervals import estimate_of_share
from borderline.params import RunParams
from borderline.pipelines.classifier.params import RepairedModelParams
from borderline.pipelines.prototypes.usefulness.verdicts import share_verdicts
from borderline.pipelines.report.advice import limits_of_model
from borderline.pipelines.report.beside import OUT_OF_DATE
from borderline.pipelines.report.gathering import doubts_about
from borderline.pipelines.report.nodes import TABLES, gather_findings
from borderline.records import LabelledImages
from borderline.training.networks import build_model
from conftest import BOUNDARY, imported_model
from repairs import repair_of

NAMES = {"source": "digits", "positive": "7", "negative": "1"}
IMAGES: LabelledImages = {"images": torch.zeros(6, 1, 8, 8), "labels": torch.zeros(6)}
TEST: LabelledImages = {"images": torch.ones(6, 1, 8, 8), "labels": torch.zeros(6)}

SHARES = (
    *("accuracy", "sensitivity", "specificity", "borderline_test"),
    *("share_of_images", "share_of_errors"),
)
_ENDS = ("", "_low", "_high")


def tables(**changed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables in which every measure is another number."""
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
        "classifier_scores_table": {
            "ece": [0.05],
            "true_negative": [90],
            "false_positive": [2],
            "false_negative": [3],
            "true_positive": [105],
            "test_images": [200],
            "borderline_test_images": [7],
        },
        "calibration_table": {"temperature": [1.5]},
        "leaderboard_table": board,
        "cluster_scores_table": {
            "images": [400],
            "recipe": ["pca + kmeans"],
            "noise": [0.25],
            "ari_resamples": [0.55],
            "ari_resamples_low": [0.4],
            "ari_resamples_high": [0.7],
            "doubts": ["one cloud; unstable"],
            "continuum": [""],
            "artefacts": ["3 images are one"],
            "note": [""],
        },
        "prototypes_table": {
            "prototype": [0, 1],
            "cluster": [0, -1],
            "images": [100, np.nan],
            "stability": [0.7, np.nan],
            "row": [0, 2],
            "p": [0.51, 0.49],
            "chosen_by": "k_medoids",
        },
        "reproducibility_table": {
            "words": ["in resamples", "with other generators", "with other GANs"],
            "rule": "much",
            "compared": [5, 3, 0],
            "reproducible": ["yes", "no", ""],
            "note": ["", "", "grid.runs is 1"],
        },
        "repeats_table": {"repeat": [0, 1, 2], "images": [50, 0, 60]},
        "matches_table": {
            "prototype": [0, 0],
            "repeat": [0, 2],
            "row": [1, 2],
            "similarity": [0.9, 0.8],
        },
        "validation_table": {
            "chosen_by": ["k_medoids", "k_medoids", "random"],
            "measure": ["coverage_area", "stability", "stability"],
            "value": [0.61, 0.91, 0.1],
            "low": [0.60, 0.90, 0.1],
            "high": [0.62, np.nan, 0.1],
            **{f"q_value{end}": [0.01, 0.2, np.nan] for end in ("", "_of_cluster")},
            "q_value_of_labels": [0.01, 0.02, np.nan],
            "random": [0.5, 0.8, 0.8],
            "note": ["", "one repeat failed", ""],
            "says": ["Coverage.", "Stability.", "Another."],
        },
        "explanation_scores_table": {
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
        "words_table": {
            "prototype": [0, 0, 0],
            "compared": "pattern",
            "class": ["negative", "positive", "positive"],
            "property": ["thickness", "thickness", "slant"],
            "effect": [-0.8, 0.1, 1.1],
            "words": ["thinner (0.8 SD)", "", "more slanted to the right (1.1 SD)"],
        },
        "real_patterns_table": {"cluster": [0, 0, -1]},
        "errors_near_patterns_table": {
            "cluster": ["0", "any", "none"],
            "images": [20, 120, 80],
            "errors": [1, 4, 1],
            "p_value": [0.5, 0.03, 0.9],
        },
        "rejection_table": {
            "abstains_by": ["confidence", "prototypes", "chance"],
            "says": ["First.", "Second.", "Third."],
        },
        "verdicts_table": {"verdict": ["undecided", "memorised", "ambiguous"]},
        "pattern_verdicts_table": share_verdicts(
            np.array(["weakness"] * 300 + ["ambiguous"] * 60 + ["memorised"] * 40),
            np.repeat([0, 1, -1], [90, 210, 100]),
            2,
        ),
    }
    assert set(made) == set(TABLES)
    return {name: pd.DataFrame(columns) for name, columns in made.items()} | changed


PATTERNS: dict[str, Any] = {
    "borderline": {"images": torch.zeros(4, 1, 8, 8), "probabilities": torch.full((4,), 0.5)},
    "clusters": {"labels": torch.tensor([0, 0, 1, 1])},
    "prototypes": {"rows": torch.tensor([0, 2])},
}


def gathered(
    judges: int = 3,
    human_verdicts: dict[str, Any] | None = None,
    repair_summary: dict[str, Any] | None = None,
    run: RunParams | None = None,
    classifier: nn.Module | None = None,
    pair_test: LabelledImages | None = None,
    repaired: RepairedModelParams | None = None,
    **changed: pd.DataFrame,
) -> Findings:
    values = gather_findings(
        pair_names=NAMES,
        classifier=classifier or nn.Linear(3, 1),
        pair_train=IMAGES,
        pair_test=pair_test or TEST,
        **PATTERNS,
        human_verdicts=human_verdicts or {},
        repair_summary=repair_summary or {},
        committee_scores_table=pd.DataFrame({"members": [judges]}),
        boundary=BOUNDARY,
        level=0.05,
        run=run or RunParams(seed=0, device="cpu"),
        repaired=repaired,
        **tables(**changed),
    )
    return Findings.read(values)


def test_every_measure_is_that_of_its_table() -> None:
    measures = gathered().measures
    assert list(measures) == list(MEASURES)
    assert {name: measured.value for name, measured in measures.items()} == pytest.approx(
        {
            "accuracy": 195 / 200,
            "sensitivity": 105 / 108,
            "specificity": 90 / 92,
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
            "weakness": 300 / 400,
            "ambiguous": 60 / 400,
            "another_class": 0,
            "unrealistic": 0,
            "memorised": 40 / 400,
            "near_patterns": 120 / 200,
            "errors_near": 4 / 5,
        }
    )
    counted = {"accuracy": (195, 200), "near_patterns": (120, 200), "errors_near": (4, 5)}
    counted |= {"sensitivity": (105, 108), "specificity": (90, 92), "weakness": (300, 400)}
    for name, (hits, images) in counted.items():
        share = estimate_of_share(hits, images)
        assert (measures[name].low, measures[name].high) == pytest.approx((share.low, share.high))
        assert measures[name].n == images
    assert (measures["acd"].low, measures["acd"].high) == pytest.approx((0.31, 0.32))
    assert (measures["acd"].n, measures["fd_lenet"].n) == (900, 150)
    assert measures["cluster_stability"].low is None, "a range of resamples is no interval"
    assert measures["found_again"].high is None


def test_intervals_are_those_of_the_tables_where_these_have_some() -> None:
    made = tables()
    ends = {f"{name}_{end}": 0.1 for name in SHARES for end in ("low", "high")}
    scores = made["classifier_scores_table"].assign(**ends)
    near = made["errors_near_patterns_table"].assign(**ends)
    changed = {"classifier_scores_table": scores, "errors_near_patterns_table": near}
    measures = gathered(**changed).measures
    names = "accuracy", "sensitivity", "borderline_test", "near_patterns", "errors_near"
    assert {(measures[name].low, measures[name].high) for name in names} == {(0.1, 0.1)}


def test_groups_and_leaks_are_counted_without_ids() -> None:
    assert (gathered().test_groups, gathered().leaks) == (None, ())
    groups = {"groups": torch.tensor([0, 0, 1, 1, 2, 2])}
    findings = gathered(pair_test={**IMAGES, **groups})
    assert findings.test_groups == 3
    (leak,) = findings.leaks
    assert "6 of 6 test images are exactly those of a training image. " in leak
    limits = limits_of_model(findings)
    assert leak in limits
    assert "The test images belong to 3 groups." in limits[2]
    assert "and of the score test by group: " in " ".join(limits)
    assert "(p-value of Fisher's exact test: " in " ".join(limits_of_model(gathered()))


def test_imported_model_is_described_by_what_is_known_of_it() -> None:
    params = imported_model(
        source={"kind": "callable", "import_path": "elsewhere.ink_logit"}, outputs="probability"
    )
    params = params.model_copy(update={"embedding": "judge"})
    findings = gathered(classifier=ImportedClassifier(params, b"", (1, 8, 8), BlindJudge()))
    assert (findings.weights, findings.said_weights) == (None, "unknown number of weights")
    assert findings.outputs == "p, the probability of {positive}"
    assert findings.kind == "imported (callable), embedding: the judge's features"


def test_a_repaired_model_is_described_by_its_origin() -> None:
    model = build_model("cnn", 2, (1, 8, 8))
    model.settings = {"model.kind": "cnn", "model.filters": 2, "repair.arm": "boundary"}
    findings = gathered(classifier=model, repaired=RepairedModelParams(kind="repaired", of="cnn_2"))
    how = "trained again with the arm 'boundary' of its repair"
    assert findings.kind == f"cnn_2, {how} (cnn, filters 2)"
    assert (findings.repaired_from, findings.weights) == ("cnn_2", 113)
    assert gathered(classifier=model).repaired_from == ""


def test_model_and_its_patterns_are_described() -> None:
    findings = gathered()
    assert (findings.kind, findings.weights) == ("Linear", 4)
    assert (findings.errors, findings.errors_near_p) == (5, 0.03)
    assert (findings.generator, findings.rule) == ("hybrid", "knee")
    assert (findings.made, findings.borderline_images, findings.noise) == (800, 400, 0.25)
    assert (findings.shown, findings.validation) == ("k_medoids", ("Coverage.", "Stability."))
    assert findings.abstaining == ("First.", "Second.")
    assert findings.artefacts == "3 images are one"
    assert findings.reproducibility == (
        "The prototypes are found again in resamples. They are not found again with other "
        "generators. Not compared with other GANs: grid.runs is 1. Found again means: much."
    )
    assert findings.cluster_doubts == ("one cloud", "unstable")
    assert findings.doubts == (
        *findings.cluster_doubts,
        "the prototypes are not significantly better than random images in: stability across seeds",
        "the prototypes are not significantly better than random images of the same clusters in: "
        "stability across seeds",
        "one repeat failed",
    )
    assert findings.note == ""


def test_pattern_has_the_numbers_of_its_tables() -> None:
    pattern, noise = gathered().patterns
    assert (pattern.images, pattern.share, pattern.stability) == (100, 0.25, 0.7)
    assert (pattern.partners, pattern.repeats) == (2, 2)
    assert pattern.found_again == pytest.approx(0.85)
    assert (pattern.real_borderline, pattern.near, pattern.errors) == (2, 20, 1)
    assert (pattern.negative_found, pattern.positive_found) == (True, False)
    assert (pattern.to_negative, pattern.to_positive) == (0.2, None)
    assert pattern.words == (
        "More slanted to the right (1.1 SD) than the model's confident 7s; thinner (0.8 SD) than "
        "the model's confident 1s."
    )
    assert (noise.cluster, noise.images, noise.share, noise.stability) == (-1, None, None, None)
    assert (noise.real_borderline, noise.near, noise.found_again) == (0, 0, None)
    # Blends reach the other side, and have no length in latent space.
    assert (noise.negative_found, noise.to_negative) == (True, None)


def test_pattern_has_the_verdict_of_its_cluster_or_of_its_image() -> None:
    pattern, noise = gathered().patterns
    assert (pattern.verdict, pattern.verdict_share) == ("weakness", 1)
    low = estimate_of_share(90, 90).low
    assert (pattern.verdict_low, pattern.verdict_high) == pytest.approx((low, 1))
    assert pattern.verdict_shares["weakness"] == 1
    assert (noise.verdict, noise.verdict_share, noise.verdict_shares) == ("ambiguous", None, {})


def test_pattern_without_a_prevailing_verdict_is_mixed() -> None:
    table = share_verdicts(np.array(["weakness", "ambiguous"] * 20), np.zeros(40), 1)
    pattern = gathered(pattern_verdicts_table=table).patterns[0]
    assert (pattern.verdict, pattern.verdict_share, pattern.verdict_low) == ("mixed", None, None)
    assert pattern.verdict_shares["ambiguous"] == 0.5


def test_judge_without_an_opinion_leaves_out_the_measures_of_opinions() -> None:
    findings = gathered(judges=0)
    assert findings.judges == 0
    known = {name for name in VERDICTS if name in MEASURES and findings.measures[name].value}
    assert known == {"memorised"}
    assert findings.measures["weakness"].value is None


def test_attributions_are_trusted_only_where_they_pass() -> None:
    both, one, neither = gathered().attributions
    assert both == (
        "Saliency passes the deletion test (p-value 0.01) and the insertion test (p-value 0.02). A "
        "model with random weights has a different attribution (rank correlation 0.10)."
    )
    assert one == (
        "Occlusion passes the insertion test (p-value 0.02) and fails the deletion test (p-value "
        "0.20): do not trust it. A model with random weights has nearly the same attribution (rank "
        "correlation -0.80)."
    )
    assert neither == (
        "GradientSHAP fails the deletion test (p-value 0.30): do not trust it. Without a result: "
        "insertion, because the model gives NaN for an image without some of its pixels."
    )


def test_without_patterns_there_is_a_note() -> None:
    empty = {
        "prototypes_table": tables()["prototypes_table"][:0],
        "validation_table": tables()["validation_table"][:0],
        "matches_table": tables()["matches_table"][:0],
        "tipping_table": tables()["tipping_table"][:0],
        "explanation_scores_table": tables()["explanation_scores_table"][:0],
        "errors_near_patterns_table": pd.DataFrame(
            [{"cluster": "any", "images": None, "errors": None, "p_value": None}]
        ),
        "cluster_scores_table": tables()["cluster_scores_table"].assign(
            note="too few", recipe="", doubts="", noise=np.nan, ari_resamples=np.nan
        ),
    }
    findings = gathered(**empty)
    assert (findings.patterns, findings.shown, findings.note, findings.recipe) == (
        (),
        "",
        "too few",
        "",
    )
    assert findings.noise is None
    for name in ("coverage", "found_again", "near_patterns", "errors_near", "cluster_stability"):
        assert findings.measures[name].value is None
    assert findings.measures["patterns"].value == 0


def test_model_without_errors_has_no_share_of_them() -> None:
    scores = tables()["classifier_scores_table"].assign(
        false_positive=0, false_negative=0, true_positive=110
    )
    near = tables()["errors_near_patterns_table"].assign(errors=0)
    findings = gathered(classifier_scores_table=scores, errors_near_patterns_table=near)
    assert findings.errors == 0
    assert findings.measures["errors_near"].value is None
    assert findings.measures["accuracy"].value == 1


def validation(**changed: object) -> pd.DataFrame:
    """Prototypes that beat chance in both measures."""
    values: dict[str, object] = {
        "measure": ["coverage_area", "stability"],
        "value": [0.6, 0.9],
        **{f"q_value{end}": [0.01, 0.05] for end in ("", "_of_cluster", "_of_labels")},
        "note": ["", ""],
    }
    return pd.DataFrame(values | changed)


def test_prototypes_that_beat_chance_are_not_in_doubt() -> None:
    assert doubts_about(validation(), 0.05) == []
    assert doubts_about(validation()[:0], 0.05) == []


def test_each_null_hypothesis_has_its_doubt() -> None:
    table = validation(q_value=[0.06, 0.2], q_value_of_labels=[0.01, 0.2])
    assert doubts_about(table, 0.05) == [
        "the prototypes are not significantly better than random images in: coverage area, "
        "stability across seeds",
        "the prototypes are not significantly better than prototypes of shuffled clusters in: "
        "stability across seeds",
    ]


def test_unknown_stability_is_a_doubt_and_another_gap_is_none() -> None:
    unknown: dict[str, object] = {
        f"q_value{end}": [np.nan, np.nan] for end in ("", "_of_cluster", "_of_labels")
    }
    (doubt,) = doubts_about(validation(value=[np.nan, np.nan], **unknown), 0.05)
    assert doubt.endswith("than random images in: stability across seeds")


def test_notes_on_the_repeats_are_doubts() -> None:
    table = validation(note=["of no interest", "2 of 5 repeats found no clusters"])
    assert doubts_about(table, 0.05) == ["2 of 5 repeats found no clusters"]


def rating(**changed: Any) -> dict[str, Any]:
    """A rating of the first of the two patterns, in JSON's types."""
    shares = {"positive": Measured(value=0.75, low=0.4, high=0.93, n=8)}
    seen = PatternRating(images=4, answers=8, shares=shares, verdict="open", says="Mostly 7.")
    values: dict[str, Any] = {
        "made_for": digest_of_patterns(**PATTERNS),
        "raters": 2,
        "left_out": 0,
        "alpha": Measured(value=0.5),
        "kappa": Measured(),
        "says": ("Two raters.",),
        "patterns": {0: seen},
    }
    return json.loads(Rating(**values | changed).model_dump_json())  # type: ignore[no-any-return]


def test_patterns_are_not_rated_without_answers() -> None:
    findings = gathered()
    assert findings.rating is None
    assert findings.rating_note == findings.people(0) == NOT_RATED == "Not rated by people."


def test_people_see_what_the_rating_says() -> None:
    findings = gathered(human_verdicts=rating())
    assert findings.rating is not None
    assert findings.rating_note == ""
    assert findings.people(0) == "Mostly 7."
    assert findings.people(1) == NOT_RATED, "nobody answered an image of it"
    assert findings.rating.patterns[0].shares["positive"].high == 0.93


def test_rating_of_older_patterns_is_out_of_date() -> None:
    findings = gathered(human_verdicts=rating(made_for="0123456789abcdef"))
    assert findings.rating is None
    assert findings.people(0) == OUT_OF_DATE
    assert "older run" in OUT_OF_DATE


def test_rating_of_another_version_is_refused() -> None:
    with pytest.raises(BorderlineError, match=r"human_verdicts\.json .* \(raters\).* rating`"):
        gathered(human_verdicts={k: v for k, v in rating().items() if k != "raters"})


@pytest.mark.parametrize("changed", ["borderline", "clusters", "prototypes"])
def test_digest_is_of_images_clusters_and_prototypes(changed: str) -> None:
    parts = {name: dict(part) for name, part in PATTERNS.items()}
    first = next(iter(parts[changed]))
    parts[changed][first] = parts[changed][first] + 1
    assert digest_of_patterns(**parts) != digest_of_patterns(**PATTERNS)  # type: ignore[arg-type]


def test_without_patterns_the_note_names_the_baseline_that_is_not_chosen() -> None:
    known = tables()
    board = known["leaderboard_table"].assign(baseline=["two images", "", ""], borderline=[7, 0, 3])
    clusters = known["cluster_scores_table"].assign(note="only 0 borderline images")
    changed = {"leaderboard_table": board, "cluster_scores_table": clusters}
    note = (
        "only 0 borderline images; the baseline plain has 7 borderline images, but they are two "
        "images, which are shown only if metrics.choose is plain"
    )
    assert gathered(**changed).note == note
    named = board.assign(chosen=[True, False, False])
    findings = gathered(**changed | {"leaderboard_table": named})
    assert (findings.baseline, findings.note) == ("two images", "only 0 borderline images")


def test_images_that_are_softer_or_noisier_than_real_ones_are_a_doubt() -> None:
    known = tables()

    def doubts_of(chosen: float, **changed: pd.DataFrame) -> list[str]:
        name = "total_variation_borderline"
        ends = {f"{name}{end}": [0.5, chosen, 0.05] for end in _ENDS}
        board = known["leaderboard_table"].assign(**ends)
        findings = gathered(**{"leaderboard_table": board} | changed)
        return [doubt for doubt in findings.doubts if "pixel to pixel" in doubt]

    assert doubts_of(0.02) == [
        "the borderline images vary less from pixel to pixel than real ones (total variation "
        "0.020, of real borderline images 0.050), so they may be soft or low in contrast"
    ]
    assert "noisy" in doubts_of(0.2)[0]
    assert doubts_of(0.05) == []
    none = known["prototypes_table"][:0]
    assert doubts_of(0.02, prototypes_table=none) == []


@pytest.mark.parametrize("quick", [False, True])
def test_quick_look_is_marked(quick: bool) -> None:
    assert gathered(run=RunParams(seed=0, device="cpu", quick=quick)).quick is quick
    assert gathered().quick is False


def test_model_from_elsewhere_is_marked() -> None:
    class Imported(nn.Linear):
        described = "imported (onnx), embedding: the judge's features"

    findings = gathered(classifier=Imported(3, 1))
    assert (findings.trained_elsewhere, findings.kind) == (True, Imported.described)
    assert not gathered().trained_elsewhere


def test_repair_is_taken_if_it_is_of_these_patterns() -> None:
    assert (gathered().repair, gathered().repair_note) == (None, "")
    made_for = digest_of_patterns(**PATTERNS)
    of_these = gathered(repair_summary=repair_of(made_for=made_for).model_dump(mode="json"))
    assert of_these.repair == repair_of(made_for=made_for)
    assert of_these.repair_note == ""
    older = gathered(repair_summary=repair_of().model_dump(mode="json"))
    assert older.repair is None
    assert "run `kedro run --pipelines repair,report`" in older.repair_note
    with pytest.raises(BorderlineError, match=r"repair\.json does not fit .* --pipelines repair"):
        gathered(repair_summary={"says": []})
