from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from borderline.datasets import StudyStorage
from borderline.params import RunParams
from borderline.pipelines.clustering.best_of_kind import cluster_all
from borderline.pipelines.clustering.finalists import fit_finalists
from borderline.pipelines.clustering.params import ClusteringParams, ComponentsSpace
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import Reduction, neighbours_of
from borderline.pipelines.clustering.scores import Scorer
from borderline.pipelines.clustering.search import (
    COMBINATION_COLUMNS,
    TRIAL_COLUMNS,
    best_first,
    combinations,
    search,
    study_of,
)
from conftest import ROOT, blobs, clustering_params

PARAMS = clustering_params()
EARLIER = "bd11f74a4bea1c1d"
POINTS, TRUTH = blobs(60, 40, 20)


@pytest.fixture
def reduced(monkeypatch: pytest.MonkeyPatch) -> list[Reduction]:
    """Every reduction that was really computed."""
    done: list[Reduction] = []
    original = Reduction.reduce

    def counted(self: Reduction, *arguments: object, **named: object) -> np.ndarray:
        done.append(self)
        return original(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Reduction, "reduce", counted)
    return done


def last(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return list(tables)[-1]


def storage(folder: Path) -> optuna.storages.BaseStorage:
    return StudyStorage(filepath=str(folder / "studies.sqlite")).load()


def timeless(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.drop(columns="seconds")


def test_search_streams_a_table_after_each_trial(tmp_path: Path, run: RunParams) -> None:
    tables = list(search(POINTS, storage(tmp_path), PARAMS, run))
    assert [table["trial"].nunique() for table in tables] == [0, 1, 2, 3, 4]
    assert all(tuple(table) == TRIAL_COLUMNS for table in tables)
    trials = tables[-1]
    assert set(trials["reduction"].dropna()) == {"pca", "none"}
    usable = trials[trials["state"] == "found"]
    assert (usable["sizes"].iloc[0], usable["clusters"].iloc[0]) == ("60 40 20", 3)
    assert usable["objective"].equals(usable["silhouette"])


def test_every_combination_is_listed_with_its_best_or_the_reason(
    tmp_path: Path, run: RunParams
) -> None:
    params = clustering_params(
        reductions=["umap", "tsne", "pca", "none"],
        hdbscan={
            "min_cluster_size": [61, 62],
            "min_samples": 3,
            "cluster_selection_epsilon": [0],
        },
    )
    first = next(iter(search(POINTS, storage(tmp_path), params, run)))
    assert set(combinations(first, params)["note"]) == {"not tried yet"}
    trials = last(search(POINTS, storage(tmp_path), params, run))
    table = combinations(trials, params)
    assert tuple(table) == COMBINATION_COLUMNS
    assert len(table) == len(table.drop_duplicates(["reduction", "clustering"])) == 12
    assert table["objective"].dropna().is_monotonic_decreasing
    hdbscan = table[table["clustering"] == "hdbscan"]
    assert hdbscan["objective"].isna().all()
    assert (hdbscan["note"] != "").all()
    best = table.iloc[0]
    alike = trials[(trials["reduction"] == best["reduction"])]
    alike = alike[alike["clustering"] == best["clustering"]]
    assert best["objective"] == alike["objective"].max() == trials["objective"].max()


def test_only_the_pairs_are_searched(run: RunParams) -> None:
    pairs = [["pca", "kmeans"], ["none", "ward"], ["none", "kmeans"], ["tsne", "dbscan"]]
    params = clustering_params(
        pairs=pairs,
        trials=3,
        pca={"n_components": [2, 4], "variance": [0.9, 0.9]},
        tsne={"perplexity": [5, 5], "n_components": [3, 3]},
        objective={"davies_bouldin_original": 1},
    )
    memory = optuna.storages.InMemoryStorage()
    trials = last(search(POINTS[::3], memory, params, run))
    tried = set(zip(trials["reduction"], trials["clustering"], strict=True))
    assert tried == {tuple(pair) for pair in pairs}
    settings = set(trials["reduction_settings"])
    assert settings == {'{"variance": 0.9}', "{}", '{"perplexity": 5, "n_components": 3}'}
    table = combinations(trials, params)
    assert tuple(table) == (*COMBINATION_COLUMNS, "davies_bouldin_original")
    assert len(table) == 4
    best = table.iloc[0]
    assert best["objective"] == -best["davies_bouldin_original"] > -0.3
    recipe = Recipe.of_row(best)
    assert Recipe.of_row(recipe.as_row()) == recipe


def test_search_of_earlier_versions_goes_on(run: RunParams) -> None:
    def name(**changed: object) -> str:
        memory = optuna.storages.InMemoryStorage()
        return study_of(POINTS, memory, clustering_params(**changed), run).study_name

    assert name() == name(also=True) == EARLIER, "a name from before these settings existed"
    others = [
        name(pairs=[["pca", "gmm"]]),
        name(ward={"n_clusters": [2, 3]}),
        name(gmm={"n_components": [2, 5], "covariance": ["tied"]}),
        name(tsne={"perplexity": [5, 10], "n_components": [2, 3]}),
        name(pca={"n_components": [2, 4], "variance": [0.8, 0.95]}),
    ]
    assert len({EARLIER, *others}) == 6


def test_settings_of_earlier_cluster_models_are_read() -> None:
    params = clustering_params().limited_to(4)
    state = params.__getstate__()
    later = ("ward", "dbscan", "pairs", "also")
    stored = {name: value for name, value in state["__dict__"].items() if name not in later}
    stored["gmm"] = ComponentsSpace(n_components=(2, 5))
    read = ClusteringParams.__new__(ClusteringParams)
    read.__setstate__({**state, "__dict__": stored})
    assert read.model_dump() == params.model_dump()
    assert read.most_patterns == 4


def test_killed_search_finds_what_it_would_have_found(tmp_path: Path, run: RunParams) -> None:
    whole = last(search(POINTS, storage(tmp_path / "a"), PARAMS, run))
    stopped = search(POINTS, storage(tmp_path / "b"), PARAMS, run)
    for _ in range(3):
        next(stopped)
    stopped.close()
    # A kill in mid-trial leaves a trial that nobody will ever finish.
    study_of(POINTS, storage(tmp_path / "b"), PARAMS, run).ask()
    resumed = last(search(POINTS, storage(tmp_path / "b"), PARAMS, run))
    pd.testing.assert_frame_equal(timeless(resumed), timeless(whole))


def test_search_killed_by_the_system_goes_on(
    tmp_path: Path, run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill comes in the middle of a trial, the third or a later one."""
    killed = clustering_params(clusterings=["kmeans"], trials=7)
    calls, reduce = list[int](), Reduction.reduce

    def reduce_until_killed(*arguments: Any) -> np.ndarray:
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return reduce(*arguments)

    def search_until_killed() -> None:
        last(search(POINTS, storage(tmp_path), killed, run))

    with monkeypatch.context() as patch:
        patch.setattr(Reduction, "reduce", reduce_until_killed)
        # A fork need not import the libraries again.
        process = multiprocessing.get_context("fork").Process(target=search_until_killed)
        process.start()
        process.join(300)
    assert process.exitcode == -signal.SIGKILL
    first = next(iter(search(POINTS, storage(tmp_path), killed, run)))
    assert 2 <= first["trial"].nunique() < 7
    resumed = last(search(POINTS, storage(tmp_path), killed, run))
    whole = last(search(POINTS, storage(tmp_path / "whole"), killed, run))
    pd.testing.assert_frame_equal(timeless(resumed), timeless(whole))


def test_finished_search_is_not_searched_again(
    tmp_path: Path, run: RunParams, reduced: list[Reduction]
) -> None:
    first = last(search(POINTS, storage(tmp_path), PARAMS, run))
    reduced.clear()
    again = list(search(POINTS, storage(tmp_path), PARAMS, run))
    assert reduced == []
    assert len(again) == 1
    pd.testing.assert_frame_equal(again[0], first)


def test_a_reduction_that_another_trial_computed_is_not_computed_again(
    tmp_path: Path, run: RunParams, reduced: list[Reduction]
) -> None:
    params = clustering_params(reductions=["none", "pca"], trials=8, pca={"n_components": [2, 2]})
    trials = last(search(POINTS, storage(tmp_path), params, run))
    assert [reduction.kind for reduction in reduced] == ["pca", "none"]
    assert trials["trial"].nunique() == 8
    assert trials["state"].str.match("as trial [01]").sum() == 6
    assert not trials["trial"].isna().any()


def test_hopeless_reduction_is_left_after_the_first_of_its_clusterings(
    tmp_path: Path, run: RunParams
) -> None:
    space = Scorer(POINTS, PARAMS, seed=0).in_space(POINTS.astype(np.float64))
    objectives: list[float] = []

    def hopeless(best: float) -> bool:
        objectives.append(best)
        return True

    whole = cluster_all("kmeans", space, PARAMS, run)
    cut = cluster_all("kmeans", space, PARAMS, run, hopeless)
    assert objectives == [cut.objective]
    assert cut.objective <= whole.objective
    assert (whole.cut_short, cut.cut_short) == (False, True)
    # One dimension of noise keeps no group apart: after five trials, it is left.
    params = clustering_params(reductions=["pca"], trials=12, pca={"n_components": [2, 10]})
    noisy = np.hstack([POINTS, np.random.default_rng(0).normal(0, 9, (120, 5))])
    trials = last(search(noisy.astype(np.float32), storage(tmp_path), params, run))
    assert (trials["state"] == "found, then pruned").any()


def test_other_embeddings_or_spaces_are_another_study(tmp_path: Path, run: RunParams) -> None:
    store, params = storage(tmp_path), clustering_params(clusterings=["kmeans"], trials=2)
    last(search(POINTS, store, params, run))
    last(search(POINTS + 1, store, params, run))
    fewer_clusters = {"kmeans": {"n_clusters": [2, 3]}}
    other = clustering_params(clusterings=["kmeans"], trials=2, **fewer_clusters)
    last(search(POINTS, store, other, run))
    assert len(store.get_all_studies()) == 3
    more = params.model_copy(update={"trials": 3})
    assert last(search(POINTS, store, more, run))["trial"].nunique() == 3
    fewer = last(search(POINTS, store, params, run))
    assert fewer["trial"].nunique() == 2, "fewer trials are as if the others had never been"
    assert len(store.get_all_studies()) == 3, "more trials go on with the same study"


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_two_workers_share_a_study_by_its_address(tmp_path: Path, run: RunParams) -> None:
    address = f"sqlite:///{tmp_path}/shared.sqlite"
    first, second = (
        search(POINTS, StudyStorage(filepath="unused", url=address).load(), PARAMS, run)
        for _ in range(2)
    )
    counts = [next(worker)["trial"].nunique() for worker in (first, second, first, second)]
    assert counts == [0, 0, 1, 2], "each worker sees the other's trial"
    # Another's running trial is not failed while its heart beats.
    study = study_of(POINTS, StudyStorage(filepath="unused", url=address).load(), PARAMS, run)
    running = study.ask()
    assert last(first)["trial"].nunique() == 4
    assert study.trials[running.number].state is optuna.trial.TrialState.RUNNING
    (end,) = second
    assert end["trial"].nunique() == 4


def test_a_start_that_failed_is_tried_again(tmp_path: Path, run: RunParams) -> None:
    address = f"sqlite:///{tmp_path}/shared.sqlite"
    storage = StudyStorage(filepath="unused", url=address).load()
    study = study_of(POINTS, storage, PARAMS, run)
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    trials = last(search(POINTS, storage, PARAMS, run))
    assert trials["reduction"].dropna().tolist()[0] == "pca"
    assert {"pca", "none"} <= set(trials["reduction"])


def test_finalists_are_fitted_in_full_and_ranked_by_that(tmp_path: Path, run: RunParams) -> None:
    trials = last(search(POINTS, storage(tmp_path), PARAMS, run))
    ranked = fit_finalists(trials, POINTS, PARAMS, run)
    objectives = [scores["objective"] for _, scores in ranked]
    assert len(ranked) == 3
    assert objectives == sorted(objectives, reverse=True)
    best = sorted(trials["objective"].dropna(), reverse=True)[:3]
    assert sorted((scores["searched"] for _, scores in ranked), reverse=True) == best
    for model, scores in ranked:
        assert scores["objective"] == pytest.approx(scores["searched"]), "pca has no epochs"
        assert model.clusters.labels.max() + 1 == scores["clusters"]


def test_finalists_have_the_epochs_of_a_full_fit(tmp_path: Path, run: RunParams) -> None:
    params = clustering_params(reductions=["umap"], clusterings=["gmm"], trials=1, epochs=200)
    trials = last(search(POINTS, storage(tmp_path), params, run))
    ((model, scores),) = fit_finalists(trials, POINTS, params, run)
    neighbours = neighbours_of(POINTS, params)
    full = model.recipe.fit(POINTS, neighbours, params, run)
    assert full is not None
    assert np.array_equal(model.points, full.points)
    assert scores["objective"] != scores["searched"] == trials["objective"].max()


def test_recipe_survives_its_row() -> None:
    recipe = Recipe.of_row(
        {
            "reduction": "umap",
            "clustering": "gmm",
            "reduction_settings": '{"n_neighbors": 5, "min_dist": 0.1, "n_components": 2}',
            "clustering_settings": '{"n_components": 3}',
        }
    )
    assert Recipe.of_row(recipe.as_row()) == recipe
    assert str(recipe) == "umap(n_neighbors=5, min_dist=0.1, n_components=2) + gmm(n_components=3)"


def test_ranking_leaves_out_what_has_no_objective() -> None:
    table = pd.DataFrame({"trial": [0, 1, 2, 3], "objective": [None, 0.4, 0.6, 0.4]})
    assert best_first(table)["trial"].tolist() == [2, 1, 3]
    assert best_first(table[:1]).empty
    assert best_first(table[:0]).empty


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"objective": "bic"}, "set reductions to"),
        ({"objective": {"bic": 1.0}}, "silhouette_original"),
        ({"objective": "accuracy"}, "silhouette"),
        ({"reductions": ["umap", "umap"]}, "nothing twice"),
        ({"clusterings": []}, "at least 1"),
        ({"pairs": [["umap", "gmms"]]}, "'ward' or 'dbscan'"),
        ({"pairs": [["gmm", "umap"]]}, "'umap', 'tsne', 'pca' or 'none'"),
        ({"pairs": [["umap"]]}, "pairs.0.1"),
        ({"pairs": []}, "at least 1"),
        ({"pairs": [["pca", "gmm"], ["pca", "gmm"]]}, "nothing twice"),
        ({"gmm": {"n_components": [2, 3], "covariance": ["diagonal"]}}, "'diag' or 'spherical'"),
        ({"gmm": {"n_components": [2, 3], "covariance": []}}, "at least 1"),
        ({"tsne": {"perplexity": [5, 9], "n_components": [2, 4]}}, "at most 3 dimensions"),
        ({"pca": {"n_components": [2, 4], "variance": [0.8, 1]}}, "less than 1"),
        ({"pca": {"n_components": [2, 4], "variance": [0.9, 0.8]}}, "first bound"),
        ({"dbscan": {"eps": [0], "min_samples": [2, 3]}}, "greater than 0"),
        ({"pairs": [["pca", "ward"]], "fit_size": 50_000}, "set fit_size to 20000 or less"),
        ({"clusterings": ["dbscan"], "objective": "reproducibility"}, "take dbscan out"),
        ({"pairs": [["pca", "gmm"]], "objective": "bic"}, "set reductions to"),
        ({"also": 0}, "true, false, or a number"),
        ({"also": "yes"}, "true, false, or a number"),
        ({"most_noise": 1.0}, "less than 1"),
        ({"structure": {"clouds": 3, "images": 50, "level": 0.05}}, "raise clouds to 19"),
    ],
)
def test_impossible_settings_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        clustering_params(**changed)


def test_settings_of_the_default_run_are_those_of_the_paper() -> None:
    values = yaml.safe_load((ROOT / "conf/base/parameters_clustering.yml").read_text())
    params = ClusteringParams.model_validate(values["clustering"])
    assert (params.umap.n_neighbors, params.umap.n_components) == ((5, 25), (5, 60))
    assert (params.gmm.n_components, params.tsne.perplexity) == ((3, 15), (5, 30))
    assert (params.hdbscan.min_cluster_size, params.hdbscan.min_samples) == ((3, 10), 3)
