"""Catalog entries of imported files and pretrained weights, whose addresses are settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from borderline.grid import JUDGE, Layout
from borderline.imported.params import Source

IMPORTED_FILE = "imported_file"
"""The dataset name of the file of a model or generator."""
# The dataset of a source that is no single file.
_DATASETS = {"diffusers": "DiffusersFolder"}
PRETRAINED = "pretrained_weights"
"""The dataset name of the pretrained weights of a model that is trained here."""


def imported_files(
    models: Mapping[str, Source],
    generators: Mapping[str, Source],
    judge: Source | None,
    layout: Layout,
) -> dict[str, dict[str, Any]]:
    """One catalog entry per imported model, per imported generator of each model, and the judge."""
    places = [(name, f"models.{name}", source) for name, source in models.items()]
    places += [] if judge is None else [(JUDGE, JUDGE, judge)]
    for model in layout.models:
        for name, source in generators.items():
            places.append((f"{model}.{name}", f"generators.{name}", source))
    return {
        f"{owner}.{IMPORTED_FILE}": {
            "type": f"borderline.datasets.{_DATASETS.get(source.kind, 'ImportedFile')}",
            "filepath": source.path,
            "setting": f"{setting}.source.path",
            "metadata": {"kedro-viz": {"layer": "models under test"}},
            **({"credentials": source.credentials} if source.credentials else {}),
        }
        for owner, setting, source in places
    }


def pretrained_files(models: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """One catalog entry per model that starts from pretrained weights; each has their settings."""
    return {
        f"{name}.{PRETRAINED}": {
            "type": "borderline.datasets.PretrainedWeights",
            "kind": model.kind,
            "name": model.name,
            "filepath": model.weights,
            "setting": f"models.{name}.weights",
            "metadata": {"kedro-viz": {"layer": "models under test"}},
        }
        for name, model in models.items()
    }
