from __future__ import annotations

import math

import pandas as pd
import pytest

from borderline.errors import BorderlineError
from borderline.pipelines.metrics.comparison import COLUMNS, REAL
from borderline.pipelines.metrics.leaderboard import choose, gather_scores, lay_out_leaderboard

SCORES = pd.DataFrame(
    {
        "source": ["far", "between", "near", "blends", REAL],
        "borderline": [5, 60, 100, 100, 3],
        "yield": [0.05, 0.6, 1.0, 1.0, 0.03],
        "acd": [0.4, 0.1, 0.01, 0.01, 0.45],
    }
)


def row(source: str, images: str, against: str, measure: str, value: float, n: int = 100) -> tuple:
    note = "too few" if math.isnan(value) else ""
    return (source, images, against, "lenet", measure, n, value, value - 1, value + 1, note)


def realism() -> pd.DataFrame:
    rows = []
    fd = {"far": 10.0, "between": 40.0, "near": 100.0, "blends": 300.0, REAL: 2.0}
    for source, value in fd.items():
        rows.append(row(source, "all", "real", "fd_lenet", value))
        rows.append(row(source, "borderline", "real", "fd_lenet", value + 50, 60))
        for measure in ("precision", "density", "coverage", "vendi", "near_duplicates"):
            rows.append(row(source, "borderline", "real", f"{measure}_lenet", 0.5, 60))
        if source != REAL:
            rows.append(row(source, "borderline", "real borderline", "fd_lenet", math.nan, 0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture
def leaderboard() -> pd.DataFrame:
    return lay_out_leaderboard(SCORES, realism())


def test_headlines_stand_beside_their_intervals_and_n(leaderboard: pd.DataFrame) -> None:
    near = leaderboard.set_index("source").loc["near"]
    assert (near["fd_lenet"], near["fd_lenet_low"], near["fd_lenet_high"]) == (100, 99, 101)
    assert (near["fd_lenet_n"], near["fd_lenet_borderline_n"]) == (100, 60)
    assert near["fd_lenet_borderline"] == 150
    assert math.isnan(near["fd_lenet_to_borderline"])


def test_front_is_of_generators_only(leaderboard: pd.DataFrame) -> None:
    assert leaderboard["on_front"].tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "bound", "chosen", "words"),
    [
        ("knee", None, "between", "knee of the front of fd_lenet and ACD"),
        ("min_acd", 100, "near", "lowest ACD where fd_lenet is at most 100"),
        ("min_acd", 50, "between", "lowest ACD where fd_lenet is at most 50"),
        ("min_acd", 1, "far", "lowest fd_lenet, because none is at most 1"),
        ("max_yield", None, "near", "highest yield"),
        ("blends", None, "blends", "named in metrics.choose"),
    ],
)
def test_rule_chooses_and_has_words(
    leaderboard: pd.DataFrame, rule: str, bound: float | None, chosen: str, words: str
) -> None:
    assert choose(leaderboard, rule, bound) == (chosen, words)


def test_rules_follow_the_distance_of_the_front(leaderboard: pd.DataFrame) -> None:
    of_others = leaderboard.rename(columns=lambda name: name.replace("fd_lenet", "fid"))
    name, words = choose(of_others, "min_acd", 50, "fid")
    assert (name, words) == ("between", "lowest ACD where fid is at most 50")


def test_without_any_distance_the_lowest_acd_is_taken(leaderboard: pd.DataFrame) -> None:
    for rule in ("knee", "min_acd"):
        name, words = choose(leaderboard.assign(fd_lenet=math.nan), rule, 50)
        assert name == "near"
        assert "no fd_lenet is known" in words


def test_the_words_of_the_rule_tell_that_a_front_has_no_knee(leaderboard: pd.DataFrame) -> None:
    two = leaderboard[leaderboard["source"].isin(["far", "near"])]
    name, words = choose(two, "knee", None)
    assert name == "near"
    assert "no knee" in words


def test_highest_yields_are_told_apart_by_their_borderline_images(
    leaderboard: pd.DataFrame,
) -> None:
    assert choose(leaderboard, "max_yield", None)[0] == "near"
    other = leaderboard.assign(fd_lenet_borderline=[1.0, 1, 9, 8, 1])
    assert choose(other, "max_yield", None)[0] == "blends"


def test_generator_without_borderline_images_is_chosen_only_where_none_has_any(
    leaderboard: pd.DataFrame,
) -> None:
    table = leaderboard.assign(borderline=[5, 0, 0, 0, 3])
    assert choose(table, "knee", None)[0] == "far"
    assert choose(table, "max_yield", None)[0] == "far"
    assert choose(leaderboard.assign(borderline=0), "knee", None)[0] == "between"


def test_unknown_rule(leaderboard: pd.DataFrame) -> None:
    with pytest.raises(BorderlineError, match=r"metrics\.choose is 'best'"):
        choose(leaderboard, "best", None)
    with pytest.raises(BorderlineError, match="real images"):
        choose(leaderboard, "real images", None)


def with_baselines(*names: str, **changed: list[float]) -> pd.DataFrame:
    """The leaderboard in which these generators are baselines."""
    words = ["two images" if name in names else "" for name in SCORES["source"]]
    return lay_out_leaderboard(SCORES.assign(baseline=words, **changed), realism())


@pytest.mark.parametrize(
    ("baselines", "rule", "chosen"),
    [
        (("near",), "knee", "between"),
        (("near", "between"), "knee", "blends"),
        (("near", "blends"), "max_yield", "between"),
        (("near", "blends"), "min_acd", "between"),
        (("near",), "near", "near"),
    ],
)
def test_baseline_is_chosen_only_by_name(
    baselines: tuple[str, ...], rule: str, chosen: str
) -> None:
    bound = 500.0 if rule == "min_acd" else None
    board = with_baselines(*baselines)
    assert choose(board, rule, bound)[0] == chosen
    assert not board.set_index("source").loc[list(baselines), "on_front"].any()


def test_baselines_that_are_alone_are_chosen_by_the_rule() -> None:
    name, words = choose(with_baselines(*SCORES["source"][:-1]), "max_yield", None)
    assert (name, words) == ("near", "highest yield; all generators are baselines")


def test_baseline_is_not_chosen_where_only_it_has_borderline_images() -> None:
    name, words = choose(with_baselines("blends", borderline=[0, 0, 0, 9, 0]), "max_yield", None)
    assert (name, words) == ("near", "highest yield; only baselines have borderline images")


def test_scores_say_what_the_images_of_a_baseline_are() -> None:
    row = pd.DataFrame([{"acd": 0.1}])
    table = gather_scores({"x": row, "y": row}, {"acd": 0.4}, {"x": "", "y": "two images"})
    assert table["baseline"].tolist() == ["", "two images", ""]
