"""UMAP with compiled distances, whose functions are kept on disk and may run side by side."""

from __future__ import annotations

import functools
import threading
from contextlib import suppress
from types import FunctionType
from typing import Any

import numpy as np

_importing = threading.Lock()


def import_umap() -> Any:
    """The package ``umap``, with numba told to keep what it compiles.

    UMAP keeps only some of its functions; it compiles the others again in every process, which
    takes 12 seconds of a run. numba keeps them beside UMAP's source or in the user's cache, and
    compiles them again after an update. Where it can write to neither, nothing is kept. The
    optimisation of the layout releases the interpreter's lock: it only changes its own arrays.

    Up to 4,095 rows UMAP lets scikit-learn compute all distances, which calls a compiled function
    from Python for each pair. Here one compiled loop computes its cosine distances.
    """
    # Nodes may run in threads, and the first import changes UMAP's modules.
    with _importing:
        return _imported_umap()


@functools.cache
def _imported_umap() -> Any:
    import numba
    import umap.layouts
    import umap.umap_
    import umap.utils

    if not umap.layouts._nb_optimize_layout_euclidean_single_epoch.targetoptions.get("nogil"):
        layout = umap.layouts._optimize_layout_euclidean_single_epoch
        unlocked = FunctionType(layout.__code__, layout.__globals__)
        # Another name, because numba finds on disk what it compiled with the lock.
        unlocked.__qualname__ = f"{layout.__name__}_unlocked"
        compiled = numba.njit(fastmath=True, nogil=True)(unlocked)
        umap.layouts._nb_optimize_layout_euclidean_single_epoch = compiled
    for module in (umap.umap_, umap.utils, umap.layouts):
        for function in list(vars(module).values()):
            _keep_compiled(function)
    umap.umap_.pairwise_distances = _pairwise_distances
    return umap


def umaps_run_side_by_side() -> bool:
    """Whether several threads may fit a UMAP at the same time.

    UMAP's graph is made by numba's threads, even if it is only one. Without OpenMP and TBB numba
    has a pool of its own, which ends the process when two threads use it.
    """
    import numba

    import_umap()  # before the threads, because it changes UMAP's modules
    numba.get_num_threads()  # starts the threads, whose kind is unknown before
    layer = numba.threading_layer()  # type: ignore[attr-defined]
    return bool(layer != "workqueue")


def _keep_compiled(function: Any) -> None:
    if hasattr(function, "enable_caching") and not function.stats.cache_path:
        with suppress(RuntimeError):  # there is no place to write
            function.enable_caching()


def _pairwise_distances(
    x: np.ndarray, y: np.ndarray | None = None, *, metric: Any, **settings: Any
) -> np.ndarray:
    """``sklearn.metrics.pairwise_distances``; the same bits sooner for UMAP's cosine distance."""
    from sklearn.metrics import pairwise_distances
    from umap.distances import cosine

    if metric is not cosine:
        return np.asarray(pairwise_distances(x, y, metric=metric, **settings))
    return np.asarray(_cosine_distances()(x, x if y is None else y))


@functools.cache
def _cosine_distances() -> Any:
    """A compiled function of float32 rows (N, D) and (M, D): their cosine distances (N, M)."""
    import numba

    @numba.njit
    def squares(rows: Any) -> Any:
        norms = np.zeros(len(rows))
        for row in range(len(rows)):
            for value in rows[row]:
                norms[row] += value**2
        return norms

    @numba.njit
    def distances(x: Any, y: Any) -> Any:
        of_x, of_y, columns = squares(x), squares(y), np.ascontiguousarray(y.T)
        found = np.zeros((len(x), len(y)))
        for i in range(len(x)):
            # The terms of each sum come in UMAP's order, so the bits are the same; with the rows of
            # y in the inner loop, the processor adds several sums at a time.
            for d in range(x.shape[1]):
                for j in range(len(y)):
                    found[i, j] += x[i, d] * columns[d, j]
            for j in range(len(y)):
                if of_x[i] == 0 or of_y[j] == 0:
                    found[i, j] = 0.0 if of_x[i] == of_y[j] else 1.0
                else:
                    found[i, j] = 1 - found[i, j] / np.sqrt(of_x[i] * of_y[j])
        return found.astype(x.dtype)

    for function in (squares, distances):
        _keep_compiled(function)
    return distances
