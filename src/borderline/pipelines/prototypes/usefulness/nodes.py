"""Nodes that ask whether the patterns help: errors near them, abstaining near them."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.measures.confusion import confusion_distance
from borderline.measures.inference import embed, predict
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import cosine_distances, directions
from borderline.pipelines.prototypes.choosing.repetition import Clusters
from borderline.pipelines.prototypes.usefulness.figures import draw_rejection
from borderline.pipelines.prototypes.usefulness.rejection import (
    CONFIDENCE,
    NAMES,
    compare_rejection,
    errors_near,
    risks,
    with_bounds,
)
from borderline.records import LabelledImages

# Below this p-value of typicality, a test image is near no cluster.
_OUTLIER = 0.05


def evaluate_patterns(
    prototypes: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    selections: dict[str, Tensor],
    cluster_model: Clusters,
    cluster_sizes: pd.DataFrame,
    pair_test: LabelledImages,
    classifier: nn.Module,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Whether the patterns help: errors of the model near them, and abstaining near them.

    Returns:
        The model's real test errors near each cluster; one row a way to abstain; and their
        risk-coverage curves.
    """
    device = run.torch_device()
    p = predict(classifier, pair_test["images"], device)
    wrong = ((p > 0.5).long() != pair_test["labels"]).numpy()
    test = embed(classifier, pair_test["images"], device).numpy()
    labels, _, _ = cluster_model.assign(test)
    near = cluster_model.typicality(test) >= _OUTLIER
    table = errors_near(labels, near, wrong, len(cluster_sizes))
    scores = {CONFIDENCE: confusion_distance(p).double().numpy()}
    if len(prototypes["rows"]):
        own, borderline = directions(test), embeddings["embeddings"].numpy()
        to_prototypes, to_borderline = (
            cosine_distances(own, directions(borderline[rows.numpy()])).min(1)
            for rows in (prototypes["rows"], selections["candidates"])
        )
        scores |= {"prototypes": to_prototypes, "borderline_images": to_borderline}
        ranks = [pd.Series(s).rank().to_numpy() for s in (scores[CONFIDENCE], to_prototypes)]
        scores["confidence_and_prototypes"] = ranks[0] + ranks[1]
    compared = compare_rejection(scores, wrong, run.seed_for("rejection"))
    risked = {name: risks(own, wrong) for name, own in with_bounds(scores, wrong).items()}
    areas = compared.set_index("abstains_by")["aurc"]
    shown = {name: f"{NAMES[name]} (area {areas[name]:.4f})" for name in risked}
    title = f"Abstaining near patterns: {int(wrong.sum())} errors in {len(wrong)} real test images"
    return table, compared, draw_rejection(risked, shown, title)
