from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from borderline.committee import Committee
from borderline.findings import VERDICTS
from borderline.measures.intervals import estimate_of_share
from borderline.params import RunParams
from borderline.pipelines.prototypes.usefulness.nodes import judge_patterns
from borderline.pipelines.prototypes.usefulness.verdicts import share_verdicts
from borderline.records import Clusters, LabelledImages
from borderline.verdicts.params import VerdictsParams
from conftest import BOUNDARY, base_settings


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


class Member(nn.Module):
    """A judge over three classes that is sure of class 2 where an image is bright, else split."""

    def forward(self, images: Tensor) -> Tensor:
        bright = (images.mean((1, 2, 3)) > 0).float()
        return torch.stack([torch.zeros_like(bright), torch.full_like(bright, -9), 9 * bright], 1)


def judged(groups: Tensor | None = None, members: int = 1) -> pd.DataFrame:
    """The table of 40 images in two clusters, and of 30 test images of which 20 are in the band: 15
    bright ones and 5 dark ones."""
    clusters: Clusters = {
        "labels": torch.tensor([0] * 20 + [1] * 20),
        "probability": torch.ones(40),
        "reduced": torch.zeros(40, 2),
    }
    bright = torch.tensor([1.0] * 15 + [-1.0] * 5 + [1.0] * 10)[:, None, None, None]
    test: LabelledImages = {"images": bright.expand(-1, 1, 2, 2), "labels": torch.zeros(30)}
    if groups is not None:
        test["groups"] = groups
    distances = {
        f"{space}_{which}": torch.linspace(1, 2, 30)
        for space in ("feature", "pixel")
        for which in ("neighbour", "nearest")
    }
    committee = Committee(
        members=(Member(),) * members, classes=("0", "1", "2"), positive=2, negative=0
    )
    return judge_patterns(
        pd.DataFrame({"verdict": ["weakness"] * 20 + ["unrealistic"] * 20}),
        clusters,
        pd.DataFrame({"cluster": [0, 1]}),
        committee,
        {**distances, "train_features": torch.empty(0, 2)},  # type: ignore[typeddict-item]
        test,
        {"test_p": torch.tensor([0.5] * 20 + [0.9] * 10)},  # type: ignore[typeddict-item]
        BOUNDARY,
        verdicts=VerdictsParams.model_validate(base_settings()["verdicts"]),
        run=RunParams(seed=0, device="cpu"),
    )


def test_node_takes_the_verdicts_and_the_labels() -> None:
    assert prevailing(judged()) == {"0": "weakness", "1": "unrealistic", "real": "weakness"}


def test_real_images_in_the_band_have_verdicts_of_the_same_rule() -> None:
    real = judged().query("cluster == 'real'").set_index("verdict")
    assert set(real["of"]) == {20}
    # The first image is as near to a training image as the nearest of all test images.
    counts = real["images"].to_dict()
    assert (counts["memorised"], counts["weakness"], counts["ambiguous"]) == (1, 14, 5)
    assert tuple(real.loc["ambiguous", ["share", "low", "high"]]) == tuple(estimate_of_share(5, 20))
    # Four patients: the dark images are all of one.
    by_patient = judged(torch.arange(30) // 5).query("cluster == 'real'").set_index("verdict")
    assert by_patient.loc["ambiguous", "high"] > real.loc["ambiguous", "high"]


def test_an_encoder_without_a_head_leaves_real_images_undecided() -> None:
    real = judged(members=0).query("cluster == 'real'").set_index("verdict")
    assert (real.loc["undecided", "images"], real.loc["weakness", "images"]) == (19, 0)
