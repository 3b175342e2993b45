"""The catalog's entries of what was trained elsewhere, whose places are settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from borderline.grid import Layout
from borderline.imported.params import Source

IMPORTED_FILE = "imported_file"
"""The dataset of a model or a generator that is its file."""


def imported_files(
    models: Mapping[str, Source], generators: Mapping[str, Source], layout: Layout
) -> dict[str, dict[str, Any]]:
    """An entry for the file of each imported model, and of each imported generator of each model.

    Args:
        models: Where each imported model comes from.
        generators: Where each imported generator comes from.
        layout: The grid.
    """
    places = {f"models.{name}": (name, source) for name, source in models.items()}
    for model in layout.models:
        for name, source in generators.items():
            places[f"{model}: generators.{name}"] = (f"{model}.{name}", source)
    return {
        f"{owner}.{IMPORTED_FILE}": {
            "type": "borderline.datasets.ImportedFile",
            "filepath": source.path,
            "setting": f"{setting.rpartition(': ')[2]}.source.path",
            "metadata": {"kedro-viz": {"layer": "models under test"}},
            **({"credentials": source.credentials} if source.credentials else {}),
        }
        for setting, (owner, source) in places.items()
    }
