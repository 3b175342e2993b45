"""A class is found by its name as written; a label counts where no class is called by a number."""

from __future__ import annotations

import pytest

from borderline.datasets.class_names import find_label
from borderline.errors import BorderlineError

DIGITS = tuple(map(str, range(10)))


@pytest.mark.parametrize(
    ("classes", "name", "label"),
    [
        (("01", "02", "03"), "01", 0),
        (("00", "01", "02", "07"), "07", 3),
        (DIGITS, 7, 7),
        (DIGITS, "7", 7),
        (("1", "2", "10"), 1, 0),
        (("1", "2", "10"), "10", 2),
        (("-1", "1"), -1, 0),
        (("cat", "dog"), "dog", 1),
        (("cat", "dog"), 1, 1),
        (("cat", "dog"), "1", 1),
        (("7", "07"), 7, 0),
        (("7", "07"), "07", 1),
        (("None", "True"), "True", 1),
        (("e\u0301te\u0301", "zoo"), "\u00e9t\u00e9", 0),  # as macOS and as others store it
    ],
)
def test_class_of_a_name_or_a_label(classes: tuple[str, ...], name: int | str, label: int) -> None:
    assert find_label(name, classes, range(len(classes)), "pair.positive", "toy") == label


@pytest.mark.parametrize(
    ("classes", "name", "words"),
    [
        (("00", "01", "02", "07"), 7, "'07'"),
        (("01", "02", "03"), 1, "'01'"),
        (("01", "1e1", "001"), 1, "'01' or '001'"),
        (("1.0", "2.0"), 1, "'1.0'"),
        (("1e3", "2e3"), "1", "choose one of 1e3, 2e3"),
        (("1", "2", "10"), 0, "choose one of 1, 2, 10"),
        (("cat", "3", "dog"), 0, "choose one of cat, 3, dog"),
        (("cat", "dog"), "01", r"0 \(cat\), 1 \(dog\)"),
        (("cat", "dog"), -1, r"0 \(cat\), 1 \(dog\)"),
        (("cat", "dog"), 2, r"0 \(cat\), 1 \(dog\)"),
        (("cat", "dog"), "Dog", r"did you mean 'dog'\?"),
        (("cat", "dog"), True, r"0 \(cat\), 1 \(dog\)"),
    ],
)
def test_other_names_are_refused(classes: tuple[str, ...], name: int | str, words: str) -> None:
    with pytest.raises(BorderlineError, match=words):
        find_label(name, classes, range(len(classes)), "pair.positive", "toy")


def test_class_without_images_is_refused() -> None:
    with pytest.raises(BorderlineError, match="no images of the class 'emu': add some"):
        find_label("emu", ("cat", "emu"), {0}, "pair.positive", "toy")
