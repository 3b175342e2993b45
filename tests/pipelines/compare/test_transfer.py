from __future__ import annotations

import numpy as np
import pytest

from borderline.pipelines.compare.transfer import OPEN, OWN, SHARED, OtherModel, carry_over
from conftest import BOUNDARY, findings_of

LABELS = np.repeat([0, 1, 2], 40)
REAL = np.r_[np.linspace(0, 0.3, 50), np.linspace(0.7, 1, 50)]


def other_model(p: np.ndarray, prototypes: int = 2) -> OtherModel:
    embeddings = np.eye(3)[LABELS]
    return OtherModel(p, embeddings, np.eye(3)[[2, 0]][:prototypes], REAL, BOUNDARY)


def test_pattern_is_shared_where_the_other_is_unsure_of_most_of_it() -> None:
    # Sure of the first, unsure of the second, and unsure of half of the third.
    p = np.r_[np.full(40, 0.99), np.full(40, 0.55), np.tile([0.5, 0.01], 20)]
    table = carry_over("a", findings_of(3), LABELS, other_model(p), 0.05)
    assert table["verdict"].tolist() == [OWN, SHARED, OPEN]
    assert table["unsure"].tolist() == [0, 1, 0.5]
    assert table["borderline"].tolist() == [0, 1, 0.5]
    assert table["mean_p"].tolist() == pytest.approx([0.99, 0.55, 0.255])
    assert table["nearest"].tolist()[0] == 1
    assert table["nearest_share"].tolist()[0] == 1
    assert (table["low"] <= table["unsure"]).all()


def test_unsure_is_relative_to_the_real_images() -> None:
    p = np.full(len(LABELS), 0.29)
    alike = carry_over("a", findings_of(3), LABELS, other_model(p), 0.1)
    surest = other_model(p)._replace(real_p=np.full(100, 0.5))
    assert set(alike["verdict"]) == {SHARED}
    assert set(carry_over("a", findings_of(3), LABELS, surest, 0.1)["verdict"]) == {OWN}


def test_a_few_images_settle_nothing() -> None:
    labels = np.array([0, 0, 1, 1])
    others = OtherModel(np.full(4, 0.5), np.eye(4), np.zeros((0, 4)), REAL, BOUNDARY)
    table = carry_over("a", findings_of(2), labels, others, 0.05)
    assert table["verdict"].tolist() == [OPEN, OPEN]
    assert table["nearest"].tolist() == [-1, -1]


def test_no_patterns_leave_an_empty_table() -> None:
    assert len(carry_over("a", findings_of(0), LABELS, other_model(np.full(120, 0.5)), 0.05)) == 0


def test_model_that_is_sure_of_everything_shares_nothing() -> None:
    saturated = other_model(np.ones(len(LABELS)))._replace(real_p=np.ones(100))
    assert set(carry_over("a", findings_of(3), LABELS, saturated, 0.05)["verdict"]) == {OWN}


def test_cluster_with_two_prototypes_counts_once() -> None:
    findings = findings_of(3)
    twice = findings.model_copy(
        update={
            "patterns": tuple(
                pattern.model_copy(update={"cluster": cluster})
                for pattern, cluster in zip(findings.patterns, (0, 0, -1), strict=True)
            )
        }
    )
    table = carry_over("a", twice, LABELS, other_model(np.full(120, 0.5)), 0.05)
    assert table["pattern"].tolist() == [0]
