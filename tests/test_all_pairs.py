"""All pairs of a data set: each once, with its orientation, in one table and one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from borderline.cli import cli
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.findings import VERDICTS
from borderline.params import PairParams
from borderline.sweeps import command, matrix, pairs
from borderline.sweeps.plan import Plan, SweepRun
from borderline.sweeps.state import Failure, Record, State
from conftest import start_kedro


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    start_kedro()
    return project


def source_of(*classes: str) -> SourceImages:
    images = {"images": torch.zeros(1), "labels": torch.arange(len(classes))}
    return SourceImages("toy", classes, images, None)  # type: ignore[arg-type]


def parameters_of(positive: int | str, negative: int | str) -> Any:
    settings = {"positive": positive, "negative": negative, "test_share": 0.2}
    return SimpleNamespace(pair=PairParams(**settings))


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes count as large enough."""
    monkeypatch.setattr(pairs, "check_counts", lambda _: None)
    monkeypatch.setattr(pairs, "_checked", lambda *_: (0, 1))


@pytest.mark.parametrize(
    ("classes", "words", "own", "known", "expected"),
    [
        ("0123", [], (0, 1), {}, [(0, 1), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2)]),
        ("0123", ["3", "1", "2"], (1, 0), {"a": (1, 2)}, [(1, 2), (3, 1), (3, 2)]),
        # Environments that disagree, or that are about other classes, decide nothing.
        ("012", ["2", "1"], (1, 0), {"a": (1, 2), "b": (2, 1), "c": (9, 2)}, [(2, 1)]),
        # The environment's pair comes first, and keeps its spelling.
        (["a", "t-shirt/top"], ["t-shirt/top", "a"], ("a", 1), {"a": (1, 0)}, [("a", 1)]),
        # A number would mean the class of that name, and 007 is no number.
        (["1", "0", "007"], [], (1, 0), {}, [(1, 0), ("007", 1), ("007", 0)]),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_each_pair_is_there_once_and_environments_keep_theirs(
    classes: Any, words: list[str], own: pairs.Pair, known: Mapping[str, pairs.Pair], expected: Any
) -> None:
    found = pairs.all_pairs(words, source_of(*classes), parameters_of(*own), known)
    assert found == expected
    assert list(map(repr, found)) == list(map(repr, expected))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["1"], "--classes names 1 class, but a pair has two"),
        (["1", "cat"], "--classes names 'cat' twice"),
        (["1", "9"], "--classes is 9, but toy has no such class"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_classes_are_known_and_at_least_two(words: list[str], says: str) -> None:
    with pytest.raises(BorderlineError, match=says):
        pairs.all_pairs(words, source_of("dog", "cat"), parameters_of(0, 1), {})


def test_a_class_with_too_few_images_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BorderlineError, match=r"^The class dog of toy has only 1 training images"):
        pairs.all_pairs(["cat", "cow"], source_of("dog", "cat", "cow"), parameters_of(0, 1), {})
    monkeypatch.setattr(pairs, "check_counts", lambda _: None)

    def refuse(pair: pairs.Pair, *_: object) -> None:
        if 2 in pair:
            raise BorderlineError("Too few.")

    monkeypatch.setattr(pairs, "_checked", refuse)
    source = source_of("dog", "cat", "cow")
    with pytest.raises(BorderlineError, match=r"'cat' and 'cow' cannot be .* correct this: Too"):
        pairs.all_pairs([], source, parameters_of(0, 1), {})


def test_pairs_of_environments_are_those_with_the_same_images(here: Path) -> None:
    assert pairs.pairs_of_environments(here / "conf", "mnist") == {
        "mnist_5v3": (5, 3),
        "mnist_7v1": (7, 1),
        "mnist_8v0": (8, 0),
        "mnist_9v4": (9, 4),
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--all-pairs", "--pairs", "3v0"], "--pairs and --all-pairs both name the pairs"),
        (["--classes", "0,1"], "--classes limits --all-pairs: add that option, or remove it"),
        (["--all-pairs", "--classes", "0,12"], "--classes is 12, but MNIST sample has no such"),
    ],
)
def test_a_wrong_choice_of_pairs_is_one_sentence(
    here: Path, arguments: list[str], says: str
) -> None:
    result = CliRunner().invoke(cli, ["sweep", "--env", "test", *arguments])
    assert result.exit_code == 1
    assert f"Error: {says}" in result.stderr
    assert not (here / "data").exists()


