from __future__ import annotations

import math
from io import BytesIO

import pandas as pd
import pytest
import torch

from borderline.errors import BorderlineError
from borderline.grid import Grid
from borderline.measures.confusion import probability_histogram
from borderline.params import ConfusionParams
from borderline.pipelines.metrics.figures import draw_probability_histogram
from borderline.pipelines.metrics.leaderboard import choose, score_generator
from borderline.pipelines.metrics.nodes import choose_generator, select_borderline
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


def test_chosen_generators_borderline_images_are_selected() -> None:
    grid = Grid(models=("m",), generators=("x", "y"))
    metrics = MetricsParams(histogram_bins=20, choose="max_yield")
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
    borderline, _ = select_borderline(leaderboard, ConfusionParams(band=0.1), *images)
    assert borderline["images"].unique().tolist() == [1.0]
    assert borderline["probabilities"].tolist() == pytest.approx([0.45, 0.55])
    assert torch.equal(borderline["latents"], images[1]["latents"][1:3])
