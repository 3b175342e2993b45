from __future__ import annotations

import pytest
import torch

from borderline.boundary import Pairs
from borderline.searching import pair_up

RANDOM = torch.Generator().manual_seed(0)
NEGATIVE, POSITIVE = torch.randn(30, 4, generator=RANDOM), torch.randn(7, 4, generator=RANDOM)


@pytest.mark.parametrize("how", ["random", "nearest"])
@pytest.mark.parametrize("count", [1, 5, 30, 100, 1000])
def test_no_pair_comes_twice(how: Pairs, count: int) -> None:
    negative, positive = pair_up(NEGATIVE, POSITIVE, count, how, "cosine", RANDOM)
    pairs = list(zip(negative.tolist(), positive.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) == min(count, 210)
    assert max(n for n, _ in pairs) < 30
    assert max(p for _, p in pairs) < 7


@pytest.mark.parametrize("sizes", [(4, 6), (6, 6), (5, 7), (1, 9)])
def test_random_pairs_run_through_all_there_are(sizes: tuple[int, int]) -> None:
    negative, positive = pair_up(
        *(torch.randn(size, 2) for size in sizes), 10_000, "random", "cosine", RANDOM
    )
    pairs = set(zip(negative.tolist(), positive.tolist(), strict=True))
    assert len(pairs) == len(negative) == sizes[0] * sizes[1]


def test_random_pairs_use_every_point_about_equally_often() -> None:
    negative, positive = pair_up(NEGATIVE, POSITIVE, 60, "random", "cosine", RANDOM)
    assert negative.bincount(minlength=30).tolist() == [2] * 30
    assert positive.bincount(minlength=7).max() <= 9


def test_nearest_pairs_are_the_nearest_by_brute_force() -> None:
    negative, positive = pair_up(NEGATIVE, POSITIVE, 7, "nearest", "euclidean", RANDOM)
    nearest = torch.cdist(POSITIVE, NEGATIVE).argmin(dim=1)
    assert sorted(positive.tolist()) == list(range(7))
    assert torch.equal(negative, nearest[positive])
    both = pair_up(POSITIVE, NEGATIVE, 7, "nearest", "euclidean", RANDOM)
    assert torch.equal(both[1], nearest[both[0]])


def test_first_pairs_are_no_nearer_than_the_last_ones() -> None:
    many = torch.randn(40, 2, generator=RANDOM), torch.randn(400, 2, generator=RANDOM)
    negative, positive = pair_up(*many, 4000, "nearest", "euclidean", RANDOM)
    distances = (many[0][negative] - many[1][positive]).norm(dim=1)
    assert distances[:2000].mean().item() == pytest.approx(distances[2000:].mean().item(), rel=0.15)
