"""Classes are in the order of torchvision's ImageFolder; integers are in numerical order."""

from __future__ import annotations

import pytest

from borderline.datasets.class_names import class_orders, in_order

GARMENTS = ["bag", "ankle boot", "sneaker", "shirt"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["normal", "malignant", "benign"], ["benign", "malignant", "normal"]),
        (GARMENTS, ["ankle boot", "bag", "shirt", "sneaker"]),
        (["b", "B", "a"], ["B", "a", "b"]),
        (["10", "2", "1"], ["1", "2", "10"]),
        (["07", "10", "2"], ["2", "07", "10"]),
        (["1", "01", "001"], ["001", "01", "1"]),
        (["1", "-1", "0"], ["-1", "0", "1"]),
        (["10", "cat", "2"], ["10", "2", "cat"]),
        (["\u00b2", "1"], ["1", "\u00b2"]),
        ([10, 2], [2, 10]),
    ],
)
def test_names_are_in_the_order_of_image_folder_and_integers_in_that_of_numbers(
    names: list[str], expected: list[str]
) -> None:
    assert in_order(names) == expected


def test_other_orders_of_a_training_are_known() -> None:
    assert class_orders(["a", "b"]) == [("a", "b")]
    assert class_orders([str(i) for i in range(11)])[1][:4] == ("0", "1", "10", "2")
    assert class_orders(["normal", "benign", "malignant"]) == [
        ("benign", "malignant", "normal"),
        ("benign", "normal", "malignant"),
    ]
