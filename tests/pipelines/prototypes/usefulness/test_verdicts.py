from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from borderline.findings import VERDICTS
from borderline.measures.intervals import estimate_of_share
from borderline.pipelines.prototypes.usefulness.nodes import judge_patterns
from borderline.pipelines.prototypes.usefulness.verdicts import share_verdicts
from borderline.records import Clusters


def prevailing(table: pd.DataFrame) -> dict[str, str]:
    rows = table[table["prevails"]]
    return dict(zip(rows["cluster"], rows["verdict"], strict=True))


def test_verdict_prevails_if_its_interval_is_above_the_other_shares() -> None:
    verdicts = np.array(
        ["weakness"] * 60 + ["ambiguous"] * 40 + ["weakness"] * 6 + ["ambiguous"] * 4
    )
    labels = np.repeat([0, 1], [100, 10])
    table = share_verdicts(verdicts, labels, 2)
    assert prevailing(table) == {"0": "weakness", "all": "weakness"}
    row = table[(table["cluster"] == "0") & (table["verdict"] == "weakness")].iloc[0]
    assert (row["images"], row["of"]) == (60, 100)
    assert tuple(row[["share", "low", "high"]]) == tuple(estimate_of_share(60, 100))


def test_shares_of_a_cluster_add_up_and_all_has_the_noise_too() -> None:
    random = np.random.default_rng(0)
    verdicts = random.choice(list(VERDICTS), 90)
    labels = random.integers(-1, 3, 90)
    table = share_verdicts(verdicts, labels, 3)
    assert np.allclose(table.groupby("cluster")["share"].sum(), 1)
    assert table.groupby("cluster")["of"].first()["all"] == 90
    assert table.groupby("cluster")["of"].first()["1"] == (labels == 1).sum()


def test_without_clusters_or_images_there_are_the_rows_of_all() -> None:
    table = share_verdicts(np.array(["weakness"] * 3), np.full(3, -1), 0)
    assert set(table["cluster"]) == {"all"}
    empty = share_verdicts(np.array([], dtype=str), np.array([], dtype=int), 0)
    assert empty["share"].isna().all()
    assert not empty["prevails"].any()


def test_node_takes_the_verdicts_and_the_labels() -> None:
    clusters: Clusters = {
        "labels": torch.tensor([0] * 20 + [1] * 20),
        "probability": torch.ones(40),
        "reduced": torch.zeros(40, 2),
    }
    verdicts = pd.DataFrame({"verdict": ["weakness"] * 20 + ["unrealistic"] * 20})
    table = judge_patterns(verdicts, clusters, pd.DataFrame({"cluster": [0, 1]}))
    assert prevailing(table) == {"0": "weakness", "1": "unrealistic"}
