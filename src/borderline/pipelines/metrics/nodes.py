"""The nodes of stage 3."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.tensors import Parts
from borderline.grid import Grid
from borderline.measures.confusion import Confusion, at_temperature, is_borderline
from borderline.measures.inference import embed, predict
from borderline.measures.intervals import Estimate
from borderline.measures.plots import draw_image_grid
from borderline.measures.realism import Moments, Reference, frechet_distance
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.metrics.comparison import (
    REAL,
    ImageSet,
    RealImages,
    compare,
    measure_name,
)
from borderline.pipelines.metrics.figures import (
    draw_curves,
    draw_front,
    draw_histograms,
    draw_leaderboard,
    draw_side_by_side,
)
from borderline.pipelines.metrics.front import knee, pareto_front
from borderline.pipelines.metrics.leaderboard import DECIDING, choose, lay_out_leaderboard
from borderline.pipelines.metrics.params import MetricsParams
from borderline.records import LabelledImages
from borderline.sampling import Sampler

_SHOWN = 64


def describe_real_images(
    real_features: dict[str, Tensor],
    metrics: MetricsParams,
    run: RunParams,
    inception: nn.Module | None = None,
    pair_train: LabelledImages | None = None,
    pair_test: LabelledImages | None = None,
) -> dict[str, Tensor]:
    """The pair's real images as the judges see them that all models have in common.

    Args:
        real_features: The LeNet's.
        metrics: Neighbours.
        run: Device.
        inception: Where it is a judge.
        pair_train: The training images, for Inception.
        pair_test: The test images, for Inception.

    Returns:
        By judge, ``lenet.features`` and so on: what a ``Reference`` holds of the training images,
        and ``lenet.test_features``.
    """
    described = _described(
        "lenet", real_features["features"], real_features["test_features"], metrics
    )
    if inception is not None and pair_train is not None and pair_test is not None:
        device = run.torch_device()
        training, test = (embed(inception, p["images"], device) for p in (pair_train, pair_test))
        described |= _described("inception", training, test, metrics)
    return described


def describe_model(
    classifier: nn.Module,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    grid: Grid,
    metrics: MetricsParams,
    run: RunParams,
) -> dict[str, Tensor]:
    """The pair's real images as a model under test sees them.

    Returns:
        ``probabilities`` of the training images, ``test_probabilities``, and where the model is a
        judge itself ``classifier.features`` and so on, as ``describe_real_images``.
    """
    device, parts = run.torch_device(), (pair_train["images"], pair_test["images"])
    train, test = (predict(classifier, images, device) for images in parts)
    opinions = {"probabilities": train, "test_probabilities": test}
    if "classifier" not in grid.judges:
        return opinions
    training_features, test_features = (embed(classifier, images, device) for images in parts)
    return opinions | _described("classifier", training_features, test_features, metrics)


def measure_generator(
    parts: Parts,
    outcome: pd.DataFrame,
    calibration: pd.DataFrame,
    real_reference: dict[str, Tensor],
    model_reference: dict[str, Tensor],
    grid: Grid,
    metrics: MetricsParams,
    confusion: ConfusionParams,
    run: RunParams,
    *judges: nn.Module,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Tensor]]:
    """Measure a generator's images part by part, so that millions need the memory of one part.

    Args:
        parts: The images.
        outcome: How long they took, and the note about them.
        calibration: The model's temperature.
        real_reference: From ``describe_real_images``.
        model_reference: From ``describe_model``.
        grid: Names the judges.
        metrics: Sizes.
        confusion: What counts as borderline.
        run: Device.
        judges: The judges' networks, in the order of their names.

    Returns:
        The scores of every image as one row, the Fréchet distances among them exact; the histogram
        of p, as the model says it and calibrated; and a sample of features, ``<judge>.all`` and
        ``<judge>.borderline``: those of the first ``sample_size`` images each.
    """
    references = {**real_reference, **model_reference}
    temperature = float(calibration["temperature"].iloc[0])
    sums: list[Confusion] = []
    moments: dict[str, Moments] = {}
    sample: dict[str, list[Tensor]] = {}
    for name in sorted(parts):
        part = parts[name]()
        rows = is_borderline(part["probabilities"], confusion.band)
        of_part = _sums(part["probabilities"], temperature, metrics, confusion)
        sums = [a + b for a, b in zip(sums, of_part, strict=True)] if sums else of_part
        for judge, network in zip(grid.judges, judges, strict=True):
            features = embed(network, part["images"], run.torch_device())
            for which, chosen in (("all", features), ("borderline", features[rows])):
                key = f"{judge}.{which}"
                found = Moments.of(chosen)
                moments[key] = moments[key] + found if key in moments else found
                kept = sample.setdefault(key, [])
                missing = metrics.sample_size - sum(len(tensor) for tensor in kept)
                kept.append(chosen[: max(missing, 0)])
    scores = _confusion_columns(sums) | {"temperature": temperature}
    for judge in grid.judges:
        real = _reference(references, judge).moments
        for which, suffix in (("all", ""), ("borderline", "_borderline")):
            distance = frechet_distance(moments[f"{judge}.{which}"], real)
            scores[f"{measure_name('fd', judge)}{suffix}"] = distance
    table = pd.DataFrame([scores]).assign(
        seconds=outcome["seconds"], note=outcome["note"].fillna("")
    )
    return table, _histogram(sums), {key: torch.cat(tensors) for key, tensors in sample.items()}


def measure_realism(
    real_reference: dict[str, Tensor],
    model_reference: dict[str, Tensor],
    grid: Grid,
    metrics: MetricsParams,
    confusion: ConfusionParams,
    run: RunParams,
    *features: dict[str, Tensor],
) -> pd.DataFrame:
    """Realism and diversity of every generator at equal N, with the floor of the real images.

    Args:
        real_reference: From ``describe_real_images``.
        model_reference: From ``describe_model``.
        grid: Names generators and judges.
        metrics: Sizes, neighbours and resamples.
        confusion: What counts as borderline.
        run: Its seed.
        features: Each generator's, from ``measure_generator``.

    Returns:
        One row for each comparison, set, judge and measure; see ``compare``.
    """
    tensors = {**real_reference, **model_reference}
    real = RealImages(
        {judge: _reference(tensors, judge) for judge in grid.judges},
        {judge: tensors[f"{judge}.test_features"] for judge in grid.judges},
        tensors["probabilities"],
        tensors["test_probabilities"],
    )
    generated, generated_borderline = (
        [
            ImageSet(name, {judge: sample[f"{judge}.{images}"] for judge in grid.judges})
            for name, sample in zip(grid.generators, features, strict=True)
        ]
        for images in ("all", "borderline")
    )
    return compare(real, generated, generated_borderline, confusion.band, metrics, run)


def gather_epochs(**histories: pd.DataFrame) -> tuple[pd.DataFrame, go.Figure]:
    """The history of every training in one table, and as curves.

    Args:
        histories: By generator; that of step 1 as ``gan``.
    """
    tables = [history.assign(source=name) for name, history in histories.items()]
    columns = ["source", "epoch", "images", "fd_lenet", "yield", "acd", "band", "seconds"]
    epochs = pd.concat(tables) if tables else pd.DataFrame(columns=columns)
    epochs = epochs.reindex(columns=columns).reset_index(drop=True)
    return epochs, draw_curves(epochs)


def find_front(
    epochs: pd.DataFrame,
    real_features: dict[str, Tensor],
    leaderboard: pd.DataFrame,
    metrics: MetricsParams,
    *features: dict[str, Tensor],
) -> tuple[pd.DataFrame, go.Figure]:
    """The Pareto front of Fréchet distance and ACD over the epochs and the finished generators.

    The distances are measured on one number of images: that of the epochs.

    Args:
        epochs: From ``gather_epochs``.
        real_features: The LeNet's.
        leaderboard: Has the generators' ACD, in the order of ``features``.
        metrics: Its sizes, which give N where nothing was trained.
        features: Each generator's sample.

    Returns:
        One row for each point: ``source``, ``epoch`` (none for a finished generator), ``n``,
        ``fd_lenet`` (none where it made fewer images), ``acd``, ``on_front`` and ``knee``; and the
        same as a figure.
    """
    steered = epochs[epochs["fd_lenet"].notna() & epochs["acd"].notna()]
    sizes = [len(sample["lenet.all"]) for sample in features]
    enough = [size for size in sizes if size >= metrics.fewest_images]
    n = int(steered["images"].max()) if len(steered) else min([*enough, metrics.sample_size])
    real = Moments.of(real_features["features"])
    generators = leaderboard[leaderboard["source"] != REAL]
    finished = [
        {
            "source": row["source"],
            "n": min(n, size),
            "acd": row["acd"],
            DECIDING: frechet_distance(Moments.of(sample["lenet.all"][:n]), real)
            if size >= n
            else math.nan,
        }
        for (_, row), sample, size in zip(generators.iterrows(), features, sizes, strict=True)
    ]
    trained = steered.rename(columns={"images": "n"})
    points = pd.concat([trained, pd.DataFrame(finished)], ignore_index=True)
    points = points.reindex(columns=["source", "epoch", "n", DECIDING, "acd"])
    fd, acd = (points[name].to_numpy(dtype=float) for name in (DECIDING, "acd"))
    at = knee(fd, acd)
    points = points.assign(on_front=pareto_front(fd, acd), knee=points.index == at)
    return points, draw_front(points, _chosen(leaderboard))


def choose_generator(
    realism: pd.DataFrame,
    model_reference: dict[str, Tensor],
    calibration: pd.DataFrame,
    grid: Grid,
    metrics: MetricsParams,
    confusion: ConfusionParams,
    *scores: pd.DataFrame,
) -> tuple[pd.DataFrame, go.Figure]:
    """The leaderboard of a model's generators, with the chosen one and the rule marked.

    Args:
        realism: From ``measure_realism``.
        model_reference: The model's opinion of the real test images.
        calibration: The model's temperature.
        grid: Names the generators, in the order of their scores.
        metrics: Names the rule.
        confusion: What counts as borderline.
        scores: One row for each generator.

    Returns:
        One row for each generator and a last one for the real images, the floor; and the same as a
        figure.
    """
    temperature = float(calibration["temperature"].iloc[0])
    sums = _sums(model_reference["test_probabilities"], temperature, metrics, confusion)
    real = pd.DataFrame([_confusion_columns(sums) | {"temperature": temperature, "note": ""}])
    table = pd.concat([*scores, real], ignore_index=True)
    # Those of every image, whose numbers differ; the comparisons bring them at equal N.
    table = table.loc[:, ~table.columns.str.startswith(("fd_", "fid"))]
    table.insert(0, "source", [*grid.generators, REAL])
    leaderboard = lay_out_leaderboard(table, realism)
    chosen, rule = choose(leaderboard, metrics.choose, metrics.fd_at_most)
    leaderboard = leaderboard.assign(chosen=leaderboard["source"] == chosen, rule=rule)
    return leaderboard, draw_leaderboard(leaderboard)


def show_histograms(
    leaderboard: pd.DataFrame, confusion: ConfusionParams, *histograms: pd.DataFrame
) -> go.Figure:
    """The histograms of p of all generators, as the model says it and calibrated."""
    names = leaderboard["source"][: len(histograms)]
    return draw_histograms(dict(zip(names, histograms, strict=True)), confusion.band)


def compare_generators(
    leaderboard: pd.DataFrame,
    pair_train: LabelledImages,
    classifier: nn.Module,
    confusion: ConfusionParams,
    run: RunParams,
    *images: Parts,
) -> Figure:
    """The real borderline images and each generator's, side by side."""
    real = pair_train["images"]
    p = predict(classifier, real, run.torch_device())
    rows = is_borderline(p, confusion.band)
    strips = [(f"real training images\n{int(rows.sum())} borderline", real[rows], p[rows])]
    generators = leaderboard[leaderboard["source"] != REAL]
    for (_, row), parts in zip(generators.iterrows(), images, strict=True):
        part = parts[min(parts)]()
        rows = is_borderline(part["probabilities"], confusion.band)
        figures = (
            f"yield {row['yield']:.1%}, ACD {row['acd']:.3f}" if row["images"] else "no images"
        )
        name = f"{row['source']}\n{figures}"
        strips.append((name, part["images"][rows], part["probabilities"][rows]))
    return draw_side_by_side(strips)


