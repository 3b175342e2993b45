from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from borderline.params import RunParams
from borderline.pipelines.repair import pools
from borderline.pipelines.repair.labels import labels_of
from borderline.records import LabelledImages
from conftest import BOUNDARY
from shades import SHAPE, Brightness, Near


def verdicts(images: Tensor, sure: float = 0.0) -> pd.DataFrame:
    """The committee is sure of images that are not almost grey."""
    level = images.flatten(1).mean(1).double()
    known = (level.abs() >= sure).numpy()
    positive = (level > 0).double().numpy()
    return pd.DataFrame(
        {"verdict": "weakness", "positive": positive, "negative": 1 - positive}
    ).assign(verdict=lambda t: t["verdict"].where(known, "undecided"))


def source(run: RunParams, **changed: Any) -> pools.Source:
    real: LabelledImages = {
        "images": torch.rand(40, *SHAPE) * 2 - 1,
        "labels": torch.arange(40) % 2,
    }
    made = SimpleNamespace(sampler=Near(), judging=verdicts)
    made.__dict__.update(changed)
    return pools.Source(made.sampler, Brightness(), real, BOUNDARY, made.judging, run)


def judged(levels: list[float]) -> pools.Judged:
    images = torch.tensor(levels)[:, None, None, None].expand(-1, *SHAPE)
    return pools.Judged(images, labels_of(verdicts(images)))


def test_more_images_are_generated_where_too_few_have_a_label(run: RunParams) -> None:
    origin = source(run)
    drawn: list[int] = []

    def draw(turn: int, count: int) -> Tensor:
        drawn.append(count)
        return origin.borderline("added", turn, count)

    enough = pools.enough(judged([0.01] * 3), draw, origin.judging, 100, ("hard",))
    assert len(enough.rows("hard")) >= 100
    assert torch.equal(enough.images[:3], judged([0.01] * 3).images)
    assert len(drawn) <= 2
    again = pools.enough(judged([0.01] * 3), draw, origin.judging, 100, ("hard",))
    assert torch.equal(enough.images, again.images)
    # With enough from the start, nothing is generated.
    drawn.clear()
    assert len(pools.enough(judged([0.01] * 9), draw, origin.judging, 9, ("hard",)).images) == 9
    assert not drawn


def test_images_that_are_there_already_do_not_count_again(run: RunParams) -> None:
    origin, first = source(run), judged([0.01, 0.02])
    drawn: list[int] = []

    def draw(turn: int, count: int) -> Tensor:
        drawn.append(turn)
        return judged([0.01, 0.03, 0.03] if turn == 0 else [0.02, 0.03]).images

    enough = pools.enough(first, draw, origin.judging, 9, ("hard",))
    assert torch.equal(enough.images, judged([0.01, 0.02, 0.03]).images)
    assert drawn == [0, 1], "a turn without another image is the last"


def test_a_committee_that_is_never_sure_ends_the_search(run: RunParams) -> None:
    origin = source(run, judging=lambda images: verdicts(images, sure=9))
    near, random = pools.both_sets(judged([]), origin, repair())
    assert 0 < len(near.images) <= 4 * 2000
    assert len(near.rows("hard")) == len(random.rows("hard")) == 0


@pytest.mark.parametrize(("arms", "wanted"), [(("again", "boundary"), 30), (None, 60)])
def test_prototypes_choose_among_more_images_than_are_added(
    run: RunParams, arms: Any, wanted: int
) -> None:
    settings = repair() if arms is None else repair().model_copy(update={"arms": arms})
    first = torch.linspace(0.001, 0.02, wanted).tolist()
    enough, _ = pools.both_sets(judged(first), source(run), settings)
    assert len(enough.images) == wanted
    more, _ = pools.both_sets(judged(first[1:]), source(run), settings)
    assert len(more.images) > wanted


def test_without_latents_the_random_pool_is_empty(run: RunParams) -> None:
    origin = source(run, sampler=Near(has_space=False))
    _, random = pools.both_sets(judged([0.01] * 30), origin, repair())
    assert len(random.images) == 0


def test_each_pool_holds_its_images_with_their_targets(run: RunParams) -> None:
    near, random = judged([0.01, -0.02, 0.015, -0.001]), judged([0.9, -0.8])
    reserve: LabelledImages = {
        "images": judged([0.9, 0.01, -0.4]).images,
        "labels": torch.tensor([1, 0, 1]),
    }
    prototypes = judged([0.016, -0.019]).images
    p = torch.sigmoid(4 * torch.tensor([0.9, 0.01, -0.4]))
    made = pools.pools(near, random, prototypes, reserve, p, source(run), ("hard",))
    level = {
        name.removesuffix(".images"): images.flatten(1).mean(1).tolist()
        for name, images in made.items()
        if name.endswith(".images")
    }
    assert level["boundary"] == pytest.approx([0.01, -0.02, 0.015, -0.001])
    # The nearest image of each prototype comes first.
    assert level["prototypes"] == pytest.approx([0.015, -0.02, 0.01, -0.001], abs=1e-6)
    assert level["random"] == pytest.approx([0.9, -0.8])
    # The nearest to the boundary comes first, with its true label.
    assert level["uncertain"] == pytest.approx([0.01, -0.4, 0.9])
    assert made["uncertain.targets"].tolist() == [0, 1, 1]
    for arm in ("boundary", "prototypes", "random"):
        expected = [float(value > 0) for value in level[arm]]
        assert made[f"{arm}.targets"].tolist() == expected


def test_fresh_images_are_new_and_have_label_and_pattern(run: RunParams) -> None:
    origin = source(run)
    new = pools.new_borderline(origin, 30)
    added = origin.borderline("added", 0, 30)
    assert not {i.numpy().tobytes() for i in added} & {i.numpy().tobytes() for i in new.images}
    known = new.images[:4]
    fresh = pools.fresh_images(new, known, 999, lambda e: (e[:, 0] > 0).long(), origin)
    assert len(fresh["images"]) == len(new.images) - 4
    few = pools.fresh_images(new, known, 7, lambda e: (e[:, 0] > 0).long(), origin)
    assert torch.equal(few["images"], fresh["images"][:7])
    assert torch.equal(fresh["labels"], fresh["patterns"])
    assert fresh["generated"].tolist() == [len(new.images)]
    empty = pools.fresh_images(new, new.images, 999, lambda _: torch.zeros(1), origin)
    assert len(empty["images"]) == len(empty["labels"]) == len(empty["probabilities"]) == 0


def test_a_cluster_has_the_number_of_its_first_prototype() -> None:
    clusters: Any = {"labels": torch.tensor([2, 0, 2, -1])}
    prototypes: Any = {"rows": torch.tensor([0, 1, 2, 3])}
    assert pools.patterns_by_cluster(clusters, prototypes) == {2: 0, 0: 1}


def repair() -> Any:
    from borderline.pipelines.repair.params import RepairParams
    from conftest import base_settings

    return RepairParams.model_validate({**base_settings()["repair"], "images": 30})
