from __future__ import annotations

import itertools

import pytest
import torch

from borderline.errors import BorderlineError
from borderline.suites.folder import digest_of, files_of, suite_of
from borderline.suites.merging import merge
from borderline.suites.suite import Item, Suite
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
def test_people_count_before_the_committee(people: Item, order: int) -> None:
    both = [suite({0: item(0), 1: item(1)}), suite({0: people})]
    merged = merge(both[::order])
    assert people.model_copy(update={"overruled": True}) in merged.items
    assert len(merged.items) == 2
    assert merged.about.overruled == 1


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_people_settle_a_contradiction_of_committees(order: tuple[int, ...]) -> None:
    people = item(0, label=0, label_source="people")
    three = [suite({0: one}) for one in (item(0), ambiguous(0), people)]
    merged = merge([three[place] for place in order])
    assert merged.items == (people.model_copy(update={"overruled": True}),)
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
    merged = merge([suite(), suite({3: item(3, run=1)}, made_with=(run, other), source="SVHN")])
    assert merged.about.made_with == (run, other)
    assert merged.about.source == "Digits, SVHN"
    assert [one.run for one in merged.items] == [0, 0, 0, 1]
    assert merge([merged, suite({4: item(4)})]).about.source == "Digits, SVHN"


def of_people(row: int, overruled: bool | None = None) -> Item:
    return item(row, label_source="people", overruled=overruled)


def of_earlier_version(*rows: int, overruled: int, merged: bool = False) -> Suite:
    """A suite whose items do not say on which of them people overruled the committee."""
    others = merge([suite({0: item(0)}), suite({1: item(1)})]).about.merged if merged else ()
    return suite({row: of_people(row) for row in rows}, overruled=overruled, merged=others)


def test_overruled_images_of_both_suites_count_once() -> None:
    first = suite({row: of_people(row, row < 2) for row in range(3)}, overruled=2)
    second = suite({row: of_people(row, row < 2) for row in range(4)}, overruled=2)
    merged = merge([first, second])
    assert len(merged.items) == 4
    assert merged.about.overruled == 2
    again = suite_of(files_of(merged), "merged")
    assert merge([again, first]).about.overruled == 2


@pytest.mark.parametrize(
    ("suites", "overruled"),
    [
        # On all images of people, or on none.
        ([of_earlier_version(0, 1, overruled=2), of_earlier_version(0, 1, 2, overruled=3)], 3),
        ([of_earlier_version(0, 1, overruled=0), of_earlier_version(1, 2, overruled=0)], 0),
        # No image is in both.
        ([of_earlier_version(0, 1, overruled=1), of_earlier_version(2, 3, 4, overruled=2)], 3),
        ([of_earlier_version(0, 1, overruled=1), suite({2: of_people(2, True)})], 2),
        ([of_earlier_version(0, 1, overruled=1), suite({2: item(2)})], 1),
        # An image that both have may be counted in both, in one or in none.
        ([of_earlier_version(0, 1, overruled=1), of_earlier_version(1, 2, overruled=1)], None),
        ([of_earlier_version(0, 1, overruled=1), of_earlier_version(0, 1, 2, overruled=1)], None),
        # It is one of the two, but perhaps not the one that the first suite counted.
        ([of_earlier_version(0, 1, overruled=1), suite({1: item(1, label=0)})], None),
        # Merges of earlier versions counted images twice.
        ([of_earlier_version(0, 1, overruled=1, merged=True), suite({2: item(2)})], None),
        ([of_earlier_version(0, 1, overruled=150, merged=True), suite({2: item(2)})], None),
        ([of_earlier_version(0, 1, overruled=0, merged=True), suite({2: item(2)})], 0),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_overruled_images_of_earlier_suites(
    suites: list[Suite], overruled: int | None, order: int
) -> None:
    merged = merge(suites[::order])
    assert merged.about.overruled == overruled
    assert suite_of(files_of(merged), "merged").about == merged.about
    third = merge([merged, suite({5: item(5)})])
    assert overruled is not None or third.about.overruled is None


def test_run_of_an_image_of_an_earlier_merge() -> None:
    run = suite().about.made_with[0]
    rated = run.model_copy(update={"left_out": {}})
    other, seed = (run.model_copy(update=to) for to in ({"model": "cnn_4"}, {"seed": 1}))
    for runs, places in (
        ((run, other), [0, 1]),
        ((run, rated, other), [0, 2]),
        ((run, seed, other), [None, 2]),
    ):
        earlier = suite({0: item(0), 1: item(1, model="cnn_4")}, made_with=runs)
        assert [earlier.about.run_of(one) for one in earlier.items] == places
        merged = merge([suite({2: item(2)}), earlier])
        assert [one.run for one in merged.items] == [0, *places]
