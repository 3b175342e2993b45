"""UMAP, whose compiled functions are kept on disk for the next process."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def import_umap() -> Any:
    """The package ``umap``, with numba told to keep what it compiles.

    UMAP keeps only some of its functions; it compiles the others again in every process, which
    takes 12 seconds of a run. numba keeps them beside UMAP's source or in the user's cache, and
    compiles them again after an update. Where it can write to neither, nothing is kept.
    """
    import umap.layouts
    import umap.umap_
    import umap.utils

    for module in (umap.umap_, umap.utils, umap.layouts):
        for function in vars(module).values():
            if hasattr(function, "enable_caching") and not function.stats.cache_path:
                with suppress(RuntimeError):  # there is no place to write
                    function.enable_caching()
    return umap
