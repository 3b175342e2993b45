from __future__ import annotations

from io import BytesIO

import pandas as pd
import torch

from borderline.params import RunParams
from borderline.pipelines.prototypes.mapping.nodes import show_combinations
from borderline.records import Clusters, Embeddings, Part, Places, Prototypes, take_rows
from conftest import prototypes_params

LINE = torch.arange(6.0)
BORDERLINE: Part = {"images": torch.zeros(6, 1, 2, 2), "probabilities": LINE / 10}
EMBEDDINGS: Embeddings = {"embeddings": torch.eye(6), "fitted": torch.arange(6)}


def clusters_of(*labels: int) -> Clusters:
    return {"labels": torch.tensor(labels), "probability": LINE, "reduced": LINE[:, None]}


def test_each_pair_has_prototypes_and_a_map(run: RunParams) -> None:
    pairs = {
        "pca_gmm": clusters_of(0, 0, 0, 2, 2, 2),
        "none_kmeans": clusters_of(0, 0, 0, 0, 0, -1),
    }
    rows = torch.tensor([1])
    shown: Prototypes = {**take_rows(BORDERLINE, rows), "rows": rows}
    test = torch.zeros(3, 2)
    places = {"umap": LINE[:, None].expand(6, 2), "test_umap": test}
    scores = pd.DataFrame(
        {
            "combination": ["none_kmeans", "pca_gmm", "umap_gmm"],
            "ari_winner": [0.9, 0.25, float("nan")],
        }
    )
    chosen, table, figure = show_combinations(
        *(BORDERLINE, EMBEDDINGS, clusters_of(0, 0, 0, 0, 0, 0), shown),
        {"candidates": torch.arange(6), "medoid": rows},
        Places(**places),  # type: ignore[typeddict-item]
        {f"{pair}.{name}": values for pair, each in pairs.items() for name, values in each.items()},
        scores,
        settings=prototypes_params(),
        run=run,
    )
    assert {name: prototypes.tolist() for name, prototypes in chosen.items()} == {
        "winner": [1],
        "none_kmeans": [2],
        "pca_gmm": [1, 4],
    }
    assert table["combination"].tolist() == ["winner", "none_kmeans", "pca_gmm", "pca_gmm"]
    assert table["cluster"].tolist() == [0, 0, 0, 2]
    assert table["images"].tolist() == [6, 5, 3, 3]
    assert table["p"].round(1).tolist() == [0.1, 0.2, 0.1, 0.4]
    figure.savefig(BytesIO())
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "winner"
    assert titles[2] == "pca + gmm, ARI with the winner 0.25"
    assert [text.get_text() for text in figure.axes[2].texts] == ["0", "2"]
