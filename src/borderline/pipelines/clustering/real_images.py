"""The clusters that borderline real images join."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from borderline.measures.confusion import is_borderline
from borderline.pipelines.clustering.recipe import ClusterModel, NoClusters
from borderline.records import RealView

REAL_COLUMNS = ("row", "label", "p", "cluster", "probability", "typicality")


def assign_borderline(
    labels: Tensor, view: RealView, model: ClusterModel | NoClusters, band: float
) -> pd.DataFrame:
    """Assign the borderline real test images, whose classes are ``labels`` (M,), to clusters.

    Returns:
        By ``REAL_COLUMNS``: the ``row`` among the test images, the class and p, the ``cluster``
        (-1 for none), the ``probability`` of it, and the ``typicality`` among clustered images;
        sorted by cluster, the most probable first.
    """
    rows = is_borderline(view["test_p"], band).nonzero()[:, 0]
    vectors = view["test_embeddings"][rows].numpy()
    clusters, probability, typicality = np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)
    if len(rows):
        clusters, probability, _ = model.assign(vectors)
        typicality = model.typicality(vectors)
    order = np.lexsort((-probability, clusters))
    of_images = (rows.numpy(), labels[rows].numpy(), view["test_p"][rows].numpy())
    values = (*of_images, clusters, probability, typicality)
    columns = (value[order] for value in values)
    return pd.DataFrame(dict(zip(REAL_COLUMNS, columns, strict=True)))
