"""The nodes of stage 3, on images of a generator that is made up."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable

import pandas as pd
import pytest
import torch
from torch import Tensor

from borderline.grid import Grid
from borderline.measures.realism import Moments, frechet_distance
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.classifier.networks import Classifier, build_judge, build_model
from borderline.pipelines.metrics.comparison import REAL
from borderline.pipelines.metrics.nodes import (
    choose_generator,
    describe_model,
    describe_real_images,
    find_front,
    gather_epochs,
    measure_generator,
    measure_realism,
    select_borderline,
    show_histograms,
)
from borderline.records import LabelledImages
from conftest import metrics_params

METRICS = metrics_params(sample_size=150, fewest_images=10, neighbours=3)
GRID = Grid(models=("m",), generators=("x", "y"), runs=1, judges=("lenet", "classifier"))
BAND = ConfusionParams(band=0.1)
OUTCOME = pd.DataFrame([{"images": 0, "seconds": 1.0, "note": "one-sided"}])
CALIBRATION = pd.DataFrame([{"temperature": 2.0}])

Parts = dict[str, Callable[[], dict[str, Tensor]]]


@pytest.fixture(scope="module")
def judge() -> Classifier:
    torch.manual_seed(0)
    return build_judge(2, (1, 12, 12)).eval()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return build_model("cnn", 1, (1, 12, 12)).eval()


@pytest.fixture(scope="module")
def references(
    judge: Classifier, classifier: Classifier, pair_images: LabelledImages, run: RunParams
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    test = {name: tensor[:20] for name, tensor in pair_images.items()}
    features = {
        "features": judge.embed(pair_images["images"]).detach(),
        "test_features": judge.embed(test["images"]).detach(),
    }
    return (
        describe_real_images(features, METRICS, run),
        describe_model(classifier, pair_images, test, GRID, METRICS, run),
    )


def images_of(seed: int, n: int = 200) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 1, 12, 12, generator=random) * 2 - 1
    return {"images": images, "probabilities": torch.rand(n, generator=random)}


def in_parts(everything: dict[str, Tensor], size: int) -> Parts:
    pieces = zip(*(tensor.split(size) for tensor in everything.values()), strict=True)
    parts = [dict(zip(everything, piece, strict=True)) for piece in pieces]
    return {f"part_{i:05d}": lambda part=part: part for i, part in enumerate(parts)}


def measured(
    parts: Parts,
    references: tuple[dict[str, Tensor], dict[str, Tensor]],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Tensor]]:
    arguments = (OUTCOME, CALIBRATION, *references, GRID, METRICS, BAND, run, judge, classifier)
    return measure_generator(parts, *arguments)


def test_scores_are_exact_and_do_not_depend_on_the_parts(
    references: tuple[dict[str, Tensor], dict[str, Tensor]],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    everything = images_of(0)
    whole = measured(in_parts(everything, 200), references, judge, classifier, run)
    for size in (1, 33, 64):
        scores, histogram, features = measured(
            in_parts(everything, size), references, judge, classifier, run
        )
        pd.testing.assert_frame_equal(scores, whole[0], rtol=1e-9)
        pd.testing.assert_frame_equal(histogram, whole[1])
        for name, tensor in features.items():
            assert torch.allclose(tensor, whole[2][name], atol=1e-6)
    row, p = whole[0].iloc[0], everything["probabilities"].double()
    assert row["images"] == 200
    assert row["borderline"] == int(((p - 0.5).abs() < 0.1).sum())
    assert row["acd"] == pytest.approx((p - 0.5).abs().mean().item())
    calibrated = torch.sigmoid(torch.logit(p) / 2)
    assert row["acd_calibrated"] == pytest.approx((calibrated - 0.5).abs().mean().item())
    assert row["acd_calibrated"] < row["acd"]
    embedded = Moments.of(judge.embed(everything["images"]))
    real = Moments.of(references[0]["lenet.features"])
    expected = frechet_distance(embedded, real)
    assert row["fd_lenet"] == pytest.approx(expected, rel=1e-4, nan_ok=True)
    assert row["fd_classifier"] > 0
    assert whole[1]["images"].sum() == whole[1]["calibrated"].sum() == 200
    assert whole[2]["lenet.all"].shape == (150, 64)
    assert len(whole[2]["classifier.borderline"]) == row["borderline"]


def test_no_more_than_two_parts_are_in_memory(
    references: tuple[dict[str, Tensor], dict[str, Tensor]],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    alive: set[int] = set()
    most = 0

    def load(seed: int) -> dict[str, Tensor]:
        nonlocal most
        part = images_of(seed, 100)
        alive.add(seed)
        weakref.finalize(part["images"], alive.discard, seed)
        most = max(most, len(alive))
        return part

    parts = {f"part_{i:05d}": lambda i=i: load(i) for i in range(30)}
    scores, _, features = measured(parts, references, judge, classifier, run)
    assert scores["images"][0] == 3000
    assert most <= 2
    assert all(len(tensor) <= METRICS.sample_size for tensor in features.values())


def test_from_images_to_the_choice(
    references: tuple[dict[str, Tensor], dict[str, Tensor]],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    nothing = {"images": torch.empty(0, 1, 12, 12), "probabilities": torch.empty(0)}
    parts = [in_parts(images_of(0), 64), {"part_00000": lambda: nothing}]
    scores, histograms, features = zip(
        *(measured(p, references, judge, classifier, run) for p in parts), strict=True
    )
    assert math.isnan(scores[1]["yield"][0])
    assert scores[1]["note"][0] == "one-sided"
    realism = measure_realism(*references, GRID, METRICS, BAND, run, *features)
    leaderboard, figure = choose_generator(
        realism, references[1], CALIBRATION, GRID, METRICS, BAND, *scores
    )
    assert leaderboard["source"].tolist() == ["x", "y", REAL]
    assert leaderboard["chosen"].tolist() == [True, False, False]
    assert figure.data
    history = pd.DataFrame(
        {"epoch": [0, 1], "images": 100, "fd_lenet": [9.0, 5.0], "yield": 0.1, "acd": [0.3, 0.2]}
    )
    epochs, curves = gather_epochs(x=history, gan=history.drop(columns=["yield", "acd"]))
    assert epochs["source"].tolist() == ["x", "x", "gan", "gan"]
    assert len(curves.data) == 4
    real = {"features": references[0]["lenet.features"].float()}
    points, front = find_front(epochs, real, leaderboard, METRICS, *features)
    assert points["source"].tolist() == ["x", "x", "x", "y"]
    assert points["n"].tolist() == [100, 100, 100, 0]
    expected = Moments.of(features[0]["lenet.all"][:100])
    distance = frechet_distance(expected, Moments.of(real["features"]))
    assert points["fd_lenet"].iloc[2] == pytest.approx(distance, nan_ok=True)
    assert points["knee"].sum() == 1
    knee_at = next(a for a in front.layout.annotations if a.text == "knee")
    assert 10**knee_at.x == pytest.approx(points["fd_lenet"][points["knee"]].item())
    assert not points["on_front"].iloc[-1]
    assert front.data
    shown = show_histograms(leaderboard, BAND, *histograms).data
    assert list(shown[0].customdata) == histograms[0]["images"].tolist()
    shares = [y * 200 for y in shown[1].y[:-1]]
    assert shares == pytest.approx(histograms[0]["calibrated"].tolist())
    dots = figure.data[0]
    assert list(dots.x) == pytest.approx(leaderboard["yield"].tolist(), nan_ok=True)
    assert dots.error_x.array[0] == pytest.approx(
        leaderboard["yield_high"][0] - leaderboard["yield"][0]
    )
    floor = leaderboard.set_index("source").loc[REAL]
    assert floor["acd_calibrated"] < floor["acd"], "a temperature of 2"


def test_model_without_a_temperature_has_no_calibrated_figures(
    references: tuple[dict[str, Tensor], dict[str, Tensor]],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    none = pd.DataFrame([{"temperature": math.nan}])
    arguments = (OUTCOME, none, *references, GRID, METRICS, BAND, run, judge, classifier)
    scores, histogram, _ = measure_generator(in_parts(images_of(0), 100), *arguments)
    assert math.isnan(scores["acd_calibrated"][0])
    assert scores["acd"][0] > 0
    assert histogram["calibrated"].isna().all()


def test_without_a_training_the_front_is_of_the_generators(
    references: tuple[dict[str, Tensor], dict[str, Tensor]],
) -> None:
    random = torch.Generator().manual_seed(0)
    samples = [{"lenet.all": torch.randn(n, 64, generator=random)} for n in (150, 120, 0)]
    leaderboard = pd.DataFrame(
        {"source": [*"xyz", REAL], "acd": [0.1, 0.2, None, 0.4], "chosen": [True, *[False] * 3]}
    )
    epochs, curves = gather_epochs()
    assert not curves.data
    real = {"features": torch.randn(300, 64, generator=random)}
    points, _ = find_front(epochs, real, leaderboard, METRICS, *samples)
    assert points["n"].tolist() == [120, 120, 0]
    assert points["fd_lenet"].notna().tolist() == [True, True, False]


@pytest.mark.parametrize(("most", "kept"), [(100, 4), (3, 3), (2, 2), (1, 1)])
def test_chosen_generators_borderline_images_are_selected(most: int, kept: int) -> None:
    metrics = METRICS.model_copy(update={"most_borderline": most})
    leaderboard = pd.DataFrame({"source": ["x", "y", REAL], "chosen": [False, True, False]})
    images = [
        {
            "images": torch.full((4, 1, 8, 8), value),
            "latents": torch.randn(4, 2),
            "probabilities": torch.tensor([0.1, 0.45, 0.55, 0.9]),
        }
        for value in (-1.0, 1.0)
    ]
    parts = [{f"part_{i:05d}": lambda part=part: part for i in range(2)} for part in images]
    borderline, _ = select_borderline(leaderboard, BAND, metrics, *parts)
    assert borderline["images"].unique().tolist() == [1.0]
    assert borderline["probabilities"].tolist() == pytest.approx(([0.45, 0.55] * 2)[:kept])
    expected = torch.cat([images[1]["latents"][1:3]] * 2)[:kept]
    assert torch.equal(borderline["latents"], expected)