def select_borderline(
    leaderboard: pd.DataFrame, confusion: ConfusionParams, metrics: MetricsParams, *images: Parts
) -> tuple[dict[str, Tensor], Figure]:
    """The borderline images of the chosen generator, and a picture of the first of them.

    Where there are more than ``most_borderline``, the first are kept: images come in no order.
    """
    best = _chosen_number(leaderboard)
    found: list[dict[str, Tensor]] = []
    for name in sorted(images[best]):
        part = images[best][name]()
        rows = is_borderline(part["probabilities"], confusion.band)
        found.append({name: tensor[rows] for name, tensor in part.items()})
        if sum(len(part["images"]) for part in found) >= metrics.most_borderline:
            break
    borderline = {
        name: torch.cat([part[name] for part in found])[: metrics.most_borderline]
        for name in found[0]
    }
    title = (
        f"{len(borderline['images'])} borderline images of {leaderboard['source'][best]}"
        f"{', the first of them' if len(borderline['images']) > _SHOWN else ''}"
    )
    return borderline, draw_image_grid(
        borderline["images"][:_SHOWN], borderline["probabilities"][:_SHOWN], title
    )


def select_sampler(leaderboard: pd.DataFrame, *samplers: Sampler) -> Sampler:
    """What makes the images of the chosen generator."""
    return samplers[_chosen_number(leaderboard)]


