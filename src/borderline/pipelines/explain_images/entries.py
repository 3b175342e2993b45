"""The folder of ``images``: its entry in the catalog, and the name of its results."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from borderline.datasets.buckets import located
from borderline.names import folder_name

OWN_IMAGES = "own_images"
"""The dataset of the images of the user."""
_NONE = "images"


def own_images_entry(
    images: str | None, source: dict[str, Any], project: Path
) -> dict[str, dict[str, Any]]:
    """The entry of the catalog for the images; they are read as those of the ``source`` are."""
    alike = ("fit", "range", "most_megapixels")
    entry = {
        "type": "borderline.datasets.OwnImages",
        "path": images and located(images, project),
        **{name: source[name] for name in alike if source.get(name) is not None},
        "metadata": {"kedro-viz": {"layer": "images"}},
    }
    return {OWN_IMAGES: entry}


def name_of_results(images: str | None, project: Path) -> str:
    """The name of the folder of the results: that of the images, and a digest of the whole path.

    Two folders of one name have results of their own.

    Example:
        >>> name_of_results("scans/photos", Path("/project"))
        'photos_b0dcc954'
    """
    if images is None:
        return _NONE
    path = located(images, project).rstrip("/")
    digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{folder_name(path.rpartition('/')[2])}_{digest}"
