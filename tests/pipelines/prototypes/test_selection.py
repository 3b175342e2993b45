from __future__ import annotations

import pytest
import torch

from borderline.pipelines.prototypes.selection import medoids


def test_medoid_is_the_member_with_the_least_sum_of_distances() -> None:
    random = torch.Generator().manual_seed(0)
    points = torch.randn(50, 3, generator=random)
    labels = torch.randint(0, 4, (50,), generator=random)
    for cluster, row in enumerate(medoids(points, labels).tolist()):
        assert labels[row] == cluster
        sums = {
            i: sum((points[i] - points[j]).norm().item() for j in range(50) if labels[j] == cluster)
            for i in range(50)
            if labels[i] == cluster
        }
        assert sums[row] == pytest.approx(min(sums.values()))


def test_outlier_does_not_move_a_medoid() -> None:
    points = torch.tensor([[0.0], [1.0], [2.0], [1000.0]])
    assert medoids(points, torch.zeros(4, dtype=torch.long)).item() in (1, 2)


def test_noise_and_nothing_have_no_medoids() -> None:
    assert medoids(torch.zeros(3, 2), torch.full((3,), -1)).tolist() == []
    assert medoids(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)).tolist() == []
    assert medoids(torch.tensor([[0.0], [9.0]]), torch.tensor([-1, 0])).tolist() == [1]
