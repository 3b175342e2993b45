"""Patterns of real digits that are changed in a known way, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.morphology import dilation
from skimage.transform import AffineTransform, warp
from torch import Tensor

from borderline.datasets import ImageSource
from borderline.params import RunParams
from borderline.pipelines.prototypes.explaining.words import (
    COLUMNS,
    as_numbers,
    compare_columns,
    compare_properties,
    tabulate,
    words_for,
)
from borderline.pipelines.report.words import in_words
from borderline.records import Clusters, LabelledImages, Part, RealView
from conftest import prototypes_params

SETTINGS = prototypes_params().words.model_copy(update={"permutations": 999, "level": 0.01})


@pytest.fixture(scope="module")
def digits() -> dict[int, Tensor]:
    """The embedded digits of three classes."""
    source = ImageSource(kind="mnist_sample").load().train
    return {digit: source["images"][source["labels"] == digit] for digit in (0, 1, 7)}


def compared(
    patterns: list[Tensor], negatives: Tensor, positives: Tensor, seed: int = 0
) -> pd.DataFrame:
    """The table of patterns beside images that the model is confident of."""
    labels = torch.cat([torch.zeros(len(negatives)), torch.ones(len(positives))]).long()
    images = torch.cat(patterns)
    members = torch.repeat_interleave(
        torch.arange(len(patterns)), torch.tensor([*map(len, patterns)])
    )
    numbers = list(range(len(patterns)))
    prototypes = pd.DataFrame({"prototype": numbers, "cluster": numbers})
    borderline: Part = {"images": images, "probabilities": torch.full((len(images),), 0.5)}
    clusters: Clusters = {
        "labels": members,
        "probability": torch.ones(len(images)),
        "reduced": torch.zeros(len(images), 2),
    }
    real: LabelledImages = {"images": torch.cat([negatives, positives]), "labels": labels}
    p = torch.where(labels == 1, 0.99, 0.01)
    view: RealView = {
        "train_p": p,
        "test_p": p[:0],
        "train_embeddings": torch.zeros(len(p), 2),
        "test_embeddings": torch.zeros(0, 2),
    }
    run = RunParams(seed=seed, device="cpu")
    rows = compare_properties(
        borderline, clusters, prototypes, real, view, (0.1, 0.9), SETTINGS, run
    )
    return tabulate(rows, SETTINGS)


def sevens(table: pd.DataFrame) -> dict[str, str]:
    """The words about the first pattern and the sevens, by property."""
    rows = table[(table["prototype"] == 0) & (table["class"] == "positive")]
    return dict(zip(rows["property"], rows["words"], strict=True))


def changed(images: Tensor, change: object) -> Tensor:
    return torch.stack([torch.from_numpy(change(image.numpy())) for image in images[:, 0]])[:, None]  # type: ignore[operator]


def test_thicker_sevens_are_said_to_be_thicker(digits: dict[int, Tensor]) -> None:
    thick = changed(digits[7][:60], lambda image: dilation(image, np.ones((2, 2))))
    table = compared([thick], digits[1][:60], digits[7][60:160])
    assert list(table) == list(COLUMNS)
    assert sevens(table)["thickness"].startswith("thicker (")
    assert sevens(table)["ink"].startswith("with more ink (")
    assert sevens(table)["slant"] == ""
    assert (
        "thicker (" in in_words(table, 0, "1", "7").partition(" than the model's confident 7s")[0]
    )


@pytest.mark.parametrize(("shear", "side"), [(0.6, "right"), (-0.6, "left")])
def test_sheared_sevens_are_said_to_be_slanted(
    digits: dict[int, Tensor], shear: float, side: str
) -> None:
    # The rows above the middle move by `shear` pixels a row.
    matrix = np.array([[1, shear, -shear * 13.5], [0, 1, 0], [0, 0, 1]])
    move = AffineTransform(matrix=matrix)
    sheared = changed(
        digits[7][:60],
        lambda image: warp(image, move, order=0, cval=-1, preserve_range=True).astype("float32"),
    )
    table = compared([sheared], digits[1][:60], digits[7][60:160])
    assert sevens(table)["slant"].startswith(f"more slanted to the {side} (")
    assert sevens(table)["contrast"] == ""


def test_loops_are_said(digits: dict[int, Tensor]) -> None:
    table = compared([digits[0][:40]], digits[1][:60], digits[7][:60])
    assert sevens(table)["holes"].startswith("with more holes (")


def test_random_halves_of_one_class_say_nothing(digits: dict[int, Tensor]) -> None:
    silent = 0
    for seed in range(10):
        order = torch.randperm(500, generator=torch.Generator().manual_seed(seed))
        half, rest = digits[7][order[:60]], digits[7][order[60:160]]
        table = compared([half], rest[:50], rest[50:], seed)
        silent += (table["words"] == "").all()
        said = in_words(table, 0, "1", "7")
        assert said.startswith("No measured property differs") == (table["words"] == "").all()
    assert silent >= 9


def test_confident_images_are_of_their_class_and_sure(digits: dict[int, Tensor]) -> None:
    table = compared([digits[7][:20]], digits[1][:30], digits[7][20:60])
    sizes = table.groupby("class")["other_images"].first()
    assert sizes.to_dict() == {"negative": 30, "positive": 40}
    assert table.groupby("class")["images"].first().to_dict() == {"negative": 20, "positive": 20}


def test_too_few_images_are_not_compared(digits: dict[int, Tensor]) -> None:
    table = compared([digits[7][:3]], digits[1][:30], digits[7][20:60])
    assert len(table) == 0
    assert in_words(table, 0, "1", "7").startswith("Its images are not compared")
    table = compared([digits[7][:20]], digits[1][:2], digits[7][20:60])
    assert set(table["class"]) == {"positive"}
    assert in_words(table, 0, "1", "7").endswith("; too few confident 1s to compare.")
    none = compared([digits[7][:20]], digits[1][:0], digits[7][:0])
    assert len(none) == 0


def test_colour_images_are_compared_by_brightness_and_colour() -> None:
    random = torch.Generator().manual_seed(0)
    scenes = torch.rand(90, 1, 16, 16, generator=random).expand(-1, 3, -1, -1) * 2 - 1
    scenes = scenes + 0.1 * torch.rand(scenes.shape, generator=random)
    red = scenes[:30].clone()
    red[:, 1:] = red[:, 1:] / 2 - 0.5
    words = sevens(compared([red], scenes[30:60], scenes[60:]))
    assert list(words) == ["brightness", "contrast", "symmetry", "sharpness", "colourfulness"]
    assert words["brightness"].startswith("darker (")
    assert words["colourfulness"].startswith("more colourful (")


@pytest.mark.parametrize(
    ("mean", "other", "words"),
    [
        (20.0, 10.0, "more slanted to the right (1.1 SD)"),
        (5.0, 10.0, "less slanted to the right (1.1 SD)"),
        (-20.0, -10.0, "more slanted to the left (1.1 SD)"),
        (2.0, -10.0, "less slanted to the left (1.1 SD)"),
        (20.0, -10.0, "more slanted to the right (1.1 SD)"),
    ],
)
def test_slant_has_a_side(mean: float, other: float, words: str) -> None:
    assert words_for("pattern", "slant", mean, other, 1.1 if mean > other else -1.1) == words


def test_difference_of_all_patterns_stands_alone() -> None:
    rows = [
        (number, side, name, effect, words)
        for number in (0, 1)
        for side in ("negative", "positive")
        for name, effect, words in (
            ("sharpness", -2.0, "less sharp (2.0 SD)"),
            ("thickness", 0.5, "thicker (0.5 SD)" if number else ""),
        )
    ]
    table = pd.DataFrame(rows, columns=["prototype", "class", "property", "effect", "words"])
    table["compared"] = "pattern"
    assert in_words(table, 0, "sandal", "sneaker") == (
        "No other measured property differs from the confident images of sneaker or images of "
        "sandal. Like all others, less sharp than the confident images."
    )
    assert in_words(table, 1, "1", "7").startswith(
        "Thicker (0.5 SD) than the model's confident 7s;"
    )
    of_one_class = table[table["class"] == "negative"]
    assert in_words(of_one_class, 1, "1", "7") == (
        "Thicker (0.5 SD) than the model's confident 1s; too few confident 7s to compare. Like all "
        "others, less sharp than the confident images."
    )
    alone = table[table["prototype"] == 1]
    assert in_words(alone, 1, "1", "7").startswith("Less sharp (2.0 SD) and thicker (0.5 SD) than")


class NearestClusters:
    """Clusters by the sign of the first number of an embedding; those near zero are outliers."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (embeddings[:, 0] > 0).astype(int), np.ones(len(embeddings)), embeddings

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        return (np.abs(embeddings[:, 0]) > 0.1).astype(float)


