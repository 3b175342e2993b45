from __future__ import annotations

import base64
from pathlib import Path

from matplotlib.figure import Figure

from borderline.datasets import FigureFolder


def test_preview_is_the_last_figure(tmp_path: Path) -> None:
    folder = FigureFolder(path=str(tmp_path / "samples"))
    for name, width in (("epoch_0001", 2), ("epoch_0002", 3)):
        folder.save({name: Figure(figsize=(width, 2))})
    expected = (tmp_path / "samples/epoch_0002.png").read_bytes()
    assert base64.b64decode(folder.preview()) == expected
    assert expected != (tmp_path / "samples/epoch_0001.png").read_bytes()
