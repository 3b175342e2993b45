"""The marks by which the catalog tells the hooks what to do with a dataset."""

from __future__ import annotations

from typing import Any


def has_mark(dataset: Any, mark: str) -> bool:
    """Whether a catalog entry has a mark: ``metadata: {borderline: {<mark>: true}}``.

    Args:
        dataset: The dataset; None for one that is not in the catalog.
        mark: ``artifact``: the tracker keeps the file. ``page``: the run ends with its address.
            ``private``: no tracker gets it.
            ``summary``: the run ends with this table. ``gate``: the run fails where this table has
            a limit that does not hold. ``scores``: the tracker gives each row of this table to the
            generator of its column ``source``.
    """
    metadata = getattr(dataset, "metadata", None) or {}
    return bool(metadata.get("borderline", {}).get(mark))
