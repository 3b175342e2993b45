"""Catalog dataset classes: image sources, tensors, checkpoints, and files never half-written.

Each class is imported when it is first used, so that a start does not pay for all of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from borderline.datasets.checkpoints import CheckpointDataset as CheckpointDataset
    from borderline.datasets.checkpoints import CheckpointFolder as CheckpointFolder
    from borderline.datasets.diffusers_folder import DiffusersFolder as DiffusersFolder
    from borderline.datasets.figures import FigureFolder as FigureFolder
    from borderline.datasets.figures import MatplotlibDataset as MatplotlibDataset
    from borderline.datasets.figures import OptionalMatplotlibDataset as OptionalMatplotlibDataset
    from borderline.datasets.figures import PlotlyDataset as PlotlyDataset
    from borderline.datasets.files import AnswerFolder as AnswerFolder
    from borderline.datasets.files import CSVDataset as CSVDataset
    from borderline.datasets.files import JSONDataset as JSONDataset
    from borderline.datasets.files import OptionalJSONDataset as OptionalJSONDataset
    from borderline.datasets.files import PickleDataset as PickleDataset
    from borderline.datasets.files import TextDataset as TextDataset
    from borderline.datasets.image_source import ImageSource as ImageSource
    from borderline.datasets.imported_file import ImportedFile as ImportedFile
    from borderline.datasets.inception import InceptionDataset as InceptionDataset
    from borderline.datasets.installation import Installation as Installation
    from borderline.datasets.library_networks import PretrainedWeights as PretrainedWeights
    from borderline.datasets.models import ModelDataset as ModelDataset
    from borderline.datasets.own_images import OwnImages as OwnImages
    from borderline.datasets.study_storage import StudyStorage as StudyStorage
    from borderline.datasets.suite_folder import SuiteFolder as SuiteFolder
    from borderline.datasets.suite_folder import SuiteFolders as SuiteFolders
    from borderline.datasets.tensors import TensorDataset as TensorDataset
    from borderline.datasets.tensors import TensorFolder as TensorFolder

_MODULES = {
    "checkpoints": ("CheckpointDataset", "CheckpointFolder"),
    "diffusers_folder": ("DiffusersFolder",),
    "figures": (
        *("FigureFolder", "MatplotlibDataset", "OptionalMatplotlibDataset", "PlotlyDataset"),
    ),
    "files": (
        *("AnswerFolder", "CSVDataset", "JSONDataset", "OptionalJSONDataset", "PickleDataset"),
        "TextDataset",
    ),
    "image_source": ("ImageSource",),
    "imported_file": ("ImportedFile",),
    "inception": ("InceptionDataset",),
    "installation": ("Installation",),
    "library_networks": ("PretrainedWeights",),
    "models": ("ModelDataset",),
    "own_images": ("OwnImages",),
    "study_storage": ("StudyStorage",),
    "suite_folder": ("SuiteFolder", "SuiteFolders"),
    "tensors": ("TensorDataset", "TensorFolder"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
