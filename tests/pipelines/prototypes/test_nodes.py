from __future__ import annotations

import pandas as pd
import pytest
import torch

from borderline.grid import Grid
from borderline.pipelines.prototypes.nodes import select_prototypes, summarise


def test_prototypes_are_rows_of_the_borderline_images() -> None:
    borderline = {
        "images": torch.arange(6.0).view(6, 1, 1, 1),
        "probabilities": torch.linspace(0.4, 0.6, 6),
    }
    clusters = {
        "labels": torch.tensor([0, 0, 0, 0, 1, 1]),
        "reduced": torch.tensor([[0.0], [1.0], [2.0], [9.0], [5.0], [5.0]]),
    }
    sizes = pd.DataFrame({"cluster": [0, 1], "images": [4, 2], "mean_p": [0.46, 0.58]})
    prototypes, table = select_prototypes(borderline, clusters, sizes)
    assert prototypes["rows"].tolist() == table["row"].tolist() == [1, 4]
    assert prototypes["images"].flatten().tolist() == [1, 4]
    assert table["p"].tolist() == pytest.approx([0.44, 0.56])


def tables(model: str, note: str | None) -> list[pd.DataFrame]:
    board = pd.DataFrame(
        {
            "source": ["x", "y"],
            "images": [100, 100],
            "borderline": [3, 40],
            "yield": [0.03, 0.4],
            "acd": [0.4, 0.2],
            "fd_lenet_n": [90, 90],
            "fd_lenet": [1.0, 2.0],
            "fd_lenet_borderline_n": [None, 40],
            "fd_lenet_borderline": [None, 3.0],
            "chosen": [False, True],
        }
    )
    return [
        pd.DataFrame({"accuracy": [0.9 if model == "a" else 0.8]}),
        board,
        pd.DataFrame(
            {
                "silhouette": [0.5],
                "davies_bouldin": [1.0],
                "ari_resamples": [0.7],
                "structure_p": [0.05],
                "doubts": [float("nan")],
                "note": [note],
            }
        ),
        pd.DataFrame({"row": [1, 2, 3]}),
    ]


def test_summary_has_a_row_a_model_with_the_chosen_generator() -> None:
    grid = Grid(models=("a", "b"), generators=("x", "y"))
    summary = summarise(grid, *tables("a", None), *tables("b", "too few"))
    assert summary["model"].tolist() == ["a", "b"]
    assert summary["accuracy"].tolist() == [0.9, 0.8]
    assert set(summary["generator"]) == {"y"}
    assert summary["borderline"].tolist() == [40, 40]
    assert summary["prototypes"].tolist() == [3, 3]
    assert summary["note"].tolist() == ["", "too few"]
