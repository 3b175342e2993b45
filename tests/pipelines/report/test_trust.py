from __future__ import annotations

from typing import Any

import pytest

from borderline.findings import Findings, Pattern
from borderline.pipelines.report.trust import LEAST_STABILITY, trust_in
from conftest import findings_of

DOUBT = ["no evidence of separate patterns"]


def pattern(**changed: Any) -> Pattern:
    values: dict[str, Any] = {
        "prototype": 2,
        "cluster": 2,
        "images": 311,
        "share": 0.311,
        "stability": 0.82,
        "p": 0.48,
        "partners": 5,
        "repeats": 5,
        "near": 7,
    }
    return Pattern(**values | changed)


def test_line_says_what_a_pattern_is_and_whether_to_trust_it() -> None:
    assert trust_in(pattern(partners=3), findings_of()) == (
        "moderate",
        "311 of 1,000 borderline images (31 %), prototype at p = 0.48. Trust: moderate. The "
        "cluster is stable (0.82), real test images lie near it and nothing puts the clustering in "
        "doubt, but only 3 of 5 repeats find it again.",
    )


@pytest.mark.parametrize(
    ("changed", "doubts", "level"),
    [
        ({}, [], "high"),
        ({"stability": LEAST_STABILITY}, [], "high"),
        ({"stability": LEAST_STABILITY - 0.01}, [], "moderate"),
        ({"stability": None}, [], "moderate"),
        ({"partners": 4}, [], "moderate"),
        ({"partners": 0, "repeats": 0}, [], "moderate"),
        ({"near": 0}, [], "moderate"),
        ({}, DOUBT, "moderate"),
        ({"near": 0}, DOUBT, "low"),
        ({"partners": 4}, DOUBT, "low"),
        ({"stability": 0.3, "partners": 4}, [], "low"),
        ({"stability": 0.3, "partners": 4}, DOUBT, "low"),
    ],
)
def test_trust_rests_on_stability_repeats_real_images_and_doubts(
    changed: dict[str, Any], doubts: list[str], level: str
) -> None:
    findings: Findings = findings_of(cluster_doubts=doubts)
    assert trust_in(pattern(**changed), findings).level == level


@pytest.mark.parametrize("continuum", ["", "no number of clusters is found again"])
def test_partner_counts_if_it_is_clearly_more_similar_than_random_images(continuum: str) -> None:
    findings = findings_of(found_by_chance=0.94, continuum=continuum)
    assert trust_in(pattern(found_again=0.97), findings).level == "high"
    less = trust_in(pattern(found_again=0.96), findings)
    assert less.level == "moderate"
    words = "repeats find nothing that is clearly like it (similarity 0.96, random images 0.94)"
    assert words in less.line


def test_exemplar_is_trusted_for_its_repeats_and_real_images() -> None:
    findings = findings_of(continuum="no number of clusters is found again")
    assert trust_in(pattern(stability=None), findings) == (
        "high",
        "The nearest exemplar of 311 of 1,000 borderline images (31 %), at p = 0.48. Trust: high. "
        "All 5 repeats find it again and real test images lie near it.",
    )
    assert trust_in(pattern(near=0), findings).level == "moderate"
    assert trust_in(pattern(near=0, partners=2), findings).level == "low"


def test_every_condition_is_named() -> None:
    low = trust_in(
        pattern(stability=0.3, partners=0, repeats=0, near=0), findings_of(cluster_doubts=DOUBT)
    )
    assert low.line.endswith(
        "Trust: low. The cluster is not stable (0.30, below 0.6), no repeat found clusters, no "
        "real test image lies near it and the clustering is in doubt."
    )
    high = trust_in(pattern(), findings_of())
    assert high.line.endswith(
        "Trust: high. The cluster is stable (0.82), all 5 repeats find it again, real test "
        "images lie near it and nothing puts the clustering in doubt."
    )


@pytest.mark.parametrize(
    ("partners", "repeats", "words"),
    [
        (5, 5, "all 5 repeats find it again"),
        (2, 2, "both repeats find it again"),
        (1, 1, "the only repeat finds it again"),
        (3, 5, "only 3 of 5 repeats find it again"),
        (1, 5, "only 1 of 5 repeats finds it again"),
        (0, 5, "no repeat finds it again"),
    ],
)
def test_repeats_are_counted_in_words(partners: int, repeats: int, words: str) -> None:
    assert words in trust_in(pattern(partners=partners, repeats=repeats), findings_of()).line


def test_doubts_about_the_prototypes_alone_leave_the_clusters_trusted() -> None:
    findings = findings_of(doubts=["not significantly better than random images"])
    assert trust_in(pattern(), findings).level == "high"


def test_image_of_no_cluster_has_no_share() -> None:
    alone = pattern(cluster=-1, images=None, share=None, stability=None)
    assert trust_in(alone, findings_of()).line.startswith(
        "A single image that belongs to no cluster, prototype at p = 0.48. Trust: moderate."
    )
