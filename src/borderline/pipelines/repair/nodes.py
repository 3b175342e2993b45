"""The nodes of the repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from borderline.streaming import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from pandas import DataFrame
    from torch import Tensor, nn

    from borderline.boundary import Boundary, ConfusionParams
    from borderline.committee import Committee
    from borderline.datasets.checkpoints import Checkpoint, Checkpoints
    from borderline.datasets.image_source import SourceImages
    from borderline.imported.params import ImportedModelParams
    from borderline.params import PairParams, RunParams
    from borderline.pipelines.repair.params import RepairParams
    from borderline.pipelines.repair.pools import Judging
    from borderline.records import (
        Clusters,
        FreshImages,
        HeldOut,
        LabelledImages,
        Part,
        Prototypes,
        RealView,
        RepairImages,
        TestCopies,
    )
    from borderline.sampling import Sampler
    from borderline.training.params import AnyTrainedModel, TrainingParams
    from borderline.verdicts.params import VerdictsParams


def find_test_copies(pair_train: LabelledImages, pair_test: LabelledImages) -> TestCopies:
    """The training images that copy a test image, or share a group with one."""
    from borderline.measures.leaks import is_shared

    return {"copies": is_shared(pair_train, pair_test)}


def gather_repair_images(
    borderline: Part,
    verdicts_table: DataFrame,
    human_labels: dict[str, Any],
    human_verdicts: dict[str, Any],
    clusters: Clusters,
    prototypes: Prototypes,
    pair_train: LabelledImages,
    test_copies: TestCopies,
    real_view: RealView,
    boundary: Boundary,
    sampler: Sampler,
    classifier: nn.Module,
    committee: Committee,
    judge: nn.Module,
    held_out: HeldOut,
    source: SourceImages,
    *,
    repair: RepairParams,
    verdicts: VerdictsParams,
    training: TrainingParams,
    pair: PairParams,
    run: RunParams,
) -> tuple[RepairImages, DataFrame]:
    """The labelled images of each arm, and how many images of each verdict have which label.

    No test image is an input, so that no arm can hold one. The test images have two influences:
    ``held_out`` has their distances, which limit the verdicts *unrealistic* and *memorised*, and
    the arm ``uncertain`` adds none of the ``test_copies``. Nor does it add copies of selection
    images, which choose the kept arm.
    """
    from borderline.findings import digest_of_patterns
    from borderline.measures.leaks import is_shared
    from borderline.pipelines.repair import labels, pools
    from borderline.records import take_rows
    from borderline.training.epochs import split_validation
    from borderline.training.reserve import split_reserve
    from borderline.verdicts.people import answers_of

    judging = _judging(source, committee, judge, held_out, verdicts, pair, run)
    origin = pools.Source(sampler, classifier, pair_train, boundary, judging, run)
    made_for = digest_of_patterns(borderline, clusters, prototypes)
    answers = answers_of(human_labels, human_verdicts, made_for, len(verdicts_table))
    first = pools.Judged(borderline["images"], labels.labels_of(verdicts_table, answers))
    near, random = pools.both_sets(first, origin, repair)
    _, validation = split_validation(pair_train, training, run, "classifier")
    reserve, selection = split_reserve(pair_train, validation, run)
    of_selection = is_shared(take_rows(pair_train, reserve), take_rows(pair_train, selection))
    copies = test_copies["copies"][reserve] | of_selection
    rows = reserve[~copies]
    real = take_rows(pair_train, rows), real_view["train_p"][rows]
    images = pools.pools(near, random, prototypes["images"], *real, origin, pools.kinds_of(repair))
    counted = {labels.BORDERLINE: near.labels, labels.RANDOM: random.labels}
    counted[labels.REAL] = labels.labels_of_real(copies)
    return images, labels.count_labels(counted)


def generate_fresh(
    borderline: Part,
    repair_images: RepairImages,
    sampler: Sampler,
    classifier: nn.Module,
    cluster_model: Any,
    clusters: Clusters,
    prototypes: Prototypes,
    pair_train: LabelledImages,
    boundary: Boundary,
    committee: Committee,
    judge: nn.Module,
    held_out: HeldOut,
    source: SourceImages,
    *,
    repair: RepairParams,
    verdicts: VerdictsParams,
    pair: PairParams,
    run: RunParams,
) -> FreshImages:
    """New borderline images that the committee is sure of, with its label and their pattern."""
    import torch

    from borderline.pipelines.repair import pools

    judging = _judging(source, committee, judge, held_out, verdicts, pair, run)
    origin = pools.Source(sampler, classifier, pair_train, boundary, judging, run)
    numbers = pools.patterns_by_cluster(clusters, prototypes)

    def patterns_of(embeddings: Tensor) -> Tensor:
        assigned, _, _ = cluster_model.assign(embeddings.numpy())
        return torch.tensor([numbers.get(int(cluster), -1) for cluster in assigned])

    judged = pools.new_borderline(origin, repair.fresh)
    added = [images for name, images in repair_images.items() if name.endswith(".images")]
    known = torch.cat([borderline["images"], *added])
    return pools.fresh_images(judged, known, repair.fresh, patterns_of, origin)


def _judging(
    source: SourceImages,
    committee: Committee,
    judge: nn.Module,
    held_out: HeldOut,
    verdicts: VerdictsParams,
    pair: PairParams,
    run: RunParams,
) -> Judging:
    """A function from images (n, C, H, W) to the table of their verdicts."""
    from borderline.datasets.image_source import training_images
    from borderline.verdicts.rule import judge_images

    train = training_images(source, pair, run)["images"]
    seen = committee, judge, train, held_out, verdicts, run.torch_device()
    return lambda images: judge_images(images, *seen)[1]


def _count_trainings(repair_images: RepairImages, repair: RepairParams) -> int:
    from borderline.pipelines.repair.arms import arms_in

    return len(arms_in(repair_images, repair)) * repair.seeds


@streams("repair_history_table", step="training", total=_count_trainings, named="arm")
def train_repairs(
    classifier: nn.Module,
    repair_images: RepairImages,
    fresh: FreshImages,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    repair_trainings_so_far: Checkpoints,
    pretrained: bytes = b"",
    *,
    model: AnyTrainedModel | ImportedModelParams,
    training: TrainingParams,
    repair: RepairParams,
    confusion: ConfusionParams,
    pair: PairParams,
    run: RunParams,
) -> Iterator[tuple[dict[str, Checkpoint], DataFrame]]:
    """Train the model with the images of each arm; yields each training when it has ended.

    A model that is trained here is trained anew; an imported one is fine-tuned from its weights.
    """
    from borderline.pipelines.repair.training import RealData, recipe_of, train_arms

    shape = tuple(pair_train["images"].shape[1:])
    yield from train_arms(
        recipe_of(classifier, model, pretrained, shape, training, repair, pair, run),
        RealData.of(pair_train, pair_test, training, run),
        repair_images,
        fresh,
        repair_trainings_so_far,
        repair=repair,
        confusion=confusion,
        run=run,
    )


def score_repairs(
    repair_trainings: Checkpoints,
    repair_images: RepairImages,
    repair_labels_table: DataFrame,
    fresh: FreshImages,
    pair_test: LabelledImages,
    real_view: RealView,
    cluster_model: Any,
    boundary: Boundary,
    borderline: Part,
    clusters: Clusters,
    prototypes: Prototypes,
    *,
    repair: RepairParams,
) -> tuple[DataFrame, DataFrame, Figure, dict[str, Any]]:
    """The scores of each training, the comparison of the arms, its figure, and both in words."""
    from borderline.findings import digest_of_patterns
    from borderline.pipelines.repair.circumstances import circumstances_of
    from borderline.pipelines.repair.comparison import compare_arms
    from borderline.pipelines.repair.figures import draw_repair
    from borderline.pipelines.repair.keeping import kept_arm
    from borderline.pipelines.repair.outcomes import ScoredOn, as_it_is, outcomes_of, score
    from borderline.pipelines.repair.words import describe

    images = ScoredOn.of(pair_test, fresh, real_view, cluster_model, clusters, prototypes)
    trained = outcomes_of(repair_trainings, repair, boundary, images)
    outcomes = [as_it_is(real_view, fresh, boundary), *trained]
    scores, table = score(outcomes, images), compare_arms(outcomes, images)
    kept = kept_arm(repair_trainings, repair)
    about = circumstances_of(trained, kept, repair_images, repair_labels_table, scores, repair)
    patterns = digest_of_patterns(borderline, clusters, prototypes)
    summary = describe(table, about, repair, patterns)
    return scores, table, draw_repair(scores, table), summary.model_dump(mode="json")


def keep_repaired(
    classifier: nn.Module, repair_trainings: Checkpoints, *, repair: RepairParams
) -> nn.Module:
    """The model under test with the weights of the first training of the kept arm."""
    from borderline.pipelines.repair.keeping import kept_arm, name_of, repaired_model

    arm = kept_arm(repair_trainings, repair)
    return repaired_model(classifier, repair_trainings[name_of(arm, 1)](), arm)
