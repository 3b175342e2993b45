"""The nodes of stage 3.

Datasets of several generators arrive by dotted name, ``<generator>.<dataset>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from plotly.graph_objects import Figure as Chart
    from torch import Tensor, nn

    from borderline.boundary import Boundary
    from borderline.committee import Committee
    from borderline.datasets.image_source import SourceImages
    from borderline.grid import Grid
    from borderline.params import PairParams, RunParams
    from borderline.pipelines.metrics.params import MetricsParams
    from borderline.records import (
        FeatureSamples,
        HeldOut,
        LabelledImages,
        Opinions,
        Part,
        Parts,
        RealFeatures,
        RealView,
        References,
    )
    from borderline.sampling import Sampler
    from borderline.verdicts.params import VerdictsParams


def describe_real_images(
    real_features: RealFeatures,
    *,
    metrics: MetricsParams,
    run: RunParams,
    inception: nn.Module | None = None,
    pair_train: LabelledImages | None = None,
    pair_test: LabelledImages | None = None,
    real_statistics: References | None = None,
) -> References:
    """The real images as the LeNet sees them, and Inception where it is given.

    The features of the training images that ``real_statistics`` has are not computed again.
    """
    from borderline.measures.inference import embed
    from borderline.pipelines.metrics.measuring import describe

    k = metrics.neighbours
    references = describe("lenet", real_features["features"], real_features["test_features"], k)
    if inception is not None and pair_train is not None and pair_test is not None:
        device = run.torch_device()
        train = (real_statistics or {}).get("inception.features")
        train = embed(inception, pair_train["images"], device) if train is None else train
        test = embed(inception, pair_test["images"], device)
        references |= describe("inception", train, test, k)
    return references


def describe_model(real_view: RealView, *, grid: Grid, metrics: MetricsParams) -> References:
    """The real images as the model under test sees them; empty unless the model is a judge."""
    from borderline.pipelines.metrics.measuring import describe

    if "classifier" not in grid.judges:
        return {}
    train, test = real_view["train_embeddings"], real_view["test_embeddings"]
    return describe("classifier", train, test, metrics.neighbours)


def measure_generator(
    images: Parts,
    outcome_table: DataFrame,
    calibration_table: DataFrame,
    real_reference: References,
    model_reference: References,
    boundary: Boundary,
    *,
    grid: Grid,
    metrics: MetricsParams,
    run: RunParams,
    **networks: nn.Module,
) -> tuple[DataFrame, DataFrame, FeatureSamples]:
    """Scores, histogram of p and feature samples of a generator; see ``measure_parts``."""
    from pandas import DataFrame

    from borderline.pipelines.metrics.measuring import measure_parts

    scores, histogram, features = measure_parts(
        images,
        {judge: networks[judge] for judge in grid.judges},
        {**real_reference, **model_reference},
        temperature=float(calibration_table["temperature"].iloc[0]),
        metrics=metrics,
        boundary=boundary,
        device=run.torch_device(),
    )
    # Images of earlier versions have no evaluations.
    names = [name for name in ("evaluations", "seconds", "note") if name in outcome_table]
    outcome = {name: outcome_table[name] for name in names}
    return DataFrame([scores]).assign(**outcome), histogram, features


def measure_realism(
    real_reference: References,
    model_reference: References,
    real_view: RealView,
    boundary: Boundary,
    *,
    grid: Grid,
    metrics: MetricsParams,
    run: RunParams,
    **features: FeatureSamples,
) -> DataFrame:
    """Realism and diversity of each generator at equal N, with the floor; see ``compare``."""
    from borderline.measures.realism import Reference
    from borderline.pipelines.metrics.comparison import ImageSet, RealImages, compare

    tensors = {**real_reference, **model_reference}
    real = RealImages(
        {judge: Reference.of_record(tensors, judge) for judge in grid.judges},
        {judge: tensors[f"{judge}.test_features"] for judge in grid.judges},
        real_view["train_p"],
        real_view["test_p"],
    )
    samples = {name: features[f"{name}.features"] for name in grid.generators}
    generated, borderline = (
        [
            ImageSet(name, {judge: sample[f"{judge}.{images}"] for judge in grid.judges})
            for name, sample in samples.items()
        ]
        for images in ("all", "borderline")
    )
    return compare(real, generated, borderline, boundary, metrics, run)


def gather_epochs(**histories: DataFrame) -> tuple[DataFrame, Chart]:
    """The histories of all trainings in one table, and as curves."""
    from pandas import DataFrame, concat

    from borderline.measures.judges import JUDGE_OF
    from borderline.pipelines.metrics.charts import draw_curves

    tables = [h.assign(source=name.rpartition(".")[0]) for name, h in histories.items()]
    distances = [n for n in JUDGE_OF if n == "fd_lenet" or any(n in h for h in histories.values())]
    columns = ["source", "epoch", "images", *distances, "yield", "acd", "band", "seconds"]
    epochs = concat(tables) if tables else DataFrame(columns=columns)
    epochs = epochs.reindex(columns=columns).reset_index(drop=True)
    return epochs, draw_curves(epochs)


def find_front(
    epochs_table: DataFrame,
    real_features: RealFeatures,
    leaderboard_table: DataFrame,
    statistics: References | None = None,
    *,
    metrics: MetricsParams,
    **features: FeatureSamples,
) -> tuple[DataFrame, Chart]:
    """The Pareto front of Fréchet distance and ACD over epochs and generators, and its chart."""
    from borderline.measures.judges import JUDGE_OF
    from borderline.measures.realism import RealStatistics
    from borderline.pipelines.metrics.charts import draw_front
    from borderline.pipelines.metrics.front import front_of
    from borderline.pipelines.metrics.leaderboard import candidates_of, generators_of
    from borderline.sampling import chosen_generator

    generators = generators_of(leaderboard_table)
    judge = JUDGE_OF[metrics.front]
    samples = {name: features[f"{name}.features"][f"{judge}.all"] for name in generators["source"]}
    candidates = list(candidates_of(leaderboard_table)["source"])
    real: Tensor | RealStatistics = real_features["features"]
    if statistics is not None and judge == "lenet":
        real = statistics["lenet.features"]
    elif statistics is not None:
        real = RealStatistics.of_record(statistics, judge)
    points = front_of(epochs_table, generators, samples, real, metrics, candidates)
    return points, draw_front(points, chosen_generator(leaderboard_table))


def choose_generator(
    realism_table: DataFrame,
    real_view: RealView,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    calibration_table: DataFrame,
    boundary: Boundary,
    *,
    grid: Grid,
    metrics: MetricsParams,
    **generators: Any,
) -> tuple[DataFrame, Chart]:
    """The leaderboard of a model's generators with the floor and the choice, and its chart.

    ``generators`` are the table of scores and the settings of each, by ``<generator>.scores_table``
    and ``<generator>.settings``.
    """
    from borderline.pipelines.metrics.charts import draw_leaderboard
    from borderline.pipelines.metrics.leaderboard import choose, gather_scores, lay_out_leaderboard
    from borderline.pipelines.metrics.measuring import floor_columns

    temperature = float(calibration_table["temperature"].iloc[0])
    floor = floor_columns(real_view, pair_train, pair_test, temperature, metrics, boundary)
    tables = {name: generators[f"{name}.scores_table"] for name in grid.generators}
    settings = {name: generators.get(f"{name}.settings") for name in grid.generators}
    baselines = {name: kind.baseline for name, kind in settings.items() if kind is not None}
    table = gather_scores(tables, floor | {"temperature": temperature}, baselines)
    leaderboard = lay_out_leaderboard(table, realism_table, metrics.front)
    chosen, rule = choose(leaderboard, metrics.choose, metrics.fd_at_most, metrics.front)
    leaderboard = leaderboard.assign(chosen=leaderboard["source"] == chosen, rule=rule)
    return leaderboard, draw_leaderboard(leaderboard, metrics.front)


def show_histograms(
    leaderboard_table: DataFrame,
    pair_names: dict[str, str],
    boundary: Boundary,
    **histograms: DataFrame,
) -> Chart:
    """The histograms of p of all generators, uncalibrated and calibrated."""
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.metrics.charts import draw_histograms
    from borderline.pipelines.metrics.leaderboard import generators_of

    names = generators_of(leaderboard_table)["source"]
    tables = {name: histograms[f"{name}.histogram_table"] for name in names}
    return draw_histograms(tables, boundary, ClassNames.of(pair_names))


def compare_generators(
    leaderboard_table: DataFrame,
    pair_train: LabelledImages,
    real_view: RealView,
    pair_names: dict[str, str],
    boundary: Boundary,
    **images: Parts,
) -> Figure:
    """The real borderline images and each generator's, side by side."""
    from borderline.measures.class_names import ClassNames
    from borderline.measures.confusion import is_borderline
    from borderline.pipelines.metrics.figures import draw_side_by_side
    from borderline.pipelines.metrics.leaderboard import generators_of

    p = real_view["train_p"]
    rows = is_borderline(p, boundary)
    real = pair_train["images"][rows]
    strips = [(f"real training images\n{len(real)} borderline", real, p[rows])]
    for _, row in generators_of(leaderboard_table).iterrows():
        parts = images[f"{row['source']}.images"]
        part = parts[min(parts)]()
        p = part["probabilities"]
        rows = is_borderline(p, boundary)
        scores = f"yield {row['yield']:.1%}, ACD {row['acd']:.3f}" if row["images"] else "no images"
        strips.append((f"{row['source']}\n{scores}", part["images"][rows], p[rows]))
    return draw_side_by_side(strips, ClassNames.of(pair_names), boundary["threshold"])


