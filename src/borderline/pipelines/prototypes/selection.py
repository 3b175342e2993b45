"""Which image stands for a cluster."""

from __future__ import annotations

import torch
from torch import Tensor


def medoids(points: Tensor, labels: Tensor) -> Tensor:
    """The medoid of each cluster: the member with the smallest sum of distances to all members.

    In the reduced space, this is the prototype of Gomes et al. 2024.

    Args:
        points: Shape (N, d).
        labels: Clusters, shape (N,), from 0; -1 for none.

    Returns:
        The row of each cluster's medoid, shape (clusters,), the first of equals; empty when there
        are no clusters.
    """
    clusters = int(labels.max()) + 1 if len(labels) else 0
    rows = torch.empty(clusters, dtype=torch.long)
    for cluster in range(clusters):
        members = (labels == cluster).nonzero()[:, 0]
        own = points[members].double()
        rows[cluster] = members[torch.cdist(own, own).sum(1).argmin()]
    return rows
