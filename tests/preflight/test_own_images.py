from __future__ import annotations

from pathlib import Path

import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from PIL import Image

from borderline.datasets import MatplotlibDataset, OwnImages
from borderline.errors import BorderlineError
from borderline.preflight.inputs import check_own_images


def draw(pair_test: object) -> None:
    """A node with the figure of own images."""


def test_a_folder_that_holds_the_results_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "data" / "mine"
    mine.mkdir(parents=True)
    Image.new("L", (8, 8)).save(mine / "a.png")
    # A neighbour whose name begins with the folder's.
    figure = tmp_path / "data" / "mine_too" / "images.png"
    test = {"images": torch.zeros(1, 1, 8, 8)}
    catalog = DataCatalog(
        {
            "pair_test": MemoryDataset(test),
            "cnn_1.own_images_figure": MatplotlibDataset(filepath=str(figure)),
        }
    )
    pipeline = Pipeline([Node(draw, "pair_test", "cnn_1.own_images_figure")])
    check_own_images(OwnImages(path=str(mine)).load(), pipeline, catalog)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for folder in ("data", "data/", "link", "data/mine/.."):
        own = OwnImages(path=f"{tmp_path}/{folder}").load()
        with pytest.raises(BorderlineError, match="the results of the run lie in it"):
            check_own_images(own, pipeline, catalog)
