from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom

from borderline.pipelines.prototypes.usefulness.errors import errors_near


def test_errors_are_counted_near_each_cluster() -> None:
    near = np.array([0, 0, 0, 1, 1, -1, -1, -1, -1, -1])
    wrong = np.array([True, True, False, False, False, True, False, False, True, False])
    table = errors_near(near, wrong, 3).set_index("cluster")
    assert table["images"].to_dict() == {"0": 3, "1": 2, "2": 0, "any": 5, "none": 5}
    assert table["errors"].to_dict() == {"0": 2, "1": 0, "2": 0, "any": 2, "none": 2}
    assert table["share_of_errors"]["0"] == 0.5
    assert table["lift"]["0"] == pytest.approx((2 / 3) / 0.4)
    assert math.isnan(table["error_rate"]["2"])
    # Two or more of the four errors among three of ten images.
    assert table["p_value"]["0"] == pytest.approx(hypergeom.sf(1, 10, 4, 3))


def test_no_errors_have_no_share() -> None:
    table = errors_near(np.zeros(4, dtype=int), np.zeros(4, dtype=bool), 1)
    assert table["share_of_errors"].isna().all()


def test_no_clusters_have_no_errors_near() -> None:
    table = errors_near(np.full(4, -1), np.ones(4, dtype=bool), 0)
    assert table["cluster"].tolist() == ["any"]
    assert table["share_of_errors"].isna().all()


def test_errors_of_groups_are_less_certain() -> None:
    wrong, near = np.arange(40) < 8, np.where(np.arange(40) < 10, 0, -1)
    clusters = near, wrong, 1
    plain, alone = errors_near(*clusters), errors_near(*clusters, torch.arange(40))
    grouped = errors_near(*clusters, torch.arange(40) // 10).set_index("cluster")
    assert plain.equals(alone[plain.columns])
    assert grouped["lift"]["0"] == plain["lift"][0]
    assert grouped["p_value"]["0"] > 0.1 > plain["p_value"][0]
    ends = [f"share_of_{what}_{end}" for what in ("images", "errors") for end in ("low", "high")]
    assert list(alone)[-4:] == ends
    assert grouped["share_of_images_low"]["any"] < alone["share_of_images_low"][1]
