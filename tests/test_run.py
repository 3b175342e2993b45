"""The whole road, driven as users drive it: ``kedro run --env test`` on real digits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from conftest import (
    GENERATORS,
    MODELS,
    ROOT,
    TRAINED,
    reporting_folder,
    run_here,
)

pytestmark = pytest.mark.road


def test_whole_road_leaves_every_result(whole: Path) -> None:
    summary = pd.read_csv(reporting_folder(whole) / "summary.csv")
    assert tuple(summary["model"]) == MODELS
    assert (summary["images"] == 300).all()
    assert summary["yield"].between(0, 1).all()
    for model, generator in [(m, g) for m in MODELS for g in TRAINED]:
        history = pd.read_csv(reporting_folder(whole) / model / generator / "history.csv")
        assert history["epoch"].tolist() == list(range(len(history)))
        samples = reporting_folder(whole) / model / generator / "samples"
        assert len(list(samples.glob("*.png"))) == len(history)
    for model in MODELS:
        for picture in (
            *("classifier", "generators", "borderline", "clusters", "real_patterns"),
            *("prototypes", "map"),
        ):
            path = reporting_folder(whole) / model / f"{picture}.png"
            assert path.read_bytes().startswith(b"\x89PNG")
        for figure in (
            *("leaderboard", "front", "curves", "histograms"),
            *("search_history", "search_importances", "search_slices"),
        ):
            page = (reporting_folder(whole) / model / f"{figure}.html").read_text()
            assert "plotly.min.js" in page
            assert "https://cdn" not in page
        for table in ("realism", "front", "epochs", "calibration", "combinations", "finalists"):
            assert len(pd.read_csv(reporting_folder(whole) / model / f"{table}.csv"))


def test_run_ends_with_a_table_and_the_place_of_the_pictures(whole: Path) -> None:
    output = (whole / "output.txt").read_text()
    for word in ("Results by model", *MODELS, "yield", "silhouette", "N=300", "Pictures:"):
        assert word in output
    assert str(reporting_folder(whole) / "cnn_1") in output


@pytest.fixture
def short_again(short: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(short, tmp_path / "project"))


def test_tour_notebook_runs_on_what_the_run_left(again: Path) -> None:
    notebooks = again / "notebooks"
    shutil.copytree(ROOT / "notebooks", notebooks, dirs_exist_ok=True)
    for notebook in sorted(notebooks.glob("*.ipynb")):
        content = json.loads(notebook.read_text())
        assert all(not cell.get("outputs") for cell in content["cells"]), "strip the outputs"
        subprocess.run(
            [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", notebook.name],
            cwd=notebooks,
            env=os.environ | {"KEDRO_ENV": "test"},
            check=True,
        )


def test_leaderboard_compares_every_generator(whole: Path) -> None:
    for model in MODELS:
        leaderboard = pd.read_csv(reporting_folder(whole) / model / "leaderboard.csv")
        assert tuple(leaderboard["source"]) == (*GENERATORS, "real images")
        assert (leaderboard["seconds"][:-1] > 0).all()
        assert leaderboard["chosen"].sum() == 1
        assert leaderboard["on_front"].any()
        # The real test images, 100 of a class, are the fewest.
        measured = leaderboard[leaderboard["fd_lenet"].notna()]
        assert set(measured["fd_lenet_n"]) == {200}
        assert leaderboard["fd_lenet"].iloc[-1] == leaderboard["fd_lenet"].min()
        for _, row in leaderboard.set_index("source").loc[["latent_search", "hybrid"]].iterrows():
            # So short a GAN may stay on one side of the boundary; then the note must say so.
            on_the_boundary = row["yield"] == 1 and row["acd"] < 0.01
            one_sided = row["images"] == 0 and "on one side of the boundary" in row["note"]
            assert on_the_boundary or one_sided
        pixels = leaderboard.set_index("source").loc["pixel_bisection"]
        assert pixels["yield"] == 1
        assert pixels["acd"] < 0.01


def test_too_few_borderline_images_are_said_and_no_crash(short_again: Path) -> None:
    stages = ("--pipelines", "clustering,prototypes,report")
    few = "clustering.fewest_images=301"
    result = run_here(short_again, "--env", "test", *stages, "--params", few)
    assert result.exit_code == 0, result.output
    assert "cnn_1 has no prototypes: only 300 borderline images" in result.stdout
    summary = pd.read_csv(reporting_folder(short_again) / "summary.csv")
    assert (summary["prototypes"] == 0).all()
    assert summary["note"].str.contains("clustering.fewest_images").all()
    page = (reporting_folder(short_again) / "report.html").read_text()
    assert page.count("There are no patterns: only 300 borderline images") == 1


def test_band_may_change_without_a_training(short_again: Path) -> None:
    stages = ("--pipelines", "classifier,gasten")
    narrow = "confusion.band=0.05"
    result = run_here(short_again, "--env", "test", *stages, "--params", narrow)
    assert result.exit_code == 0, result.output
    history = pd.read_csv(reporting_folder(short_again) / "cnn_1/gasten_10/history.csv")
    assert set(history["band"]) == {0.1}, "each row says what band its yield was measured with"
