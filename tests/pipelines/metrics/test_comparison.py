from __future__ import annotations

import math

import pandas as pd
import pytest
import torch
from torch import Tensor

from borderline.measures.realism import Moments, Reference, frechet_distance
from borderline.params import RunParams
from borderline.pipelines.metrics.comparison import (
    COLUMNS,
    REAL,
    ImageSet,
    RealImages,
    compare,
    measure_name,
)
from conftest import BOUNDARY, metrics_params

METRICS = metrics_params(sample_size=500, fewest_images=50, neighbours=5)
D = 4


def draw(n: int, shift: float = 0.0) -> Tensor:
    random = torch.Generator().manual_seed(n)
    return torch.randn(n, D, generator=random, dtype=torch.float64) + shift


def real_images(borderline: int = 60, test: int = 120) -> RealImages:
    p = torch.full((400,), 0.99)
    p[:borderline] = 0.5
    return RealImages(
        {"lenet": Reference.of(draw(400), 5)}, {"lenet": draw(test)}, p, torch.full((test,), 0.01)
    )


def table_of(
    real: RealImages, of_all: dict[str, int], borderline: dict[str, int], run: RunParams
) -> pd.DataFrame:
    def sets(sizes: dict[str, int]) -> list[ImageSet]:
        return [ImageSet(name, {"lenet": draw(n, 1.0)}) for name, n in sizes.items()]

    return compare(real, sets(of_all), sets(borderline), BOUNDARY, METRICS, run)


def group(table: pd.DataFrame, images: str, against: str) -> pd.DataFrame:
    return table[(table["images"] == images) & (table["against"] == against)]


def test_all_sets_of_a_comparison_have_one_n_and_the_floor_is_among_them(run: RunParams) -> None:
    table = table_of(real_images(), {"a": 300, "b": 200}, {"a": 150, "b": 90}, run)
    assert tuple(table.columns) == COLUMNS
    of_all = group(table, "all", "real")
    assert set(of_all["n"]) == {120}, "the number of the real test images"
    assert list(of_all["source"].unique()) == ["a", "b", REAL]
    borderline = group(table, "borderline", "real")
    assert set(borderline["n"]) == {60}, "the number of the real borderline images"
    near = group(table, "borderline", "real borderline")
    assert set(near["n"]) == {90}
    assert list(near["source"].unique()) == ["a", "b"]
    fd = of_all[of_all["measure"] == "fd_lenet"].set_index("source")
    for name, size in (("a", 300), ("b", 200)):
        first = Moments.of(draw(size, 1.0)[:120])
        expected = frechet_distance(first, Moments.of(draw(400)))
        assert fd["value"][name] == pytest.approx(expected)
    assert fd["high"][REAL] < fd["low"]["a"]
    assert (table["note"] == "").all()


def test_sets_that_are_too_small_say_so_and_do_not_pull_the_others_down(run: RunParams) -> None:
    table = table_of(real_images(), {"a": 300, "b": 0}, {"a": 150, "b": 49}, run)
    b = table[table["source"] == "b"]
    assert b["value"].isna().all()
    # In the group of all images b has none, in those of borderline ones too few.
    assert set(b["note"]) == {f"only {n} images, and metrics.fewest_images is 50" for n in (0, 49)}
    assert set(group(table, "borderline", "real borderline").query("source == 'a'")["n"]) == {150}


def test_too_few_real_borderline_images_are_no_reference_and_no_floor(run: RunParams) -> None:
    table = table_of(real_images(borderline=12), {"a": 300}, {"a": 150}, run)
    near = group(table, "borderline", "real borderline")
    assert near["value"].isna().all()
    assert near["note"].str.startswith("only 12 real borderline images").all()
    borderline = group(table, "borderline", "real").set_index("source")
    assert borderline.loc[REAL, "note"].str.startswith("only 12 images").all()
    assert (borderline.loc["a", "n"] == 150).all()


def wide(n: int) -> Tensor:
    return torch.randn(n, 80, generator=torch.Generator().manual_seed(n)).double()


def test_fewer_images_than_dimensions_have_no_distance_and_a_reason(run: RunParams) -> None:
    real = real_images()._replace(
        references={"lenet": Reference.of(wide(400), 5)}, test={"lenet": wide(120)}
    )
    table = compare(real, [ImageSet("a", {"lenet": wide(70)})], [], BOUNDARY, METRICS, run)
    fd = table[table["measure"] == "fd_lenet"].set_index("source")
    assert math.isnan(fd.loc["a", "value"])
    assert fd.loc["a", "note"] == "70 images are not more than the judge's 80 features"
    assert table[table["measure"] == "kd_lenet"]["value"].notna().all()


def test_a_floor_that_is_too_small_takes_no_distance_from_the_generators(run: RunParams) -> None:
    real = real_images(borderline=60)._replace(
        references={"lenet": Reference.of(wide(400), 5)}, test={"lenet": wide(120)}
    )
    sets = [ImageSet("a", {"lenet": wide(300)}), ImageSet("b", {"lenet": wide(200)})]
    table = group(compare(real, sets, sets, BOUNDARY, METRICS, run), "borderline", "real")
    fd = table[table["measure"] == "fd_lenet"].set_index("source")
    assert fd["n"].to_dict() == {"a": 200, "b": 200, REAL: 60}
    assert fd["value"].notna().to_dict() == {"a": True, "b": True, REAL: False}
    assert set(table[table["measure"] == "precision_lenet"]["n"]) == {60}


def test_real_images_that_come_sorted_by_class_are_mixed_before_they_are_cut(
    run: RunParams,
) -> None:
    test = draw(120)
    test[60:] += 50
    real = real_images()._replace(test={"lenet": test})
    few = METRICS.model_copy(update={"sample_size": 60})
    table = compare(real, [ImageSet("a", {"lenet": draw(300)})], [], BOUNDARY, few, run)
    value = group(table, "all", "real").set_index(["source", "measure"])["value"]
    assert 0.3 < value[REAL, "precision_lenet"] < 0.7


def test_only_inception_has_the_names_fid_and_kid() -> None:
    assert (measure_name("fd", "inception"), measure_name("kd", "inception")) == ("fid", "kid")
    assert measure_name("fd", "lenet") == "fd_lenet"
    assert measure_name("precision", "inception") == "precision_inception"


def test_real_borderline_images_are_not_compared_with_themselves(run: RunParams) -> None:
    features = draw(400)
    features[7] += 1000
    real = real_images()._replace(references={"lenet": Reference.of(features, 5)})
    table = table_of(real, {"a": 300}, {"a": 150}, run)
    floor = group(table, "borderline", "real").query(f"source == '{REAL}'").set_index("measure")
    borderline = real.borderline(BOUNDARY)
    assert borderline.real_rows is not None
    assert borderline.real_rows.tolist() == list(range(60))
    # Nothing but itself is near the seventh.
    assert floor["value"]["precision_lenet"] == pytest.approx(59 / 60)