def select_borderline(
    leaderboard_table: DataFrame,
    pair_names: dict[str, str],
    boundary: Boundary,
    *,
    metrics: MetricsParams,
    **images: Parts,
) -> tuple[Part, Figure]:
    """The first borderline images of the chosen generator, and a figure of some."""
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.metrics.figures import draw_borderline
    from borderline.sampling import chosen_generator, first_borderline

    chosen = chosen_generator(leaderboard_table)
    parts = images[f"{chosen}.images"]
    borderline = first_borderline(parts, boundary, metrics.most_borderline)
    names = ClassNames.of(pair_names)
    return borderline, draw_borderline(borderline, chosen, names, boundary["threshold"])


def measure_held_out(
    source: SourceImages,
    judge: nn.Module,
    pair_test: LabelledImages,
    real_features: RealFeatures,
    real_statistics: References | None = None,
    *,
    verdicts: VerdictsParams,
    pair: PairParams,
    run: RunParams,
) -> HeldOut:
    """The pair's test images beside the training images of all classes."""
    from borderline.datasets.image_source import training_images
    from borderline.measures.distances import measure_distances
    from borderline.measures.inference import embed

    train = training_images(source, pair, run)["images"]
    known = (real_statistics or {}).get("lenet.features")
    features = embed(judge, train, run.torch_device()) if known is None else known
    test = pair_test["images"], real_features["test_features"]
    return {
        **measure_distances(*test, train, features, verdicts.neighbours),
        "train_features": features,
    }


def judge_borderline(
    borderline: Part,
    committee: Committee,
    judge: nn.Module,
    source: SourceImages,
    held_out: HeldOut,
    *,
    verdicts: VerdictsParams,
    pair: PairParams,
    run: RunParams,
) -> tuple[Opinions, DataFrame]:
    """The committee's opinion on each borderline image, its distances, and its verdict."""
    from borderline.datasets.image_source import training_images
    from borderline.verdicts.rule import judge_images

    train = training_images(source, pair, run)["images"]
    seen = committee, judge, train, held_out
    return judge_images(borderline["images"], *seen, verdicts, run.torch_device())


def select_sampler(leaderboard_table: DataFrame, **samplers: Sampler) -> Sampler:
    """The sampler of the chosen generator."""
    from borderline.sampling import chosen_generator

    return samplers[f"{chosen_generator(leaderboard_table)}.sampler"]
