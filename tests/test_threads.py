"""Independent calls in several threads."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from borderline.threads import side_by_side


@pytest.mark.parametrize("threads", [1, 3])
def test_results_have_the_order_of_the_items_and_one_thread_each(threads: int) -> None:
    def call(item: int) -> tuple[int, int]:
        np.ones((50, 50)) @ np.ones((50, 50))
        return item, max(library["num_threads"] for library in threadpool_info())

    before = threadpool_info()
    assert list(side_by_side(call, range(8), threads)) == [(item, 1) for item in range(8)]
    assert threadpool_info() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_calls_stop_where_nobody_asks_for_more(threads: int) -> None:
    begun = []
    with contextlib.closing(side_by_side(begun.append, range(10_000), threads)) as results:
        next(results)
    assert len(begun) < 10_000
    filters = list(warnings.filters)
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda item: 1 / item, [0, 1], threads))
    assert warnings.filters == filters
