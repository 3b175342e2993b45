"""Figures to interact with, and a folder of figures, one an epoch."""

from __future__ import annotations

import base64
from pathlib import PurePosixPath
from typing import Any

import plotly.io
from kedro_datasets._typing import ImagePreview
from kedro_datasets.partitions.partitioned_dataset import PartitionedDataset
from kedro_datasets.plotly.json_dataset import JSONDataset
from plotly.graph_objects import Figure
from plotly.offline import get_plotlyjs

from borderline.datasets.atomic import AtomicSave, MatplotlibDataset

_LIBRARY = "plotly.min.js"
SHOW_PICTURES = """
function showPictures(plot) {
  const picture = document.createElement('img');
  picture.className = 'picture';
  picture.alt = '';
  picture.style.cssText = 'position:fixed;display:none;width:112px;height:112px;z-index:9;' +
    'image-rendering:pixelated;border:2px solid #444;background:#fff;pointer-events:none';
  document.body.appendChild(picture);
  plot.on('plotly_hover', ({points: [point], event}) => {
    const [number, said] = point.customdata;
    picture.src = plot.layout.meta.pictures[number];
    picture.alt = said;
    picture.style.left = Math.min(event.clientX + 16, window.innerWidth - 124) + 'px';
    picture.style.top = Math.max(event.clientY - 128, 4) + 'px';
    picture.style.display = 'block';
  });
  const hide = () => { picture.style.display = 'none'; };
  plot.on('plotly_unhover', hide);
  // A finger leaves nothing.
  addEventListener('scroll', hide, {passive: true});
}
"""
"""A function for pages: ``showPictures(plot)`` shows pictures beside the pointer, as plotly's own
labels cannot. Each point's ``customdata`` begins with a number in ``layout.meta.pictures``."""

_ON_THE_PAGE = SHOW_PICTURES + "showPictures(document.getElementById('{plot_id}'));"


class PlotlyDataset(AtomicSave, JSONDataset):
    """A plotly figure as JSON, which kedro-viz shows, and as a page beside it for any browser.

    The page works without a network: plotly's own code is put into the folder once. Where a
    figure's ``layout.meta`` has ``pictures``, a list of addresses, the first entry of each point's
    ``customdata`` is a number in that list, and the page shows that picture beside the pointer.

    Args:
        filepath: Path or fsspec address of the JSON file; the page is called the same, ``.html``.

    Example:
        >>> from plotly.graph_objects import Figure
        >>> dataset = PlotlyDataset(filepath=tmp_path / "x.json")
        >>> dataset.save(Figure())
        >>> (tmp_path / "x.html").exists()
        True
    """

    def save(self, data: Figure) -> None:
        """Save both; when that fails or the process dies, the former files stay."""
        shows = "pictures" in (data.layout.meta or {})
        page = plotly.io.to_html(
            data,
            include_plotlyjs="directory",
            full_html=True,
            post_script=_ON_THE_PAGE if shows else None,
        )
        super().save(data)
        self._write_whole(self._filepath.with_suffix(".html"), page)
        library, code = self._filepath.with_name(_LIBRARY), get_plotlyjs()
        # Another version of plotly draws its own figures.
        if not self._fs.exists(str(library)) or self._fs.size(str(library)) != len(code.encode()):
            self._write_whole(library, code)

    def _write_whole(self, target: PurePosixPath, text: str) -> None:
        with self._renamed_to(target) as beside:
            self._fs.write_text(str(beside), text, encoding="utf-8")


class FigureFolder(PartitionedDataset):
    """Figures by name, each saved as a PNG; kedro-viz shows the one that sorts last.

    Args:
        path: The folder.
        begin_anew: Whether saving removes figures that were there; else epochs add up.
        credentials: What the file system needs to log in.
        metadata: Ignored here; read by kedro-viz.
    """

    def __init__(
        self,
        *,
        path: str,
        begin_anew: bool = False,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            path=path,
            dataset=MatplotlibDataset,
            filename_suffix=".png",
            overwrite=begin_anew,
            credentials=credentials,
            metadata=metadata,
        )

    def preview(self) -> ImagePreview:
        """The last figure, base64-encoded; empty where there is none."""
        last = max(self._list_partitions(), default=None)
        if last is None:
            return ImagePreview("")
        return ImagePreview(base64.b64encode(self._filesystem.cat_file(last)).decode())
