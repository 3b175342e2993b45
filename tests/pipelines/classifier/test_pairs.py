from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from borderline.datasets.groups import Groups
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.params import PairParams, RunParams
from borderline.pipelines.classifier.pairs import (
    check_counts,
    check_distinct,
    columns_of_pair,
    images_of_pair,
    labels_of_pair,
    split_pair,
    split_source,
)
from borderline.records import LabelledImages, tensors_of
from borderline.training.epochs import split_validation
from borderline.training.params import TrainingParams


def source(with_test: bool = False) -> SourceImages:
    labels = torch.arange(100) % 4
    data = {"images": torch.arange(100.0).view(-1, 1, 1, 1).expand(-1, 1, 8, 8), "labels": labels}
    return SourceImages("toy", ("a", "b", "c", "d"), data, data if with_test else None)


def pair(positive: int | str, negative: int | str) -> PairParams:
    return PairParams(positive=positive, negative=negative, test_share=0.2)


def test_split_is_a_stratified_partition_that_follows_the_seed() -> None:
    train, test = split_source(source(), 0.2, seed=0)
    assert test["labels"].bincount().tolist() == [5] * 4
    ids = torch.cat([train["images"], test["images"]])[:, 0, 0, 0]
    assert ids.sort().values.tolist() == list(range(100))
    again, _ = split_source(source(), 0.2, seed=0)
    other, _ = split_source(source(), 0.2, seed=1)
    assert torch.equal(train["images"], again["images"])
    assert not torch.equal(train["images"], other["images"])


def marked() -> SourceImages:
    """A source whose last 40 images are for validation."""
    plain = source()
    validation = torch.arange(100) >= 60
    columns = pd.DataFrame({"level": range(100)})
    train: LabelledImages = {**plain.train, "validation": validation}
    return SourceImages("toy", plain.classes, train, None, columns)


def test_validation_images_of_a_source_never_become_test_images() -> None:
    train, test = split_source(marked(), 0.2, seed=0)
    assert test["labels"].bincount().tolist() == [3] * 4
    assert "validation" not in test
    assert float(test["images"].max()) < 60
    training = TrainingParams(
        epochs=1, batch_size=8, learning_rate=1e-3, validation_share=0.25, patience=1
    )
    rows, held_out = split_validation(train, training, RunParams(seed=0, device="cpu"), "judge")
    assert len(rows) == 48
    assert train["images"][held_out, 0, 0, 0].tolist() == list(range(60, 100))


def test_columns_stay_beside_their_images_where_a_source_has_validation_images() -> None:
    of_pair = images_of_pair(split_source(marked(), 0.2, seed=0)[0], 1, 0)
    columns = columns_of_pair(marked(), pair("b", "a"), seed=0)
    levels = of_pair["images"][:, 0, 0, 0].tolist()
    assert columns["level"].tolist()[: len(levels)] == levels
    assert int(of_pair["validation"].sum()) == 20


def test_validation_images_do_not_count_as_training_images() -> None:
    rare = marked()
    rare.train["validation"] = rare.train["validation"] | (torch.arange(100) % 4 == 2)
    with pytest.raises(BorderlineError, match="class c of toy has only 0 training images"):
        check_counts(rare)


def test_the_test_images_of_a_source_are_kept() -> None:
    with_test = source(with_test=True)
    train, test = split_source(with_test, 0.2, seed=0)
    assert train is with_test.train
    assert test is with_test.test


def test_pair_keeps_images_with_their_labels() -> None:
    positive, negative = labels_of_pair(source(), pair("d", 1))
    chosen = images_of_pair(source().train, positive, negative)
    former = chosen["images"][:, 0, 0, 0].long() % 4
    assert set(former.tolist()) == {1, 3}
    assert torch.equal(chosen["labels"], (former == 3).long())
    assert chosen["labels"].dtype == torch.int64


@pytest.mark.parametrize(
    ("positive", "negative", "words"),
    [
        (4, 1, r"pair\.positive is 4.*0 \(a\), 1 \(b\)"),
        (1, "z", r"pair\.negative is 'z'"),
        ("b", 1, r"both 'b'"),
    ],
)
def test_bad_pair(positive: int | str, negative: int | str, words: str) -> None:
    with pytest.raises(BorderlineError, match=words):
        labels_of_pair(source(), pair(positive, negative))


def test_too_few_images_of_a_class() -> None:
    rare = source()
    check_counts(rare)
    rare.train["labels"] = torch.cat([torch.full((96,), 1), torch.full((4,), 2)])
    with pytest.raises(BorderlineError, match="class c of toy has only 4 training images"):
        check_counts(rare)


def test_too_few_different_images_of_a_class() -> None:
    copies = source()
    check_distinct(copies, pair("a", "b"))
    of_b = copies.train["labels"] == 1
    copies.train["images"] = copies.train["images"].clone()
    copies.train["images"][of_b] %= 3
    check_distinct(copies, pair("a", "c"))
    words = r"pair.fewest_distinct is 10, but the 25 .* of the class b of toy show only 3 different"
    for classes in (("a", "b"), ("b", "c")):
        with pytest.raises(BorderlineError, match=words):
            check_distinct(copies, pair(*classes))
    check_distinct(copies, pair("a", "b").model_copy(update={"fewest_distinct": 3}))


def grouped(groups: torch.Tensor, with_validation: bool = False) -> SourceImages:
    """The toy source or the one with validation images, with groups."""
    plain = marked() if with_validation else source()
    train: LabelledImages = {**plain.train, "groups": groups}
    return replace(plain, train=train, groups=Groups("patient", tuple("abcdefghij")))


def test_no_group_is_in_two_splits_of_the_project() -> None:
    groups = torch.arange(100) // 10
    train, test = split_pair(grouped(groups), pair("a", "d"), seed=0)
    assert not set(test["groups"].tolist()) & set(train["groups"].tolist())
    assert test["labels"].bincount().tolist() == [5, 5]
    training = TrainingParams(
        epochs=1, batch_size=8, learning_rate=1e-3, validation_share=0.25, patience=1
    )
    rows, held_out = split_validation(train, training, RunParams(seed=0, device="cpu"), "judge")
    assert sorted([*rows.tolist(), *held_out.tolist()]) == list(range(40))
    assert not set(train["groups"][rows].tolist()) & set(train["groups"][held_out].tolist())
    assert train["labels"][held_out].bincount().tolist() == [5, 5]
    assert len(tensors_of(train)) == 3, "the fingerprint of a training depends on the groups"


def test_groups_of_given_validation_images_never_become_test_images() -> None:
    # Validation images begin at 60; their groups are 0, 1 and 2.
    groups = torch.where(torch.arange(100) < 60, torch.arange(100) // 6, torch.arange(100) % 3)
    train, test = split_source(grouped(groups, with_validation=True), 0.2, seed=0)
    assert len(test["labels"]) == 12
    assert not {0, 1, 2} & set(test["groups"].tolist())
    assert "validation" not in test
    assert len(train["labels"]) == 88
