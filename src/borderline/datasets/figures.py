"""Figures as pictures, as interactive charts, and as a folder with one picture per epoch."""

from __future__ import annotations

import base64
from pathlib import PurePosixPath
from typing import Literal

import plotly.io
from kedro_datasets._typing import ImagePreview
from kedro_datasets.matplotlib.matplotlib_dataset import MatplotlibDataset as _MatplotlibDataset
from kedro_datasets.plotly.json_dataset import JSONDataset
from plotly.graph_objects import Figure
from plotly.offline import get_plotlyjs

from borderline.datasets.atomic import AtomicSave, Folder

_LIBRARY = "plotly.min.js"
SHOW_PICTURES = """
function showPictures(plot) {
  const picture = document.createElement('img');
  picture.className = 'picture';
  picture.alt = '';
  const side = 112;
  let width = side;
  // A picture that is not square keeps its proportions, and has the area of a square.
  picture.onload = () => {
    const stretch = Math.sqrt(picture.naturalWidth / picture.naturalHeight) || 1;
    width = Math.round(side * stretch);
    picture.style.width = `${width}px`;
    picture.style.height = `${Math.round(side / stretch)}px`;
  };
  picture.style.cssText = 'position:fixed;display:none;width:112px;height:112px;z-index:9;' +
    'image-rendering:pixelated;border:2px solid #444;background:#fff;pointer-events:none';
  document.body.appendChild(picture);
  plot.on('plotly_hover', ({points: [point], event}) => {
    const [number, caption] = point.customdata;
    picture.src = plot.layout.meta.pictures[number];
    picture.alt = caption;
    picture.style.left = Math.min(event.clientX + 16, window.innerWidth - width - 12) + 'px';
    picture.style.top = Math.max(event.clientY - 128, 4) + 'px';
    picture.style.display = 'block';
  });
  const hide = () => { picture.style.display = 'none'; };
  plot.on('plotly_unhover', hide);
  // A finger leaves nothing.
  addEventListener('scroll', hide, {passive: true});
}
"""
"""JavaScript: ``showPictures(plot)`` shows a picture beside the pointer, which plotly cannot.

Each point's ``customdata`` begins with an index into ``layout.meta.pictures``."""

_SHOW_ON_THE_PAGE = f"{SHOW_PICTURES}showPictures(document.getElementById('{{plot_id}}'));"


class MatplotlibDataset(AtomicSave, _MatplotlibDataset):
    """``kedro_datasets.matplotlib.MatplotlibDataset``, saved atomically, and loaded as a picture.

    Example:
        >>> from matplotlib.figure import Figure
        >>> dataset = MatplotlibDataset(filepath=str(tmp_path / "x.png"))
        >>> dataset.save(Figure())
        >>> dataset.load()[1:4]
        b'PNG'
    """

    def load(self) -> bytes:
        """The content of the PNG file, for a page or a notebook."""
        content: bytes = self._fs.read_bytes(str(self._get_load_path()))
        return content


class OptionalMatplotlibDataset(MatplotlibDataset):
    """A figure whose file may be missing: it then loads as ``b""``.

    Example:
        >>> dataset = OptionalMatplotlibDataset(filepath=str(tmp_path / "x.png"))
        >>> dataset.exists(), dataset.load()
        (True, b'')
    """

    def load(self) -> bytes:
        """The content of the PNG file, or nothing."""
        return super().load() if super()._exists() else b""

    def _exists(self) -> bool:
        return True


class PlotlyDataset(AtomicSave, JSONDataset):
    """A plotly figure as JSON, which kedro-viz shows, and as an HTML page for any browser.

    The page (suffix ``.html``) works offline: plotly's JavaScript is saved once in the same folder.
    If the figure's ``layout.meta`` has ``pictures``, a list of addresses, the page shows a picture
    beside the pointer: the first entry of a point's ``customdata`` is the index of its picture.

    Example:
        >>> from plotly.graph_objects import Figure
        >>> dataset = PlotlyDataset(filepath=str(tmp_path / "x.json"))
        >>> dataset.save(Figure())
        >>> (tmp_path / "x.html").exists()
        True
    """

    def save(self, data: Figure) -> None:
        """Save both; when saving fails or the process dies, the old files stay."""
        page = as_page(data, library="directory")
        super().save(data)
        self._write_whole(self._filepath.with_suffix(".html"), page)
        library, code = self._filepath.with_name(_LIBRARY), get_plotlyjs()
        # A figure needs the JavaScript of the plotly version that made it.
        if not self._fs.exists(str(library)) or self._fs.size(str(library)) != len(code.encode()):
            self._write_whole(library, code)

    def _write_whole(self, target: PurePosixPath, text: str) -> None:
        with self._renamed_to(target) as temporary:
            self._fs.write_text(str(temporary), text, encoding="utf-8")


def as_page(chart: Figure, library: bool | Literal["directory"]) -> str:
    """A chart as an HTML page.

    Args:
        chart: The chart.
        library: True to include plotly's JavaScript, or ``directory`` to take it from the folder of
            the page.
    """
    page: str = plotly.io.to_html(
        chart,
        include_plotlyjs=library,
        full_html=True,
        post_script=_SHOW_ON_THE_PAGE if "pictures" in (chart.layout.meta or {}) else None,
    )
    return page


class FigureFolder(Folder):
    """Figures by name, each saved as a PNG; kedro-viz shows the last one by name."""

    file_class = MatplotlibDataset
    suffix = ".png"

    def preview(self) -> ImagePreview:
        """The last figure, base64-encoded; empty if there is none."""
        last = max(self._list_partitions(), default=None)
        content = b"" if last is None else self._filesystem.cat_file(last)
        return ImagePreview(base64.b64encode(content).decode())
