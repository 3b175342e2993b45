from __future__ import annotations

import pytest
import torch

from borderline.errors import BorderlineError
from borderline.measures.leaks import RealImages, check_not_held_out, is_shared, leaks
from borderline.records import LabelledImages


def images(levels: list[int], labels: list[int], groups: list[int] | None = None) -> LabelledImages:
    """Grey images of these levels."""
    pixels = torch.tensor(levels).float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    record: LabelledImages = {"images": pixels, "labels": torch.tensor(labels)}
    if groups is not None:
        record["groups"] = torch.tensor(groups)
    return record


def test_nothing_is_said_of_different_images_of_different_groups() -> None:
    train, test = images([0, 1], [0, 1], [0, 1]), images([2, 3], [0, 1], [2, 2])
    assert leaks(RealImages.of(train, test), "abc", examples=True) == []
    # Copies in one part, with one label, are no leak.
    assert leaks(RealImages.of(images([0, 0], [1, 1]), images([1], [0]))) == []


def test_groups_and_pixels_that_training_and_test_share_are_counted() -> None:
    train = images([0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 1, 2])
    test = images([4, 5, 1], [0, 1, 0], [1, 1, 3])
    good = "The measures on the test images may be too good."
    assert leaks(RealImages.of(train, test)) == [
        f"1 group has images in training and in test, among them 2 of 3 test images. {good}",
        f"The pixels of 1 of 3 test images are exactly those of a training image. {good}",
    ]
    with_examples = leaks(RealImages.of(train, test), ["a", "007", "c", "d"], examples=True)
    assert "in test (for example '007'), among" in with_examples[0]
    assert "(for example images 1 and 6)" in with_examples[1]


def test_given_validation_images_are_a_part_of_their_own() -> None:
    train = images([0, 1, 2], [0, 1, 0], [0, 1, 2])
    train["validation"] = torch.tensor([False, True, True])
    sentences = leaks(RealImages.of(train, images([1, 3], [1, 1], [0, 2])))
    assert [sentence.partition(",")[0].partition(". ")[0] for sentence in sentences] == [
        "1 group has images in training and in test",
        "1 group has images in validation and in test",
        "The pixels of 1 of 2 test images are exactly those of a validation image",
    ]
    train["groups"] = torch.tensor([0, 0, 2])
    assert "in training and in validation" in leaks(RealImages.of(train, images([3], [1], [5])))[0]


@pytest.mark.parametrize("labels", [[0, 1], [1, 0]])
def test_same_pixels_with_two_labels(labels: list[int]) -> None:
    real = RealImages.of(images([7, 5, 5], [0, *labels]), images([6], [1]))
    (sentence,) = leaks(real, examples=True)
    assert sentence.startswith("The pixels of 2 images are exactly those of an image with another")
    assert "images 1 and 2" in sentence


def test_examples_are_numbers_of_the_source() -> None:
    of_source = images([0, 1, 2, 1], [0, 1, 0, 1])["images"]
    train, test = images([0, 0, 0], [0, 1, 0]), images([0], [1])
    train["images"], test["images"] = torch.tensor([2, 3, 0]), torch.tensor([1])
    (sentence,) = leaks(RealImages.of(train, test, of_source), examples=True)
    assert "images 3 and 1" in sentence


@pytest.mark.parametrize(("grouped", "expected"), [(False, [0, 1, 0]), (True, [0, 1, 1])])
def test_training_images_that_copy_a_test_image_or_share_its_group(
    grouped: bool, expected: list[int]
) -> None:
    train, test = images([0, 7, 2], [0, 1, 0], [0, 1, 2]), images([7, 3], [1, 1], [5, 2])
    if not grouped:
        del train["groups"], test["groups"]
    assert is_shared(train, test).tolist() == [bool(shared) for shared in expected]


@pytest.mark.parametrize("kind", ["test", "selection"])
def test_a_held_out_image_in_an_arm_of_a_repair_is_found(kind: str) -> None:
    held_out = {"test": torch.rand(5, 1, 3, 3), "selection": torch.rand(6, 1, 3, 3)}
    clean, planted = torch.rand(4, 1, 3, 3), torch.rand(4, 1, 3, 3)
    check_not_held_out({"boundary": clean, "uncertain": planted}, held_out)
    planted[2] = held_out[kind][3]
    with pytest.raises(BorderlineError, match=f"'uncertain', but 1 image is a copy of a {kind}"):
        check_not_held_out({"boundary": clean, "uncertain": planted}, held_out)
