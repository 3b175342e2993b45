"""Inception v3, whose weights come from a file or are downloaded once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.errors import BorderlineError

if TYPE_CHECKING:
    from borderline.measures.inception import Inception

SHA256 = "6726825d"
"""The first digits of the SHA-256 of the weights, which their file's name contains."""


class InceptionDataset(ReadOnlyDataset["Inception"]):
    """The judge of the FID, with the weights of 2015-12-05 as torch-fidelity ports them.

    Args:
        filepath: The file of the weights; None downloads them once to PyTorch's cache
            (``TORCH_HOME``), 91 MB.
        metadata: Ignored here; read by kedro-viz.

    Raises:
        BorderlineError: At loading, when the weights are missing or are not these.
    """

    def __init__(
        self, *, filepath: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath).expanduser() if filepath else None
        self.metadata = metadata

    def load(self) -> Inception:
        """Read the weights; download them first if they are not there yet."""
        from torch_fidelity.feature_extractor_inceptionv3 import (
            URL_INCEPTION_V3,
            FeatureExtractorInceptionV3,
        )

        from borderline.measures.inception import INCEPTION_FEATURES, Inception

        path = self._filepath or _downloaded(URL_INCEPTION_V3)
        remedy = (
            f"download {URL_INCEPTION_V3} and set inception_weights in conf/<env>/globals.yml to "
            "that file, or take inception out of grid.judges and metrics.epoch_judges."
        )
        if not path.is_file():
            raise BorderlineError(
                f"inception_weights is {str(path)!r}, but there is no such file: {remedy}"
            )
        # The FID needs the authors' weights.
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not digest.startswith(SHA256) or not _holds_weights_alone(path):
            raise BorderlineError(
                f"inception_weights is {str(path)!r}, which is not the file of weights of "
                f"2015-12-05 that torch-fidelity uses (its SHA-256 begins with {digest[:8]}, not "
                f"{SHA256}): {remedy}"
            )
        return Inception(
            FeatureExtractorInceptionV3(
                "inception", [str(INCEPTION_FEATURES)], feature_extractor_weights_path=str(path)
            )
        )

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath or "downloaded once")}


def _holds_weights_alone(path: Path) -> bool:
    """Whether reading a file runs no code, as the library does not ask PyTorch to make sure."""
    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # Foreign bytes raise errors of many types.
        return False
    return True


def _downloaded(url: str) -> Path:
    import torch

    name = Path(urlparse(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # PyTorch downloads to a temporary file and renames it after checking the hash.
            torch.hub.download_url_to_file(url, str(path), hash_prefix=SHA256)
        except (OSError, RuntimeError) as error:
            raise BorderlineError(
                f"A list of judges names inception, but the download of its weights failed "
                f"({error}): connect to the internet once, or download {url} elsewhere and set "
                "inception_weights in conf/<env>/globals.yml to that file."
            ) from error
    return path
