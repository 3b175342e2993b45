"""A folder of figures, one an epoch."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kedro_datasets._typing import ImagePreview
from kedro_datasets.partitions.partitioned_dataset import PartitionedDataset

from borderline.datasets.atomic import MatplotlibDataset


class FigureFolder(PartitionedDataset):
    """Figures by name, each saved as a PNG; kedro-viz shows the one that sorts last.

    Args:
        path: The folder.
        metadata: Ignored here; read by kedro-viz.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(
            path=path, dataset=MatplotlibDataset, filename_suffix=".png", metadata=metadata
        )

    def preview(self) -> ImagePreview:
        """The last figure, base64-encoded."""
        last = max(self._list_partitions())
        return ImagePreview(base64.b64encode(Path(last).read_bytes()).decode())
