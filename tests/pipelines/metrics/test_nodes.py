"""The nodes of stage 3, on images of a generator that is made up."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable
from typing import TypeVar

import pandas as pd
import pytest
import torch

from borderline.grid import Grid
from borderline.measures.realism import Moments, frechet_distance
from borderline.measures.variation import total_variation
from borderline.params import RunParams
from borderline.pipelines.classifier.nodes import view_real_images
from borderline.pipelines.metrics.comparison import REAL
from borderline.pipelines.metrics.nodes import (
    choose_generator,
    compare_generators,
    describe_model,
    describe_real_images,
    find_front,
    gather_epochs,
    measure_generator,
    measure_realism,
    select_borderline,
    select_sampler,
    show_histograms,
)
from borderline.records import (
    FeatureSamples,
    LabelledImages,
    Part,
    Parts,
    RealFeatures,
    RealView,
    References,
    take_rows,
)
from borderline.training.networks import Classifier, build_judge, build_model
from conftest import BOUNDARY, generator_settings, metrics_params

METRICS = metrics_params(sample_size=150, fewest_images=10, neighbours=3)
GRID = Grid(models=("m",), generators=("x", "y"), runs=1, judges=("lenet", "classifier"))
OUTCOME = pd.DataFrame([{"images": 0, "seconds": 1.0, "note": "one-sided"}])
CALIBRATION = pd.DataFrame([{"temperature": 2.0}])
NAMES = {"source": "digits", "negative": "1", "positive": "7"}
PIXELS = generator_settings("pixel_bisection")
T = TypeVar("T")


@pytest.fixture(scope="module")
def judge() -> Classifier:
    torch.manual_seed(0)
    return build_judge(2, (1, 12, 12)).eval()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(1)
    return build_model("cnn", 1, (1, 12, 12)).eval()


@pytest.fixture(scope="module")
def real_view(classifier: Classifier, pair_images: LabelledImages, run: RunParams) -> RealView:
    test = take_rows(pair_images, slice(20))
    return view_real_images(classifier, pair_images, test, run=run)


@pytest.fixture(scope="module")
def references(
    judge: Classifier, real_view: RealView, pair_images: LabelledImages, run: RunParams
) -> dict[str, References]:
    features = judge.embed(pair_images["images"]).detach()
    real: RealFeatures = {"features": features, "test_features": features[:20]}
    return {
        "real_reference": describe_real_images(real, metrics=METRICS, run=run),
        "model_reference": describe_model(real_view, grid=GRID, metrics=METRICS),
    }


def images_of(seed: int, n: int = 200) -> Part:
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 1, 12, 12, generator=random) * 2 - 1
    return {"images": images, "probabilities": torch.rand(n, generator=random)}


def in_parts(images: Part, size: int) -> Parts:
    pieces = zip(*(tensor.split(size) for tensor in images.values()), strict=True)
    parts = [dict(zip(images, piece, strict=True)) for piece in pieces]
    return {f"part_{i:05d}": lambda part=part: part for i, part in enumerate(parts)}


def measured(
    parts: Parts,
    references: dict[str, References],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
    calibration: pd.DataFrame = CALIBRATION,
) -> tuple[pd.DataFrame, pd.DataFrame, FeatureSamples]:
    # The keywords of the networks are in no order.
    return measure_generator(
        images=parts,
        outcome_table=OUTCOME,
        calibration_table=calibration,
        **references,
        grid=GRID,
        metrics=METRICS,
        boundary=BOUNDARY,
        run=run,
        classifier=classifier,
        lenet=judge,
    )


def by_name(
    dataset: str, data: Iterable[T], names: Iterable[str] = GRID.generators
) -> dict[str, T]:
    """Datasets of the generators as their nodes get them."""
    return {f"{name}.{dataset}": value for name, value in zip(names, data, strict=True)}


def test_scores_are_exact_and_do_not_depend_on_the_parts(
    references: dict[str, References],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    images = images_of(0)
    whole = measured(in_parts(images, 200), references, judge, classifier, run)
    for size in (1, 33, 64):
        scores, histogram, features = measured(
            in_parts(images, size), references, judge, classifier, run
        )
        pd.testing.assert_frame_equal(scores, whole[0], rtol=1e-9)
        pd.testing.assert_frame_equal(histogram, whole[1])
        for name, tensor in features.items():
            assert torch.allclose(tensor, whole[2][name], atol=1e-6)
    row, p = whole[0].iloc[0], images["probabilities"].double()
    assert row["images"] == 200
    assert row["borderline"] == int(((p - 0.5).abs() < 0.1).sum())
    assert row["acd"] == pytest.approx((p - 0.5).abs().mean().item())
    calibrated = torch.sigmoid(torch.logit(p) / 2)
    assert row["acd_calibrated"] == pytest.approx((calibrated - 0.5).abs().mean().item())
    assert row["acd_calibrated"] < row["acd"]
    embedded = Moments.of(judge.embed(images["images"]))
    real = Moments.of(references["real_reference"]["lenet.features"])
    expected = frechet_distance(embedded, real)
    assert row["fd_lenet"] == pytest.approx(expected, rel=1e-4, nan_ok=True)
    assert row["fd_classifier"] > 0
    assert whole[1]["images"].sum() == whole[1]["calibrated"].sum() == 200
    assert whole[2]["lenet.all"].shape == (150, 64)
    assert len(whole[2]["classifier.borderline"]) == row["borderline"]


def test_no_more_than_two_parts_are_in_memory(
    references: dict[str, References],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    alive: set[int] = set()
    most = 0

    def load(seed: int) -> Part:
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
    references: dict[str, References],
    real_view: RealView,
    pair_images: LabelledImages,
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    nothing: Part = {"images": torch.empty(0, 1, 12, 12), "probabilities": torch.empty(0)}
    parts = [in_parts(images_of(0), 64), {"part_00000": lambda: nothing}]
    scores, histograms, features = zip(
        *(measured(p, references, judge, classifier, run) for p in parts), strict=True
    )
    assert math.isnan(scores[1]["yield"][0])
    assert scores[1]["note"][0] == "one-sided"
    realism = measure_realism(
        **references,
        real_view=real_view,
        grid=GRID,
        metrics=METRICS,
        boundary=BOUNDARY,
        run=run,
        **by_name("features", features),
    )
    leaderboard, figure = choose_generator(
        realism_table=realism,
        real_view=real_view,
        pair_train=pair_images,
        pair_test=take_rows(pair_images, slice(20)),
        calibration_table=CALIBRATION,
        grid=GRID,
        metrics=METRICS,
        boundary=BOUNDARY,
        **by_name("scores_table", scores),
        **by_name("settings", [generator_settings("latent_search"), PIXELS]),
    )
    assert leaderboard["baseline"].tolist() == ["", "blends of two real images", ""]
    assert leaderboard["source"].tolist() == ["x", "y", REAL]
    assert leaderboard["chosen"].tolist() == [True, False, False]
    assert figure.data
    of_sets = images_of(0)["images"], pair_images["images"][:20]
    assert leaderboard["total_variation"].tolist()[::2] == pytest.approx(
        [total_variation(images).mean().item() for images in of_sets]
    )
    history = pd.DataFrame(
        {"epoch": [0, 1], "images": 100, "fd_lenet": [9.0, 5.0], "yield": 0.1, "acd": [0.3, 0.2]}
    )
    of_gan = history.drop(columns=["yield", "acd"])
    epochs, curves = gather_epochs(**{"x.history_table": history, "gan.history_table": of_gan})
    assert epochs["source"].tolist() == ["x", "x", "gan", "gan"]
    assert len(curves.data) == 4
    of_lenet = references["real_reference"]["lenet.features"].float()
    real: RealFeatures = {"features": of_lenet, "test_features": of_lenet[:20]}
    points, front = find_front(
        epochs_table=epochs,
        real_features=real,
        leaderboard_table=leaderboard,
        metrics=METRICS,
        **by_name("features", features),
    )
    assert points["source"].tolist() == ["x", "x", "x", "y"]
    assert points["n"].tolist() == [100, 100, 100, 0]
    expected = Moments.of(features[0]["lenet.all"][:100])
    distance = frechet_distance(expected, Moments.of(real["features"]))
    assert points["fd_lenet"].iloc[2] == pytest.approx(distance, nan_ok=True)
    assert points["knee"].sum() == 1
    knee_at = next(a for a in front.layout.annotations if a.text in ("knee", "lowest ACD"))
    assert 10**knee_at.x == pytest.approx(points["fd_lenet"][points["knee"]].item())
    assert not points["on_front"].iloc[-1]
    assert front.data
    shown = show_histograms(
        leaderboard_table=leaderboard,
        pair_names=NAMES,
        boundary=BOUNDARY,
        **by_name("histogram_table", histograms),
    ).data
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


def test_model_without_a_temperature_has_no_calibrated_scores(
    references: dict[str, References],
    judge: Classifier,
    classifier: Classifier,
    run: RunParams,
) -> None:
    none = pd.DataFrame([{"temperature": math.nan}])
    parts = in_parts(images_of(0), 100)
    scores, histogram, _ = measured(parts, references, judge, classifier, run, none)
    assert math.isnan(scores["acd_calibrated"][0])
    assert scores["acd"][0] > 0
    assert histogram["calibrated"].isna().all()


def test_without_a_training_the_front_is_of_the_generators() -> None:
    random = torch.Generator().manual_seed(0)
    samples = [{"lenet.all": torch.randn(n, 64, generator=random)} for n in (150, 120, 0)]
    leaderboard = pd.DataFrame(
        {"source": [*"xyz", REAL], "acd": [0.1, 0.2, None, 0.4], "chosen": [True, *[False] * 3]}
    )
    epochs, curves = gather_epochs()
    assert not curves.data
    of_lenet = torch.randn(300, 64, generator=random)
    points, _ = find_front(
        epochs_table=epochs,
        real_features={"features": of_lenet, "test_features": of_lenet},
        leaderboard_table=leaderboard,
        metrics=METRICS,
        **by_name("features", samples, names="xyz"),
    )
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
    borderline, figure = select_borderline(
        leaderboard_table=leaderboard,
        pair_names=NAMES,
        boundary=BOUNDARY,
        metrics=metrics,
        **by_name("images", parts),
    )
    assert figure.axes[0].get_title() == f"{kept} borderline images of y"
    sampler = select_sampler(leaderboard, **by_name("sampler", ["of x", "of y"]))
    assert sampler == "of y"
    assert borderline["images"].unique().tolist() == [1.0]
    assert borderline["probabilities"].tolist() == pytest.approx(([0.45, 0.55] * 2)[:kept])
    expected = torch.cat([images[1]["latents"][1:3]] * 2)[:kept]
    assert torch.equal(borderline["latents"], expected)


def test_real_and_generated_borderline_images_stand_side_by_side(
    pair_images: LabelledImages, real_view: RealView
) -> None:
    leaderboard = pd.DataFrame(
        {"source": ["x", "y", REAL], "images": [200, 0, 20], "yield": 0.2, "acd": 0.25}
    )
    parts = [in_parts(images_of(0), 100), in_parts(images_of(1, 1), 1)]
    figure = compare_generators(
        leaderboard_table=leaderboard,
        pair_train=pair_images,
        real_view=real_view,
        pair_names=NAMES,
        boundary=BOUNDARY,
        **by_name("images", parts),
    )
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert figure.axes[-1].get_ylabel() == "p(7),\nboundary at 0.5"
    borderline = int(((real_view["train_p"] - 0.5).abs() < 0.1).sum())
    assert f"real training images\n{borderline} borderline" in texts
    assert {"x\nyield 20.0%, ACD 0.250", "y\nno images"} <= set(texts)


def test_only_a_model_that_is_a_judge_has_a_reference(real_view: RealView) -> None:
    grid = GRID.model_copy(update={"judges": ("lenet",)})
    assert describe_model(real_view, grid=grid, metrics=METRICS) == {}