def columns_compared(columns: dict[str, object], embeddings: np.ndarray) -> pd.DataFrame:
    labels = np.arange(len(embeddings)) % 2
    table = pd.DataFrame(columns)
    table.insert(0, "pair_row", range(len(table)))
    prototypes = pd.DataFrame({"prototype": [0, 1], "cluster": [1, 0]})
    run = RunParams(seed=0, device="cpu")
    rows = compare_columns(
        *(table, labels, embeddings, prototypes, NearestClusters(), SETTINGS, run)  # type: ignore[arg-type]
    )
    return tabulate(rows, SETTINGS)


def test_columns_of_the_real_images_near_a_pattern_are_compared_within_a_class() -> None:
    random = np.random.default_rng(0)
    embeddings = random.choice([-1.0, 0.0, 1.0], (300, 2))
    near, labels = embeddings[:, 0] > 0, np.arange(300) % 2
    columns = {
        # The positives near the pattern come from scanner B; the negatives are older.
        "scanner": np.where((near & (labels == 1)) | (random.random(300) < 0.2), "B", "A"),
        "age": random.normal(50, 10, 300) + 10 * (near & (labels == 0)),
        "class": np.where(labels == 1, "yes", "no"),
        "patient": [f"p{i}" for i in range(300)],
    }
    table = columns_compared(columns, embeddings)
    assert set(table["property"]) == {
        *("scanner = A", "scanner = B", "age", "class = no", "class = yes")
    }
    said = table[table["words"] != ""].set_index(["prototype", "class", "property"])["words"]
    assert said[0, "positive", "scanner = B"].startswith("scanner B more often (100 % instead of ")
    assert said[0, "negative", "age"].startswith("a higher age (")
    assert not said.index.isin(["class = no", "class = yes"], level="property").any()
    text = in_words(table, 0, "1", "7")
    assert ". The real 7s near it have scanner " in text
    assert "; the real 1s near it have a higher age (" in text


def test_columns_that_differ_in_nothing_are_said_so() -> None:
    random = np.random.default_rng(1)
    table = columns_compared(
        {"age": random.normal(50, 10, 200), "used": random.random(200) > 0.5},
        random.choice([-1.0, 1.0], (200, 2)),
    )
    assert len(table) == 2 * 2 * 3
    assert in_words(table, 0, "1", "7").endswith(
        ". The real images near it do not differ in the columns beside them."
    )
    assert len(columns_compared({}, np.ones((20, 2)))) == 0


def test_missing_values_of_columns_stay_missing() -> None:
    numbers = as_numbers(pd.DataFrame({"age": [1, np.inf, 3], "site": ["a", None, "b"]}))
    assert numbers["age"].isna().tolist() == [False, True, False]
    assert numbers["site = a"].tolist()[::2] == [1, 0]
    assert np.isnan(numbers["site = a"][1])
