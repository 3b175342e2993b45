from __future__ import annotations

import math
from io import BytesIO

import pandas as pd
import pytest
import torch

from borderline.errors import BorderlineError
from borderline.grid import Grid
from borderline.measures.confusion import probability_histogram
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.classifier.networks import build_judge
from borderline.pipelines.metrics.figures import draw_probability_histogram, draw_side_by_side
from borderline.pipelines.metrics.leaderboard import choose, score_generator
from borderline.pipelines.metrics.nodes import (
    choose_generator,
    measure_generator,
    select_borderline,
)
from borderline.pipelines.metrics.params import MetricsParams


def test_scores_state_their_n_and_tell_all_from_borderline() -> None:
    random = torch.Generator().manual_seed(0)
    real = torch.randn(300, 4, generator=random)
    features = torch.randn(200, 4, generator=random)
    p = torch.cat([torch.full((150,), 0.99), torch.full((50,), 0.52)])
    features[150:] += 5
    scores = score_generator(p, features, real, band=0.1)
    assert (scores["images"], scores["borderline"], scores["yield"]) == (200, 50, 0.25)
    assert scores["acd"] == pytest.approx(0.75 * 0.49 + 0.25 * 0.02, abs=1e-6)
    assert scores["fd_lenet_borderline"] > scores["fd_lenet"] + 50
    draw_probability_histogram(probability_histogram(p), scores, 0.1).savefig(BytesIO())


def test_too_few_borderline_images_have_no_distance() -> None:
    scores = score_generator(torch.full((100,), 0.9), torch.randn(100, 4), torch.randn(100, 4), 0.1)
    assert (scores["borderline"], scores["yield"]) == (0, 0)
    assert math.isnan(scores["fd_lenet_borderline"])
    assert not math.isnan(scores["fd_lenet"])


LEADERBOARD = pd.DataFrame(
    {
        "generator": ["a", "b", "c"],
        "yield": [0.2, 0.5, 0.5],
        "fd_lenet": [5.0, 30.0, 20.0],
    }
)


@pytest.mark.parametrize(
    ("rule", "chosen"), [("max_yield", "c"), ("min_fd_lenet", "a"), ("b", "b")]
)
def test_rule_picks_and_is_said_in_words(rule: str, chosen: str) -> None:
    name, words = choose(LEADERBOARD, rule)
    assert name == chosen
    assert words


def test_missing_distance_loses_ties() -> None:
    table = LEADERBOARD.assign(fd_lenet=[5.0, math.nan, 20.0])
    assert choose(table, "max_yield")[0] == "c"
    assert choose(table.assign(fd_lenet=[math.nan, 30, 20]), "min_fd_lenet")[0] == "c"


def test_unknown_rule() -> None:
    with pytest.raises(BorderlineError, match=r"metrics\.choose is 'best'"):
        choose(LEADERBOARD, "best")


@pytest.mark.parametrize(("most", "kept"), [(100, 4), (3, 3), (2, 2), (1, 1)])
def test_chosen_generators_borderline_images_are_selected(most: int, kept: int) -> None:
    grid = Grid(models=("m",), generators=("x", "y"))
    metrics = MetricsParams(histogram_bins=20, choose="max_yield", most_borderline=most)
    scores = [pd.DataFrame([{"yield": y, "fd_lenet": 1.0}]) for y in (0.25, 0.5)]
    leaderboard = choose_generator(grid, metrics, *scores)
    assert leaderboard["generator"].tolist() == ["x", "y"]
    assert leaderboard["chosen"].tolist() == [False, True]
    images = [
        {
            "images": torch.full((4, 1, 8, 8), value),
            "latents": torch.randn(4, 2),
            "probabilities": torch.tensor([0.1, 0.45, 0.55, 0.9]),
        }
        for value in (-1.0, 1.0)
    ]
    parts = [{f"part_{i:05d}": lambda part=part: part for i in range(2)} for part in images]
    borderline, _ = select_borderline(leaderboard, ConfusionParams(band=0.1), metrics, *parts)
    assert borderline["images"].unique().tolist() == [1.0]
    assert borderline["probabilities"].tolist() == pytest.approx(([0.45, 0.55] * 2)[:kept])
    expected = torch.cat([images[1]["latents"][1:3]] * 2)[:kept]
    assert torch.equal(borderline["latents"], expected)


def test_generator_without_images_is_scored_and_drawn_and_never_chosen(run: RunParams) -> None:
    nothing = {"images": torch.empty(0, 1, 8, 8), "probabilities": torch.empty(0)}
    outcome = pd.DataFrame([{"images": 0, "seconds": 1.0, "note": "one-sided"}])
    judge = build_judge(10, (1, 8, 8))
    metrics = MetricsParams(histogram_bins=20, choose="max_yield", most_borderline=9)
    scores, histogram, figure = measure_generator(
        {"part_00000": lambda: nothing},
        outcome,
        judge,
        {"features": torch.randn(100, 64)},
        metrics,
        ConfusionParams(band=0.1),
        run,
    )
    assert scores["images"][0] == 0
    assert math.isnan(scores["yield"][0])
    assert scores["note"][0] == "one-sided"
    assert histogram["images"].sum() == 0
    figure.savefig(BytesIO())
    other = pd.DataFrame([{"yield": 0.001, "fd_lenet": 9.0}])
    grid = Grid(models=("m",), generators=("none", "some"))
    assert choose_generator(grid, metrics, scores, other)["chosen"].tolist() == [False, True]


def test_side_by_side_draws_every_strip_and_a_note_for_none(run: RunParams) -> None:
    images = torch.rand(30, 1, 8, 8) * 2 - 1
    figure = draw_side_by_side(
        [("real", images, torch.rand(30)), ("none", images[:0], torch.rand(0))]
    )
    figure.savefig(BytesIO())
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["real", "none", "none"]
