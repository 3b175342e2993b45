from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch

from borderline.pipelines.rating.items import KINDS, fingerprint, ids_of, patterns_of
from borderline.records import Clusters, Prototypes, RatingItems
from raters import NAMES, items_of, rated


def counted(items: RatingItems) -> Counter[tuple[str, int]]:
    kinds, patterns = items["kind"].tolist(), items["pattern"].tolist()
    return Counter((KINDS[k], p) for k, p in zip(kinds, patterns, strict=True))


def test_page_has_equal_parts_of_each_pattern_and_controls() -> None:
    assert counted(items_of(rated(), borderline=9)) == {
        ("borderline", 0): 5,
        ("borderline", 1): 4,
        ("real_positive", -1): 4,
        ("real_negative", -1): 4,
        ("blend", -1): 3,
    }


def test_prototypes_come_first_where_images_are_few() -> None:
    data = rated(patterns=5)
    data["clusters"]["labels"][5:12] = 4
    data["prototypes"]["rows"] = torch.arange(5)
    items = items_of(data, borderline=3)
    rows = items["row"][items["kind"] == 0]
    assert len(rows) == 3
    assert set(rows.tolist()) <= set(range(5)), "each is a prototype"
    assert 4 in rows, "that of the largest pattern"


def test_small_pattern_leaves_its_part_to_the_others() -> None:
    data = rated()
    data["clusters"]["labels"] = torch.zeros(40, dtype=torch.long)
    data["clusters"]["labels"][1] = 1
    assert counted(items_of(data))["borderline", 1] == 1
    assert counted(items_of(data))["borderline", 0] == 7


def test_images_are_those_of_the_data_with_256_levels() -> None:
    data = rated()
    items = items_of(data)
    sources = {0: data["borderline"], 1: data["pair_test"], 2: data["pair_test"]}
    for image, kind, row in zip(items["images"], items["kind"], items["row"], strict=True):
        levels = (image + 1) * 127.5
        assert torch.allclose(levels, levels.round(), atol=1e-4)
        if int(kind) < 3:
            assert torch.allclose(image, sources[int(kind)]["images"][row], atol=0.5 / 127.5 + 1e-6)


def test_blends_are_halves_of_one_image_of_each_class_that_the_page_does_not_show() -> None:
    data = rated()
    items, test = items_of(data), data["pair_test"]
    shown = {kind: set(items["row"][items["kind"] == kind].tolist()) for kind in (1, 2)}
    pairs = {
        (a, b): (test["images"][a] + test["images"][b]) / 2
        for a, b in itertools.product(*(range(label, 60, 2) for label in (1, 0)))
    }
    for blend in items["images"][items["kind"] == 3]:
        close = [p for p, image in pairs.items() if (image - blend).abs().max() < 0.5 / 127]
        assert close
        assert all(a not in shown[1] and b not in shown[2] for a, b in close)


def test_same_seed_gives_the_same_page_and_another_one_another() -> None:
    data = rated()
    one, two, other = (items_of(data, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in ("images", "kind", "row", "pattern"))
    assert fingerprint(one, NAMES) == fingerprint(two, NAMES) != fingerprint(other, NAMES)


def test_fingerprint_is_of_images_order_and_classes() -> None:
    items = items_of(rated())
    swapped = {name: tensor.flip(0) for name, tensor in items.items()}
    other = items | {"images": items["images"].clone()}
    other["images"][3, 0, 0, 0] += 1 / 127.5
    prints = {
        fingerprint(items, NAMES),
        fingerprint(swapped, NAMES),  # type: ignore[arg-type]
        fingerprint(other, NAMES),
        fingerprint(items, NAMES | {"positive": "9"}),
    }
    assert len(prints) == 4
    assert len(set(ids_of(items))) == len(items["kind"])


def test_without_patterns_the_page_shows_any_borderline_images() -> None:
    assert counted(items_of(rated(patterns=0)))["borderline", -1] == 8


def test_without_borderline_images_there_is_nothing_to_rate() -> None:
    data = rated(patterns=0)
    data["borderline"] = {name: tensor[:0] for name, tensor in data["borderline"].items()}
    data["clusters"] = {"labels": data["clusters"]["labels"][:0]}
    items = items_of(data)
    assert items["images"].shape == (0, 1, 10, 10)
    assert ids_of(items) == []


@pytest.mark.parametrize("confident", [0, 2])
def test_most_probable_images_stand_in_for_missing_confident_ones(confident: int) -> None:
    data = rated()
    p = torch.where(data["pair_test"]["labels"] == 1, 0.6, 0.4)
    p[torch.arange(1, 21, 2)] = torch.linspace(0.61, 0.7, 10)
    p[59] = p[57] = 0.95 if confident else 0.6
    p[55] = 0.1
    data["real_view"]["test_p"] = p
    items = items_of(data)
    rows = set(items["row"][items["kind"] == 1].tolist())
    assert rows == ({57, 59, 19, 17} if confident else {19, 17, 15, 13})


def test_prototypes_share_the_images_of_clusters() -> None:
    clusters: Clusters = {"labels": torch.tensor([0, 0, 0, 1, -1, 1, -1])}  # type: ignore[typeddict-item]
    prototypes: Prototypes = {"rows": torch.tensor([3, 1, 2, 4])}  # type: ignore[typeddict-item]
    assert patterns_of(clusters, prototypes).tolist() == [1, 1, 2, 0, 3, 0, -1]


def test_class_that_the_model_never_gets_right_has_no_controls() -> None:
    data = rated()
    data["real_view"]["test_p"] = torch.full((60,), 0.97)
    assert counted(items_of(data)) == {
        ("borderline", 0): 4,
        ("borderline", 1): 4,
        ("real_positive", -1): 4,
    }