def _described(
    judge: str, training: Tensor, test: Tensor, metrics: MetricsParams
) -> dict[str, Tensor]:
    reference = Reference.of(training, metrics.neighbours)
    tensors = {f"{judge}.{name}": tensor for name, tensor in reference._asdict().items()}
    return tensors | {f"{judge}.test_features": test}


def _reference(tensors: Mapping[str, Tensor], judge: str) -> Reference:
    return Reference(*(tensors[f"{judge}.{name}"] for name in Reference._fields))


def _sums(
    p: Tensor, temperature: float, metrics: MetricsParams, confusion: ConfusionParams
) -> list[Confusion]:
    """Of p as the model says it, and calibrated where it has a temperature."""
    opinions = [p] if math.isnan(temperature) else [p, at_temperature(p, temperature)]
    return [Confusion.of(q, confusion.band, metrics.histogram_bins) for q in opinions]


def _confusion_columns(sums: Sequence[Confusion]) -> dict[str, float]:
    said, *calibrated = sums
    columns: dict[str, float] = {"images": said.images, "borderline": said.borderline}
    estimates = said.estimates()
    for name, estimate in estimates.items():
        columns |= _with_interval(name, estimate)
    right = calibrated[0].estimates() if calibrated else dict.fromkeys(estimates, Estimate.none())
    for name, estimate in right.items():
        columns |= _with_interval(f"{name}_calibrated", estimate)
    return columns


def _with_interval(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _histogram(sums: Sequence[Confusion]) -> pd.DataFrame:
    said, *calibrated = sums
    edges = torch.linspace(0, 1, len(said.histogram) + 1, dtype=torch.float64).numpy()
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "images": said.histogram.numpy(),
            "calibrated": calibrated[0].histogram.numpy() if calibrated else math.nan,
        }
    )


def _chosen(leaderboard: pd.DataFrame) -> str:
    return str(leaderboard["source"][leaderboard["chosen"]].iloc[0])


def _chosen_number(leaderboard: pd.DataFrame) -> int:
    return int(leaderboard["chosen"].to_numpy().argmax())
