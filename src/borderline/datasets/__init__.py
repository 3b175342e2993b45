"""Catalog dataset classes: image sources, tensors, checkpoints, and files never half-written.

Each class is imported when it is first used, so that a start does not pay for all of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from borderline.datasets.checkpoints import CheckpointDataset, CheckpointFolder
    from borderline.datasets.figures import FigureFolder, MatplotlibDataset, PlotlyDataset
    from borderline.datasets.files import CSVDataset, JSONDataset, PickleDataset, TextDataset
    from borderline.datasets.image_source import ImageSource
    from borderline.datasets.imported_file import ImportedFile
    from borderline.datasets.inception import InceptionDataset
    from borderline.datasets.installation import Installation
    from borderline.datasets.study_storage import StudyStorage
    from borderline.datasets.tensors import TensorDataset, TensorFolder

__all__ = [
    "CSVDataset",
    "CheckpointDataset",
    "CheckpointFolder",
    "FigureFolder",
    "ImageSource",
    "ImportedFile",
    "InceptionDataset",
    "Installation",
    "JSONDataset",
    "MatplotlibDataset",
    "PickleDataset",
    "PlotlyDataset",
    "StudyStorage",
    "TensorDataset",
    "TensorFolder",
    "TextDataset",
]

_MODULES = {
    "checkpoints": ("CheckpointDataset", "CheckpointFolder"),
    "figures": ("FigureFolder", "MatplotlibDataset", "PlotlyDataset"),
    "files": ("CSVDataset", "JSONDataset", "PickleDataset", "TextDataset"),
    "image_source": ("ImageSource",),
    "imported_file": ("ImportedFile",),
    "inception": ("InceptionDataset",),
    "installation": ("Installation",),
    "study_storage": ("StudyStorage",),
    "tensors": ("TensorDataset", "TensorFolder"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
