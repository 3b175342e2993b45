from __future__ import annotations

import re
from io import BytesIO

import pandas as pd
import pytest
import torch
from PIL import Image

from borderline.grid import Grid
from borderline.pipelines.report.combinations import in_short
from borderline.pipelines.report.nodes import COMPARED, write_combinations
from borderline.records import Part
from conftest import findings_of

SCORES = pd.DataFrame(
    {
        "combination": ["pca_kmeans", "umap_gmm", "tsne_ward", "none_hdbscan"],
        "chosen": [True, False, False, False],
        "ari_winner": [1, 0.25, 0.75, None],
        "clusters": [2, 5, 3, None],
        "note": ["", "", "", "57% noise <b>"],
        "recipe": ["pca", "umap", "tsne", None],
        **dict.fromkeys(("noise", "objective", "silhouette_original", "davies_bouldin"), 0.5),
    }
)


def test_page_shows_each_pair_beside_the_winner() -> None:
    names = ["winner", "pca_kmeans", "umap_gmm"]
    prototypes = pd.DataFrame(
        {"combination": names, "cluster": [0, 0, 4], "images": [1200, 1200, 3], "row": [0, 0, 1]}
    )
    borderline: Part = {
        "images": torch.zeros(2, 1, 8, 8),
        "probabilities": torch.tensor([0.4, 0.6]),
    }
    agreement = pd.DataFrame({"combination": names, **dict.fromkeys(names, 0.31)})
    png = BytesIO()
    Image.new("RGB", (8, 8)).save(png, "PNG")
    tables = (SCORES, agreement, prototypes, png.getvalue(), borderline)
    values = {f"a.{name}": value for name, value in zip(COMPARED, tables, strict=True)}
    values["a.findings"] = findings_of().model_dump(mode="json")
    grid = Grid(models=("a",), generators=("x",), runs=1, judges=("lenet",))
    (page,) = write_combinations(grid=grid, **values)
    assert len(re.findall(r'alt="Prototype, p = 0\.\d0"', page)) == 3
    assert "1,200 images" in page
    assert page.count("0.31") == 9
    assert "57% noise &lt;b&gt;" in page
    assert "umap + gmm agrees least with it" in page
    assert "../report.html#a" in page


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([0, 1, 2, 3], "tsne + ward agrees most with it: adjusted Rand index 0.75, 3 clusters."),
        ([0, 1, 2, 3], "The other combinations have 3 to 5 clusters."),
        ([0, 1], "The other combinations have 5 clusters."),
        ([0, 1], "The winner has 2 patterns."),
        ([0, 3], "No other combination has clusters, so there is nothing to compare."),
    ],
)
def test_page_says_whether_the_patterns_depend_on_the_choice(rows: list[int], said: str) -> None:
    assert said in in_short(SCORES.iloc[rows], findings_of())
