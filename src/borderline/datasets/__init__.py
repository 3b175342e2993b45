"""Catalog dataset classes: image sources, tensors, checkpoints, and files never half-written."""

from borderline.datasets.atomic import (
    CSVDataset,
    JSONDataset,
    MatplotlibDataset,
    PickleDataset,
    TextDataset,
)
from borderline.datasets.checkpoints import CheckpointDataset, CheckpointFolder
from borderline.datasets.figures import FigureFolder, PlotlyDataset
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
