"""The node that evaluates the use of the patterns: errors near them, and abstaining near them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from borderline import records
    from borderline.params import RunParams
    from borderline.pipelines.prototypes.cluster_model import ClusterModel

# Below this p-value of typicality, a test image is near no cluster.
_OUTLIER = 0.05


def evaluate_patterns(
    prototypes: records.Prototypes,
    embeddings: records.Embeddings,
    selections: records.Selections,
    cluster_model: ClusterModel,
    cluster_sizes_table: pd.DataFrame,
    pair_test: records.LabelledImages,
    real_view: records.RealView,
    *,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Evaluate the use of the patterns on the real test images.

    Returns:
        The model's errors near each cluster; one row a way to abstain; and the risk-coverage
        curves.
    """
    from borderline.pipelines.prototypes.usefulness import figures, rejection
    from borderline.pipelines.prototypes.usefulness.errors import errors_near

    p, test = real_view["test_p"], real_view["test_embeddings"].numpy()
    wrong = ((p > 0.5).long() != pair_test["labels"]).numpy()
    labels, _, _ = cluster_model.assign(test)
    near = cluster_model.typicality(test) >= _OUTLIER
    errors = errors_near(labels, near, wrong, len(cluster_sizes_table))
    vectors = embeddings["embeddings"].numpy()
    rows = (prototypes["rows"].numpy(), selections["candidates"].numpy())
    scores = rejection.scores_of(p, test, *(vectors[each] for each in rows))
    table = rejection.compare_rejection(scores, wrong, run.seed_for("rejection"))
    return errors, table, figures.draw_rejection(scores, table, wrong)
