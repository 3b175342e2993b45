from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from borderline.datasets import StudyStorage
from borderline.measures.class_names import ClassNames
from borderline.params import RunParams
from borderline.pipelines.clustering.figures import (
    draw_borderline,
    draw_clusters,
    draw_real,
    draw_search,
)
from borderline.pipelines.clustering.search import search, study_of
from borderline.records import Clusters, Part
from conftest import blobs, clustering_params

POINTS, _ = blobs(60, 40, 20)


def test_search_is_drawn_with_its_pruned_trials_and_without_repeated_ones(
    tmp_path: Path, run: RunParams
) -> None:
    params = clustering_params(reductions=["pca", "none"], trials=8, pca={"n_components": [2, 10]})
    storage = StudyStorage(filepath=str(tmp_path / "studies.sqlite")).load()
    *_, trials = search(POINTS, storage, params, run)
    history, importances, slices = draw_search(
        study_of(POINTS, storage, params, run), params.trials
    )
    computed = trials[trials["objective"].notna()].groupby("trial")["objective"].max()
    assert list(history.data[0].y) == pytest.approx(computed.tolist())
    assert "pca" in importances.layout.title.text
    of_pca = trials[trials["reduction"] == "pca"]["trial"].nunique()
    assert f"{of_pca} trials" in slices.layout.title.text
    assert len(slices.data[0].x) == of_pca
    assert importances.data[0].y == ("pca_n_components",)
    fewer, _, _ = draw_search(study_of(POINTS, storage, params, run), 2)
    assert list(fewer.data[0].y) == pytest.approx(computed.tolist()[:2])


def test_no_search_and_a_short_one_are_said() -> None:
    for figure in draw_search(None, 5):
        assert figure.layout.annotations[0].text == "No trials"


def test_short_search_has_a_history_only(tmp_path: Path, run: RunParams) -> None:
    params = clustering_params(trials=2)
    storage = StudyStorage(filepath=str(tmp_path / "studies.sqlite")).load()
    list(search(POINTS, storage, params, run))
    history, importances, _ = draw_search(study_of(POINTS, storage, params, run), params.trials)
    assert len(history.data[0].y) == 2
    assert importances.layout.annotations[0].text.startswith("Too few trials")


def test_clusters_are_drawn_a_row_each_and_an_empty_one_stays_empty() -> None:
    images, p = torch.zeros(5, 1, 8, 8), torch.full((5,), 0.5)
    labels = torch.tensor([0, 0, 2, -1, 0])
    figure = draw_clusters(images, p, labels, ["a", "b", "c"], "Title")
    assert [len(axes.images) for axes in figure.axes[:3]] == [1, 0, 1]
    assert [axes.texts[0].get_text() for axes in figure.axes[:3]] == ["a", "b", "c"]
    nothing = draw_clusters(images[:0], p[:0], labels[:0], [], "Title")
    assert "no clusters" in [text.get_text() for text in nothing.texts]


@pytest.mark.parametrize(
    ("continuum", "words"), [(False, "of each cluster"), (True, "nearest to each exemplar")]
)
def test_titles_speak_of_exemplars_in_a_continuum(continuum: bool, words: str) -> None:
    names, labels = ClassNames("1", "7"), torch.tensor([0, 1])
    part: Part = {"images": torch.zeros(2, 1, 8, 8), "probabilities": torch.full((2,), 0.5)}
    clusters: Clusters = {"labels": labels, "probability": labels, "reduced": labels}
    if continuum:
        clusters["exemplars"] = labels
    sizes = pd.DataFrame({"cluster": [0, 1], "images": [1, 1], "stability": [0.5, 0.5]})
    figure = draw_borderline(part, clusters, sizes, names, 0.5)
    assert figure.get_suptitle() == f"Borderline images {words}, framed in the colour of p"
    assert figure.axes[-1].get_ylabel() == "p(7),\nboundary at 0.5"
    table = pd.DataFrame({"row": [0], "p": [0.5], "cluster": [0]})
    real = draw_real(part["images"], table, 2, names, continuum=continuum)
    assert f"real test images {words}" in real.get_suptitle()
