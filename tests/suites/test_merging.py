from __future__ import annotations

import itertools

import pytest
import torch

from borderline.errors import BorderlineError
from borderline.suites.folder import digest_of, files_of, suite_of
from borderline.suites.merging import merge
from borderline.suites.suite import Suite
from frozen import IMAGES, about, ambiguous, item, suite


def test_equal_images_are_there_once() -> None:
    first, second = suite(), suite({3: item(3), 0: item(0, model="cnn_4", p=0.45)})
    merged = merge([first, second])
    assert torch.equal(merged.images, IMAGES[:4])
    assert [one.model for one in merged.items] == ["cnn_2"] * 4
    assert [(one.digest, one.images) for one in merged.about.merged] == [
        (digest_of(first), 3),
        (digest_of(second), 2),
    ]
    assert suite_of(files_of(merged), "merged").items == merged.items


def test_suite_merged_with_itself_is_itself() -> None:
    assert merge([suite(), suite()]).about == suite().about


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "people",
    [item(0, label=0, label_source="people"), ambiguous(0, label_source="people")],
)
def test_people_count_before_the_committee(people: object, order: int) -> None:
    both = [suite({0: item(0), 1: item(1)}), suite({0: people})]  # type: ignore[dict-item]
    merged = merge(both[::order])
    assert people in merged.items
    assert len(merged.items) == 2
    assert merged.about.overruled == 1


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_people_settle_a_contradiction_of_committees(order: tuple[int, ...]) -> None:
    people = item(0, label=0, label_source="people")
    three = [suite({0: one}) for one in (item(0), ambiguous(0), people)]
    merged = merge([three[place] for place in order])
    assert merged.items == (people,)
    assert merged.about.overruled == 1


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (item(0), item(0, label=0), "its label is 1 in the first and 0 in the second"),
        (item(0), ambiguous(0), "1 in the first and 'ambiguous' in the second"),
        (
            item(0, label_source="people"),
            item(0, label=0, label_source="people"),
            "people contradict each other",
        ),
    ],
)
def test_contradiction_names_both(first: object, second: object, words: str) -> None:
    with pytest.raises(BorderlineError) as caught:
        merge([suite({0: first}), suite({0: second})], ["a/v1", "b/v3"])  # type: ignore[dict-item]
    assert words in str(caught.value)
    assert "a/v1" in str(caught.value)
    assert "b/v3" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"positive": "1", "negative": "7"}, "one pair with the same positive class"),
        ({"negative": "2"}, "one pair"),
        ({"shape": (1, 8, 9)}, "have the shape (1, 8, 8)"),
    ],
)
def test_other_pair_or_shape_is_refused(changed: dict[str, object], words: str) -> None:
    other = Suite(about(**changed), suite().items, torch.zeros(3, 1, 8, 9))
    with pytest.raises(BorderlineError) as caught:
        merge([suite(), other], ["a", "b"])
    assert words in str(caught.value)
    assert "The suites a and b cannot be merged" in str(caught.value)


def test_origins_are_kept() -> None:
    run = suite().about.made_with[0]
    other = run.model_copy(update={"seed": 1})
    merged = merge(
        [suite(), suite({3: item(3)}, made_with=(run, other), source="SVHN", overruled=2)]
    )
    assert merged.about.made_with == (run, other)
    assert merged.about.source == "Digits, SVHN"
    assert merged.about.overruled == 2
