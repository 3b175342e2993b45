"""The goals of docs/reproduction.md are counted as they are written, on made-up rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from borderline.sweeps.state import Record, State
from conftest import ROOT

DOCS = ROOT / "docs"
PUBLISHED = pd.read_csv(DOCS / "reproduction/published.csv")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def made_up(**changed: Any) -> pd.DataFrame:
    """All fifteen rows and one of 9v4, which meet all goals."""
    rows = PUBLISHED[["dataset", "pair", "model"]].assign(
        silhouette=PUBLISHED["gasten_silhouette"],
        davies_bouldin=PUBLISHED["gasten_davies_bouldin"],
    )
    rows.loc[len(rows), ["dataset", "pair", "model"]] = ["mnist", "9v4", "cnn_1"]
    figures = {"yield": 0.99, "acd": 0.02, "precision": 0.87, "real_precision": 0.9}
    figures |= {"coverage_q": 0.05, "facility_q": 0.001}
    return rows.assign(seed=0, **(figures | changed))


def counted(rows: pd.DataFrame) -> list[dict[str, Any]]:
    from reproduction_page import beside, count

    return count(beside(rows, PUBLISHED)).to_dict("records")


@pytest.mark.usefixtures("benchmarks")
def test_rows_on_the_limits_meet_the_goals_and_9v4_does_not_count() -> None:
    goals = counted(made_up())
    assert [(goal["met"], goal["rows"], goal["result"]) for goal in goals] == [
        (15, 15, "reached")
    ] * 4
    assert [goal["needed"] for goal in goals] == [15, 15, 12, 12]


@pytest.mark.usefixtures("benchmarks")
def test_misses_and_figures_without_a_value_are_named() -> None:
    rows = made_up()
    rows.loc[0, "acd"] = 0.0201
    rows.loc[1, "davies_bouldin"] += 0.001
    rows.loc[:2, "real_precision"] = None
    rows.loc[3:6, "facility_q"] = 0.051
    goals = counted(rows)
    assert [goal["met"] for goal in goals] == [14, 14, 12, 11]
    assert [goal["result"] for goal in goals] == ["missed", "missed", "reached", "missed"]
    assert goals[0]["missed"] == "5v3 cnn_1"
    assert goals[2]["not_measured"] == "5v3 cnn_1, 5v3 cnn_2, 5v3 cnn_4"
    assert (goals[3]["missed"].count(","), goals[3]["not_measured"]) == (3, "")


@pytest.mark.usefixtures("benchmarks")
def test_a_goal_is_open_while_rows_decide_that_are_not_there() -> None:
    rows = made_up()[:13]
    rows.loc[0, "yield"] = 0.5
    rows.loc[12, "precision"] = 0.1
    goals = counted(rows)
    assert [goal["result"] for goal in goals] == ["missed", "open", "reached", "reached"]
    assert [(goal["met"], goal["rows"]) for goal in goals] == [
        (12, 13),
        (13, 13),
        (12, 13),
        (13, 13),
    ]
    assert {goal["result"] for goal in counted(made_up()[:0])} == {"open"}


@pytest.mark.usefixtures("benchmarks")
def test_new_rows_replace_their_own_only(tmp_path: Path) -> None:
    from reproduction import main, merged

    before = made_up()[:2].assign(acd=0.5)
    assert merged(before, made_up()[1:3])["acd"].tolist() == [0.5, 0.02, 0.02]
    shutil.copytree(DOCS / "reproduction", tmp_path / "reproduction")
    shutil.copy(DOCS / "reproduction.md", tmp_path)
    made_up().to_csv(tmp_path / "reproduction/rows.csv", index=False)
    main(tmp_path, [])
    page = (tmp_path / "reproduction.md").read_text()
    assert "15 of 15 rows are there, and of 9v4 1 of 3." in page
    assert "| 3v0 (Fashion) | cnn_16 | 0.38 / 0.38 | 1.14 / 1.14 |" in page
    main(tmp_path, [])
    assert (tmp_path / "reproduction.md").read_text() == page


@pytest.mark.usefixtures("benchmarks")
def test_a_row_is_read_from_the_tables_of_its_run(tmp_path: Path) -> None:
    from reproduction import read_sweep

    case = "mnist_7v1"
    run = {"positive": 7, "negative": 1, "seed": 3}
    record = Record(**run, ended="whole", finished={"cnn_1": ("gasten_25",)})  # type: ignore[arg-type]
    state = State(settings={"dataset": "mnist"}, records={"7v1_seed_3": record})
    data = tmp_path / "mnist_7v1/seed_3"
    of_model, ledger = data / f"08_reporting/{case}/cnn_1", data / f"06_models/{case}/ledger"
    (of_model / "gasten_25").mkdir(parents=True)
    ledger.mkdir(parents=True)
    (tmp_path / "mnist_7v1/state.json").write_text(state.model_dump_json())
    scores = {"accuracy": 0.97, "test_images": 200, "borderline_test_images": 9}
    pd.DataFrame([scores]).to_csv(of_model / "classifier_scores.csv")
    figures = ["fd_lenet", "fd_lenet_n"]
    figures += [
        f"{n}_lenet_borderline{end}" for n in ("fd", "precision", "density") for end in ("", "_n")
    ]
    shared = dict.fromkeys([*figures, "borderline", "images", "seconds", "rule", "acd"], 1)
    board = pd.DataFrame({"source": ["gasten_25", "hybrid", "real images"], **shared})
    board = board.assign(chosen=[False, True, False], **{"yield": [0.1, 1, 0.2]})
    board["total_variation_borderline"] = [0.3, 0.4, 0.5]
    board.to_csv(of_model / "leaderboard.csv")
    clusters = {"recipe": "r", "davies_bouldin": 1, "clusters": 3, "silhouette_original": 0.1}
    alone = pd.DataFrame(
        {
            "reduction": ["pca", "umap", "tsne", "umap"],
            "clustering": ["gmm", "kmeans", "gmm", "gmm"],
            "objective": [0.9, 0.8, 0.3, 0.5],
            "silhouette": [0.9, 0.8, 0.3, 0.5],
        }
    )
    alone.assign(**clusters).to_csv(of_model / "gasten_25/alone.csv")
    flow = data / f"08_reporting/{case}/diffusion"
    flow.mkdir()
    pd.DataFrame({"epoch": [1, 2], "seconds": [5, 6]}).to_csv(flow / "history.csv")
    for node, seconds in {
        "clustering.a": 1,
        "clustering.b": 2,
        "clustering.x.cluster_alone": 9,
    }.items():
        (ledger / f"cnn_1.{node}.json").write_text(json.dumps({"seconds": seconds}))
    (row,) = read_sweep(tmp_path).to_dict("records")
    assert (row["dataset"], row["pair"], row["model"], row["seed"]) == ("mnist", "7v1", "cnn_1", 3)
    assert (row["generator"], row["yield"], row["gasten_yield"]) == ("hybrid", 1, 0.1)
    assert (row["total_variation"], row["real_total_variation"]) == (0.4, 0.5)
    assert row["gasten_silhouette"] == 0.5, "the best of the paper's reductions and clusterings"
    assert (row["seconds_clustering"], row["seconds_alone"]) == (3, 9)
    assert (row["seconds_flow"], row["seconds_step_1"]) == (11, None)
