from __future__ import annotations

import math

import pytest
import torch

from borderline.errors import BorderlineError
from borderline.pipelines.repair.outcomes import (
    AS_IS,
    ScoredOn,
    _balanced,
    as_it_is,
    majority_wrong,
    outcomes_of,
    score,
)
from conftest import BOUNDARY
from repairs import Near, fresh_of, labels_of, p_with, repair_params, scored_on, training

ARMS = ("again", "boundary")


def test_a_training_is_scored_at_its_own_threshold() -> None:
    tested = scored_on(labels_of(4), fresh=fresh_of([0, 1, 0]), near=[0, 0, 1, -1], patterns=3)
    at = training(torch.tensor([0.1, 0.35, 0.32, 0.9]), torch.tensor([0.2, 0.25, 0.2]), loss=0.2)
    at["state"]["threshold"] = 0.3
    made = {f"{arm}_seed_{seed}": lambda: at for arm in ARMS for seed in (1, 2)}
    row = score(outcomes_of(made, repair_params(*ARMS), BOUNDARY, tested), tested).iloc[0]
    assert (row["arm"], row["seed"]) == ("again", 1)
    assert (row["threshold"], row["selection_loss"]) == (0.3, 0.2)
    assert (row["accuracy"], row["error"], row["errors"]) == (0.75, 0.25, 1)
    assert (row["sensitivity"], row["specificity"]) == (1, 0.5)
    assert (row["borderline"], row["borderline_test_images"]) == (0.5, 2)
    right = torch.tensor([0.9, 0.35, 0.68, 0.9]).double()
    assert row["nll"] == pytest.approx(-right.log().mean().item())
    # Only the third image is wrong; the last one is near no pattern.
    near = {"": (1 / 3, 3), "_0": (0, 2), "_1": (1, 1)}
    for end, (error, images) in near.items():
        assert row[f"error_near{end}"] == pytest.approx(error)
        assert row[f"near_images{end}"] == images
    # The second fresh image is positive, and below the threshold.
    fresh = {"": (2 / 3, 3), "_0": (1, 2), "_1": (0, 1)}
    for end, (accuracy, images) in fresh.items():
        assert row[f"fresh_accuracy{end}"] == pytest.approx(accuracy)
        assert row[f"fresh_images{end}"] == images
    assert math.isnan(row["error_near_2"])
    assert math.isnan(row["fresh_accuracy_2"])


def test_the_model_as_it_is_has_no_seed() -> None:
    tested = scored_on(labels_of(4), fresh=fresh_of([0, 0]))
    view = {"test_p": p_with(labels_of(4), [1])}
    row = score([as_it_is(view, fresh_of([0, 0]), BOUNDARY)], tested).iloc[0]  # type: ignore[arg-type]
    assert row["arm"] == AS_IS
    assert math.isnan(row["selection_loss"])
    assert (row["error"], row["fresh_accuracy"]) == (0.25, 0)


def test_a_diverged_training_has_no_scores_and_no_vote() -> None:
    labels, none = labels_of(4), fresh_of([])
    tested = scored_on(labels, fresh=none, near=[0] * 4, patterns=1)
    diverged = training(torch.full((4,), math.nan), none["labels"].float())
    wrong = training(p_with(labels, [0]), none["labels"].float())
    made = {"again_seed_1": diverged, "again_seed_2": wrong}
    made |= {f"boundary_seed_{seed}": diverged for seed in (1, 2)}
    loaders = {name: (lambda each=each: each) for name, each in made.items()}  # type: ignore[misc]
    outcomes = outcomes_of(loaders, repair_params(*ARMS), BOUNDARY, tested)
    rows = score(outcomes, tested).set_index(["arm", "seed"])
    values = rows.loc[("again", 1), ["error", "nll", "ece", "error_near", "errors"]]
    assert values.isna().all()
    assert rows["error"]["again", 2] == 0.25
    votes = majority_wrong(outcomes[:2], labels)
    assert votes is not None
    assert votes.tolist() == [True, False, False, False]
    assert majority_wrong(outcomes[2:], labels) is None


def test_distance_decides_where_the_trainings_are_split() -> None:
    labels, none = labels_of(2), torch.zeros(0)
    tested = scored_on(labels)
    p = {1: torch.tensor([0.6, 0.9]), 2: torch.tensor([0.1, 0.4])}
    made = {f"{arm}_seed_{s}": (lambda s=s: training(p[s], none)) for arm in ARMS for s in p}
    outcomes = outcomes_of(made, repair_params(*ARMS), BOUNDARY, tested)
    wrong = majority_wrong(outcomes[:2], labels)
    assert wrong is not None
    assert wrong.tolist() == [False, False]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (["boundary_seed_1", "boundary_seed_2"], "again_seed_1, again_seed_2"),
        (["again_seed_1", "again_seed_2", "boundary_seed_1"], "boundary_seed_2"),
    ],
)
def test_trainings_that_are_missing_are_named(left: list[str], words: str) -> None:
    each = training(torch.zeros(2), torch.zeros(0))
    with pytest.raises(BorderlineError, match=f"The trainings {words} .* are missing"):
        outcomes_of(
            {n: lambda: each for n in left}, repair_params(*ARMS), BOUNDARY, scored_on(labels_of(2))
        )


def test_trainings_of_other_images_are_refused() -> None:
    each = training(torch.zeros(3), torch.zeros(0))
    made = {f"{arm}_seed_{seed}": lambda: each for arm in ARMS for seed in (1, 2)}
    with pytest.raises(BorderlineError, match="again_seed_1 of the repair was tested on other"):
        outcomes_of(made, repair_params(*ARMS), BOUNDARY, scored_on(labels_of(2)))


def test_images_lie_near_the_first_prototype_of_their_cluster() -> None:
    # Of clusters 2, 0 and 2; the typicality of the third image is that of an outlier.
    vectors = torch.tensor([[2, 0.5], [0, 0.05], [0, 0.04], [-1, 1], [1, 1]])
    tested = ScoredOn.of(
        {"images": torch.zeros(5, 1, 2, 2), "labels": labels_of(5)},
        fresh_of([0]),
        {"test_embeddings": vectors},  # type: ignore[typeddict-item]
        Near(),
        {"labels": torch.tensor([0, 2, 2])},  # type: ignore[typeddict-item]
        {"rows": torch.tensor([1, 0, 2])},  # type: ignore[typeddict-item]
    )
    assert tested.near.tolist() == [0, 1, -1, -1, -1]
    assert tested.patterns == 3


def test_balanced_accuracy_weighs_both_classes_equally() -> None:
    right, labels = torch.tensor([1.0, 1, 1, 0]), torch.tensor([1, 1, 1, 0])
    assert _balanced(right, labels) == 0.5
    assert _balanced(right[:3], labels[:3]) == 1
    assert math.isnan(_balanced(right[:0], labels[:0]))
