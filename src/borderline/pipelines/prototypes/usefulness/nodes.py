"""Nodes that evaluate the patterns: on real test images, and by the verdicts on their images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from borderline import records

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from borderline.boundary import Boundary
    from borderline.committee import Committee
    from borderline.params import RunParams
    from borderline.pipelines.prototypes.cluster_model import ClusterModel
    from borderline.verdicts.params import VerdictsParams


def judge_patterns(
    verdicts_table: pd.DataFrame,
    clusters: records.Clusters,
    cluster_sizes_table: pd.DataFrame,
    committee: Committee,
    held_out: records.HeldOut,
    pair_test: records.LabelledImages,
    real_view: records.RealView,
    boundary: Boundary,
    *,
    verdicts: VerdictsParams,
    run: RunParams,
) -> pd.DataFrame:
    """The shares of the verdicts among the images of each cluster, and among the real test images
    in the band; see ``share_verdicts`` and ``share_real_verdicts``."""
    import pandas as pd

    from borderline.measures.confusion import is_borderline
    from borderline.pipelines.prototypes.usefulness import verdicts as shares
    from borderline.records import take_rows
    from borderline.verdicts.rule import judge_test_images

    found, labels = verdicts_table["verdict"].to_numpy(dtype=str), clusters["labels"].numpy()
    of_clusters = shares.share_verdicts(found, labels, len(cluster_sizes_table))
    rows = is_borderline(real_view["test_p"], boundary).nonzero()[:, 0]
    real = take_rows(pair_test, rows)
    judged = judge_test_images(
        real["images"], rows, committee, held_out, verdicts, run.torch_device()
    )["verdict"].to_numpy(dtype=str)
    of_real = shares.share_real_verdicts(judged, real.get("groups"))
    return pd.concat([of_clusters, of_real], ignore_index=True)


def evaluate_patterns(
    prototypes: records.Prototypes,
    embeddings: records.Embeddings,
    selections: records.Selections,
    cluster_model: ClusterModel,
    cluster_sizes_table: pd.DataFrame,
    pair_test: records.LabelledImages,
    real_view: records.RealView,
    boundary: Boundary,
    *,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Count the real test errors near each cluster, and compare and draw the ways to abstain."""
    import numpy as np

    from borderline.measures.confusion import is_positive
    from borderline.measures.near import near_clusters
    from borderline.pipelines.prototypes.usefulness import rejection
    from borderline.pipelines.prototypes.usefulness.errors import errors_near

    p, test = real_view["test_p"], real_view["test_embeddings"].numpy()
    wrong = (is_positive(p, boundary).long() != pair_test["labels"]).numpy()
    near, groups = near_clusters(cluster_model, test), pair_test.get("groups")
    # A cluster of other generators' images has no prototype, so no user knows it.
    near[np.isin(near, np.flatnonzero(cluster_sizes_table["images"] == 0))] = -1
    errors = errors_near(near, wrong, len(cluster_sizes_table), groups)
    rows = prototypes["rows"], selections["candidates"]
    chosen, candidates = (embeddings["embeddings"][some].numpy() for some in rows)
    scores = rejection.scores_of(p, boundary, test, chosen, candidates)
    table = rejection.compare_rejection(scores, wrong, run.seed_for("rejection"), groups)
    return errors, table, rejection.draw_rejection(scores, table, wrong)
