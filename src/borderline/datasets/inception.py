"""Inception v3, whose weights come from a file or are downloaded once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlparse

import torch
from kedro.io import AbstractDataset, DatasetError

from borderline.errors import BorderlineError
from borderline.measures.inception import INCEPTION_FEATURES, Inception

SHA256 = "6726825d"
"""The beginning of the SHA-256 of the weights, as their file's name has it."""


class InceptionDataset(AbstractDataset[NoReturn, Inception]):
    """The judge of the FID, with the weights of 2015-12-05 as torch-fidelity ports them.

    Args:
        filepath: The file of the weights; without one they are downloaded once to PyTorch's cache
            (``TORCH_HOME``), 91 MB.
        metadata: Ignored here; read by kedro-viz.

    Raises:
        BorderlineError: At loading, when the weights cannot be had or are others.
    """

    def __init__(
        self, *, filepath: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath).expanduser() if filepath else None
        self.metadata = metadata

    def load(self) -> Inception:
        """Read the weights; download them first where that is still to be done."""
        # Takes seconds, which only a run with this judge should cost.
        from torch_fidelity.feature_extractor_inceptionv3 import (
            URL_INCEPTION_V3,
            FeatureExtractorInceptionV3,
        )

        path = self._filepath or _downloaded(URL_INCEPTION_V3)
        remedy = (
            f"download {URL_INCEPTION_V3} and set inception_weights in conf/<env>/globals.yml to "
            "that file, or take inception out of grid.judges."
        )
        if not path.is_file():
            raise BorderlineError(
                f"inception_weights is {str(path)!r}, but there is no such file: {remedy}"
            )
        # Only the authors' weights make an FID; and the library runs code that a file brings along.
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not digest.startswith(SHA256):
            raise BorderlineError(
                f"inception_weights is {str(path)!r}, which is not the file of weights of "
                f"2015-12-05 as torch-fidelity has it (its SHA-256 begins with {digest[:8]}, not "
                f"{SHA256}): {remedy}"
            )
        return Inception(
            FeatureExtractorInceptionV3(
                "inception", [str(INCEPTION_FEATURES)], feature_extractor_weights_path=str(path)
            )
        )

    def save(self, data: NoReturn) -> NoReturn:
        """Not supported: the weights are only read."""
        raise DatasetError("The weights of Inception are only read.")

    def _exists(self) -> bool:
        # What is wrong with the weights is said by its own sentence when they are loaded.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath) if self._filepath else "downloaded once"}


def _downloaded(url: str) -> Path:
    name = Path(urlparse(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # To a file beside it, which takes its name once it is whole and its hash is right.
            torch.hub.download_url_to_file(url, str(path), hash_prefix=SHA256)
        except (OSError, RuntimeError) as error:
            raise BorderlineError(
                f"grid.judges names inception, but the download of its weights failed ({error}): "
                f"connect to the internet once, or download {url} elsewhere and set "
                "inception_weights in conf/<env>/globals.yml to that file."
            ) from error
    return path
