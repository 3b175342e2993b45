from __future__ import annotations

import math

import pytest

from borderline.pipelines.gasten.early_stopping import best_epoch, counted, has_stopped
from borderline.pipelines.gasten.params import EarlyStoppingParams


def history(metric: str, *values: float) -> list[dict[str, float]]:
    return [{"epoch": epoch, metric: value} for epoch, value in enumerate(values)]


def rule(metric: str, patience: int, settled: int | None = None) -> EarlyStoppingParams:
    once = None if settled is None else {"metric": "fd_lenet", "patience": settled}
    return EarlyStoppingParams.model_validate(
        {"metric": metric, "patience": patience, "once_settled": once}
    )


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("acd", [0.4, 0.2, 0.3], 1),
        ("acd", [0.2, 0.2], 0),
        ("yield", [0.1, 0.3, 0.2], 1),
        ("fd_lenet", [math.nan, 9.0, 8.0], 2),
        ("fd_lenet", [math.nan], None),
    ],
)
def test_best_epoch(metric: str, values: list[float], best: int | None) -> None:
    assert best_epoch(history(metric, *values), metric) == best


def test_epochs_without_the_figure_are_passed_over() -> None:
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
        {"epoch": e, "fd_lenet": f, "acd": a} for e, (f, a) in enumerate(zip(fd, acd, strict=True))
    ]
    stop = rule("acd", 2, settled=2)
    # The distance is best in epoch 2 and has not improved for two epochs in epoch 4.
    assert [row["epoch"] for row in counted(rows, stop)] == [4, 5, 6, 7]
    assert counted(rows[:4], stop) == []
    assert best_epoch(counted(rows, stop), "acd") == 5
    assert [has_stopped(rows[:n], stop) for n in range(1, 9)] == [False] * 7 + [True]
    # Without the rule the first epoch, which is no GAN of the present term yet, would have won.
    assert best_epoch(rows, "acd") == 0
