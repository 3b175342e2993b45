from __future__ import annotations

import math

import pytest

from borderline.pipelines.gasten.checkpoint_choice import best_epoch, counted, has_stopped
from borderline.pipelines.gasten.gan_params import EarlyStoppingParams


def history(metric: str, *values: float) -> list[dict[str, float]]:
    return [{"epoch": epoch, metric: value} for epoch, value in enumerate(values, start=1)]


def rule(metric: str, patience: int, settled: int | None = None) -> EarlyStoppingParams:
    once = None if settled is None else {"metric": "fd_lenet", "patience": settled}
    return EarlyStoppingParams.model_validate(
        {"metric": metric, "patience": patience, "once_settled": once}
    )


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("acd", [0.4, 0.2, 0.3], 2),
        ("acd", [0.2, 0.2], 1),
        ("yield", [0.1, 0.3, 0.2], 2),
        ("fd_lenet", [math.nan, 9.0, 8.0], 3),
        ("fd_lenet", [math.nan], None),
    ],
)
def test_best_epoch(metric: str, values: list[float], best: int | None) -> None:
    assert best_epoch(history(metric, *values), metric) == best


def test_epochs_without_the_score_are_passed_over() -> None:
    assert best_epoch([{"epoch": 1}, {"epoch": 2, "acd": 0.3}], "acd") == 2


@pytest.mark.parametrize(
    ("values", "stopped"),
    [
        ([0.3], False),
        ([0.3, 0.4], False),
        ([0.3, 0.4, 0.35], True),
        ([0.3, 0.4, 0.2], False),
        ([0.3, 0.4, 0.2, 0.2, 0.3], True),
    ],
)
def test_training_stops_after_its_patience(values: list[float], stopped: bool) -> None:
    assert has_stopped(history("acd", *values), rule("acd", 2)) is stopped


def test_no_rule_never_stops() -> None:
    assert not has_stopped(history("acd", *[0.5] * 100), None)


def test_acd_counts_only_once_the_frechet_distance_has_settled() -> None:
    fd = [90, 50, 30, 31, 32, 33, 34, 35]
    acd = [0.10, 0.45, 0.40, 0.30, 0.30, 0.20, 0.25, 0.26]
    rows = [
        {"epoch": e, "fd_lenet": f, "acd": a}
        for e, (f, a) in enumerate(zip(fd, acd, strict=True), start=1)
    ]
    stop = rule("acd", 2, settled=2)
    # The distance is best in epoch 3 and has not improved for two epochs in epoch 5.
    assert [row["epoch"] for row in counted(rows, stop)] == [5, 6, 7, 8]
    assert counted(rows[:4], stop) == []
    assert best_epoch(counted(rows, stop), "acd") == 6
    assert [has_stopped(rows[:n], stop) for n in range(1, 9)] == [False] * 7 + [True]
    # Without the rule the first epoch, which is no GAN of the present term yet, would have won.
    assert best_epoch(rows, "acd") == 1


def test_what_step_2_starts_from_is_no_epoch_of_it() -> None:
    rows = [{"epoch": 0, "fd_lenet": 1.0}, *history("fd_lenet", 60.0, 50.0, 55.0)]
    assert [row["epoch"] for row in counted(rows, rule("fd_lenet", 2))] == [1, 2, 3]
    assert not has_stopped(rows, rule("fd_lenet", 2))


def test_epochs_beyond_the_stop_do_not_count_however_they_came_about() -> None:
    rows = history("fd_lenet", 9.0, 5.0, 6.0, 7.0, 8.0, 4.0, 3.0, 3.5, 3.6)
    stop = rule("fd_lenet", 2)
    for length in (4, 6, 9):
        assert has_stopped(rows[:length], stop)
        assert best_epoch(counted(rows[:length], stop), "fd_lenet") == 2


@pytest.mark.parametrize("metric", ["fid", "fd_classifier"])
def test_every_distance_stops_a_training(metric: str) -> None:
    assert has_stopped(history(metric, 3.0, 4.0, 5.0), rule(metric, 2))
    assert not has_stopped(history(metric, 3.0, 2.0, 1.0), rule(metric, 2))
