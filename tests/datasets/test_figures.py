from __future__ import annotations

import base64
from pathlib import Path

import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure

from borderline.datasets import FigureFolder, PlotlyDataset


def test_preview_is_the_last_figure(tmp_path: Path) -> None:
    folder = FigureFolder(path=str(tmp_path / "samples"))
    for name, width in (("epoch_0001", 2), ("epoch_0002", 3)):
        folder.save({name: Figure(figsize=(width, 2))})
    expected = (tmp_path / "samples/epoch_0002.png").read_bytes()
    assert base64.b64decode(folder.preview()) == expected
    assert expected != (tmp_path / "samples/epoch_0001.png").read_bytes()


def test_empty_folder_has_no_preview(tmp_path: Path) -> None:
    assert FigureFolder(path=str(tmp_path)).preview() == ""


@pytest.mark.parametrize("pictures", [True, False])
def test_page_shows_pictures_where_the_figure_has_some(tmp_path: Path, pictures: bool) -> None:
    figure = go.Figure(go.Scatter(x=[0], y=[0], customdata=[[0, "p = 0.50"]]))
    if pictures:
        figure.update_layout(meta={"pictures": ["data:image/png;base64,AAAA"]})
    PlotlyDataset(filepath=str(tmp_path / "map.json")).save(figure)
    page = (tmp_path / "map.html").read_text()
    assert ("plotly_hover" in page) == pictures
    assert ("base64,AAAA" in page) == pictures
