"""The name of the folder of a comparison."""

from __future__ import annotations

import hashlib
from pathlib import Path

from borderline.datasets.buckets import located
from borderline.names import folder_name
from borderline.params import OtherRunParams, Pairing


def name_of_comparison(pairing: Pairing, other_run: OtherRunParams, project: Path) -> str:
    """The name of the folder of the results: those of both models, and of the other run.

    Different comparisons have different names: ``-`` is in no name of a model, and a digest of the
    whole path and of the case tells other runs apart whose folders have one name.

    Example:
        >>> here = Pairing(this="cnn_1", other="cnn_4", elsewhere=False)
        >>> name_of_comparison(here, OtherRunParams(data_folder=None), Path("/project"))
        'cnn_1-cnn_4'
        >>> there = Pairing(this="cnn_1", other="cnn_1", elsewhere=True)
        >>> name_of_comparison(there, OtherRunParams(data_folder="old/data"), Path("/project"))
        'cnn_1-cnn_1-data_73daece3'
    """
    names = [folder_name(pairing.this), folder_name(pairing.other)]
    if other_run.data_folder is not None:
        folder = located(other_run.data_folder, project).rstrip("/")
        about = repr([folder, other_run.case])
        digest = hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        names.append(f"{folder_name(folder.rpartition('/')[2])}_{digest}")
    return "-".join(names)
