"""UMAP, whose compiled functions are kept on disk and may run side by side."""

from __future__ import annotations

from contextlib import suppress
from types import FunctionType
from typing import Any


def import_umap() -> Any:
    """The package ``umap``, with numba told to keep what it compiles.

    UMAP keeps only some of its functions; it compiles the others again in every process, which
    takes 12 seconds of a run. numba keeps them beside UMAP's source or in the user's cache, and
    compiles them again after an update. Where it can write to neither, nothing is kept. The
    optimisation of the layout releases the interpreter's lock: it only changes its own arrays.
    """
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
        for function in vars(module).values():
            if hasattr(function, "enable_caching") and not function.stats.cache_path:
                with suppress(RuntimeError):  # there is no place to write
                    function.enable_caching()
    return umap