def test_the_number_of_runs_is_said_before_the_first_one(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise BorderlineError("The first one.")

    monkeypatch.setattr("borderline.sweeps.sweep_run.separate_process", stop)
    options = ("--all-pairs", "--classes", "7,1,0", "--seeds", "3,4")
    result = CliRunner().invoke(cli, ["sweep", "--env", "test", *options])
    said = "6 sweep runs: 3 pairs of 3 classes, 2 of each (positive class first: 1v0, 7v0, 7v1)."
    assert result.stdout.splitlines()[0] == said


@pytest.fixture
def swept(tmp_path: Path) -> tuple[Any, State, pd.DataFrame]:
    """Three classes, one model, two seeds: one pair has both, one has one, one failed."""
    runs = [SweepRun(*pair, seed) for pair in ((1, 0), (2, 0), (2, 1)) for seed in (0, 1)]
    labels = {run.pair: (int(run.positive), int(run.negative)) for run in runs}
    plan: Any = SimpleNamespace(
        sweep_runs=tuple(runs), labels=labels, classes=("nan", "$x", "c"), models=("cnn_1",)
    )
    plan.reporting = lambda run: tmp_path / run.name
    state, rows = State(settings={}), []
    for run in runs[:4]:
        done = run.name != "2v0_seed_1"
        failure = Failure(model=None, generator=None, node=None, says="It broke.")
        state = state.noted(
            Record(
                positive=run.positive,
                negative=run.negative,
                seed=run.seed,
                ended="whole" if done else "failed",
                finished={"cnn_1": ("hybrid",)} if done else {},
                failures=() if done else (failure,),
            )
        )
        names = {"pair": run.pair, "model": "cnn_1", "generator": "hybrid", "seed": run.seed}
        scores = {"chosen": True, "yield": 0.2 + 0.4 * run.seed, "failed": ""}
        rows.append(names | (scores if done else {"failed": "It broke."}))
        folder = tmp_path / run.name / "cnn_1"
        folder.mkdir(parents=True)
        counts = {"true_positive": 3, "false_negative": 1, "true_negative": 4, "false_positive": 0}
        scores_table = pd.DataFrame([{**counts, "test_images": 8}])
        scores_table.to_csv(folder / "classifier_scores.csv")
        verdicts = pd.DataFrame({"verdict": ["weakness", "weakness", "ambiguous", "undecided"]})
        verdicts.to_csv(folder / "verdicts.csv")
    return plan, state, pd.DataFrame(rows)


def test_the_table_of_pairs_has_means_over_seeds_and_reasons(
    swept: tuple[Plan, State, pd.DataFrame],
) -> None:
    table = matrix.pair_table(*swept).set_index("pair")
    both = table.loc["1v0"]
    assert (both["positive"], both["negative"], both["seeds"]) == ("$x", "nan", 2)
    assert (both["generator"], both["yield"]) == ("hybrid", pytest.approx(0.4))
    assert (both["errors"], both["positive_errors"], both["negative_errors"]) == (1 / 8, 1 / 4, 0)
    assert [both[name] for name in VERDICTS] == [0, 0, 0, 0.5, 0.25, 0.25]
    assert tuple(table.loc["2v0", ["seeds", "yield", "failed"]]) == (1, 0.2, "")
    assert tuple(table.loc["2v1", ["seeds", "failed"]]) == (0, "It has not run.")
    assert math.isnan(table.loc["2v1", "weakness"])


def test_the_picture_has_the_pair_in_both_cells_and_errors_by_class(
    swept: tuple[Plan, State, pd.DataFrame],
) -> None:
    plan, state, gathered = swept
    figure = matrix.draw_matrix(plan, matrix.pair_table(plan, state, gathered), "cnn_1")
    cells = {ax.get_title(): [text.get_text() for text in ax.texts] for ax in figure.axes}
    assert cells["Yield of the chosen generator"] == ["", "40", "20", "40", "", "x", "20", "x", ""]
    assert cells["Errors on test images"] == ["", "0", "0", "25", "", "x", "25", "x", ""]
    assert cells["Verdict: the model's weakness"][1] == "50"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["nan", r"\$x", "c"]


def test_the_pairs_are_saved_for_each_model(
    swept: tuple[Any, State, pd.DataFrame], tmp_path: Path
) -> None:
    plan, state, gathered = swept
    plan.folder = tmp_path
    assert command._save_pairs(plan, state, gathered) == ["pairs.csv", "pairs_cnn_1.png"]
    assert (tmp_path / "pairs_cnn_1.png").read_bytes().startswith(b"\x89PNG")
    assert list(pd.read_csv(tmp_path / "pairs.csv")["pair"]) == ["1v0", "2v0", "2v1"]
