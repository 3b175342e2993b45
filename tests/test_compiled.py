"""The functions that numba compiles for UMAP are kept for the next process."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from borderline import compiled as compiled_module
from borderline.compiled import _imported_umap, _pairwise_distances, import_umap
from borderline.pipelines.clustering.reductions import Reduction


def compiled(umap: ModuleType) -> dict[str, Any]:
    """The functions of UMAP that numba has compiled in this process, by their names."""
    modules = (umap.umap_, umap.utils, umap.layouts)
    functions = [value for module in modules for value in vars(module).values()]
    return {f.__qualname__: f for f in functions if hasattr(f, "enable_caching") and f.signatures}


def test_every_function_that_umap_compiles_is_kept() -> None:
    umap = import_umap()
    points = np.random.default_rng(0).random((40, 5), dtype=np.float32)
    reducer = umap.UMAP(n_neighbors=5, metric="cosine", n_epochs=5, random_state=0, n_jobs=1)
    reducer.fit(points).transform(points)
    functions = compiled(umap)
    assert {"smooth_knn_dist", "fast_knn_indices"} <= functions.keys()
    for name, function in functions.items():
        assert function.stats.cache_path, name
        # Each variant was read, or is written now.
        moves = (*function.stats.cache_hits.values(), *function.stats.cache_misses.values())
        assert sum(moves) >= len(function.signatures), name


def test_nothing_is_kept_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    umap = import_umap()

    def refuse() -> None:
        raise RuntimeError("cannot cache function: no locator available")

    class Stats:
        cache_path = None

    class Function:
        stats, enable_caching = Stats, staticmethod(refuse)

    monkeypatch.setattr(umap.utils, "refuses", Function(), raising=False)
    _imported_umap.cache_clear()
    assert import_umap() is umap


def test_nodes_in_threads_import_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _imported_umap.cache_clear()
    seen: list[Any] = []

    def keep(function: Any) -> None:
        seen.append(function)
        time.sleep(1e-4)  # lets the other threads go on

    monkeypatch.setattr(compiled_module, "_keep_compiled", keep)
    with ThreadPoolExecutor(4) as threads:
        packages = [each.result() for each in [threads.submit(import_umap) for _ in range(4)]]
    assert all(package is packages[0] for package in packages)
    modules = (packages[0].umap_, packages[0].utils, packages[0].layouts)
    assert len(seen) == sum(len(vars(module)) for module in modules)


def test_compiled_cosine_distances_have_the_bits_of_umaps_own() -> None:
    cosine = import_umap().distances.cosine
    x, y = (np.random.default_rng(0).normal(size=(n, 33)).astype(np.float32) for n in (12, 7))
    x[3] = y[2] = 0
    for pair in ((x,), (x, y)):
        ours = _pairwise_distances(*pair, metric=cosine)
        theirs = pairwise_distances(*pair, metric=cosine)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(
        _pairwise_distances(x, y, metric="euclidean"), pairwise_distances(x, y, metric="euclidean")
    )


def test_umaps_run_one_after_the_other_where_they_would_end_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    umap, pca = (Reduction(kind, {}) for kind in ("umap", "pca"))
    monkeypatch.setattr("borderline.pipelines.clustering.reductions.threads_of_node", lambda: 3)
    for layer, threads in (("omp", 3), ("tbb", 3), ("workqueue", 1)):
        monkeypatch.setattr("numba.threading_layer", lambda layer=layer: layer)
        assert (umap.threads, pca.threads) == (threads, 3)
