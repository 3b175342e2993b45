from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor, nn

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.recipe import ClusterModel, Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.gasten.pixel_blends import BlendSampler
from borderline.pipelines.prototypes.choosing.repetition import (
    Settled,
    agreement,
    cluster_again,
    count_clusters,
    generate_borderline,
)
from borderline.records import LabelledImages, Side
from borderline.sampling import Parts, Sampler
from conftest import BOUNDARY, blobs, clustering_params

REAL: LabelledImages = {"images": torch.zeros(4, 1, 2, 2), "labels": torch.arange(4) % 2}


class Brightness(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)


@dataclass(frozen=True, kw_only=True)
class Flat(Sampler):
    """Images of even brightness, of which so large a share is borderline."""

    share: float
    most: int = 10**9

    def sample(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
    ) -> Parts:
        random = run.generator("flat")
        images = min(images, self.most)
        level = torch.rand(images, generator=random) * 0.1
        level[torch.rand(images, generator=random) > self.share] = 5.0
        shown = level[:, None, None, None].expand(-1, 1, 2, 2)
        yield {"images": shown, "probabilities": torch.sigmoid(Brightness()(shown))}
        return ""


@pytest.mark.parametrize("share", [1.0, 0.3, 0.03])
def test_only_borderline_images_come_and_as_many_as_wished(share: float, run: RunParams) -> None:
    part = generate_borderline(Flat(share=share), Brightness(), REAL, BOUNDARY, 300, run)
    assert len(part["images"]) == 300
    assert ((part["probabilities"] - 0.5).abs() < 0.1).all()
    assert len(part["probabilities"].unique()) > 250, "no image comes twice"
    again = generate_borderline(Flat(share=share), Brightness(), REAL, BOUNDARY, 300, run)
    assert torch.equal(part["images"], again["images"])
    other = run.model_copy(update={"seed": 5})
    assert not torch.equal(
        part["images"],
        generate_borderline(Flat(share=share), Brightness(), REAL, BOUNDARY, 300, other)["images"],
    )


@pytest.mark.parametrize(("share", "most"), [(0.0, 10**9), (1.0, 0), (0.001, 10**9)])
def test_generator_that_misses_the_boundary_comes_to_an_end(
    share: float, most: int, run: RunParams
) -> None:
    part = generate_borderline(Flat(share=share, most=most), Brightness(), REAL, BOUNDARY, 300, run)
    assert len(part["images"]) < 300


OWN, _ = blobs(30, 30, 30)


def settled(model: ClusterModel) -> Settled:
    return Settled(model, OWN, {}, "tiny", {"tiny": 1})


def side(points: np.ndarray) -> Side:
    return Side(points, points, {}, {})


@pytest.fixture
def model(run: RunParams) -> ClusterModel:
    recipe = Recipe(Reduction("pca", {"n_components": 3}), Clustering("kmeans", {"n_clusters": 3}))
    fitted = recipe.fit(OWN, None, clustering_params(), run)
    assert fitted is not None
    return fitted


def test_same_patterns_are_found_again(model: ClusterModel, run: RunParams) -> None:
    points, labels = blobs(20, 40, 30, seed=7)
    other = cluster_again(side(points), settled(model), run, 1)
    assert other is not None
    assert count_clusters(other.labels) == 3
    assert agreement(settled(model), other.model, points) == 1
    assert len(other.points) == 90
    assert {tuple(np.unique(other.labels[labels == c])) for c in range(3)} == {(0,), (1,), (2,)}
    assert model.choose_number(side(points), run) == ("clusters", 3)


def test_agreement_is_the_mean_of_both_directions(model: ClusterModel, run: RunParams) -> None:
    other = blobs(50, 50, seed=3)[0]
    merged = model.again(side(other), run, 1)
    assert merged is not None
    expected = [
        adjusted_rand_score(model.assign(images)[0], merged.assign(images)[0])
        for images in (OWN, other)
    ]
    assert expected[0] < expected[1]
    assert agreement(settled(model), merged, other) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("count", [0, 1, 3, 19])
def test_too_few_images_are_no_clusters(count: int, model: ClusterModel, run: RunParams) -> None:
    points, _ = blobs(20, 40, 30, seed=7)
    assert cluster_again(side(points[:count]), settled(model), run, 1) is None


def test_blends_of_neighbours_are_others_with_another_seed_and_none_comes_twice(
    run: RunParams,
) -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    level = 0.3 + 0.5 * torch.rand(60, generator=random)
    images = ((2 * labels - 1) * level)[:, None, None, None] + 0.1 * torch.randn(
        60, 1, 3, 3, generator=random
    )
    real = {"images": images, "labels": labels}
    sampler = BlendSampler(pairs="nearest", tolerance=0.01)
    parts = [
        generate_borderline(sampler, Brightness(), real, BOUNDARY, 5000, other)["images"]
        for other in (run, run.model_copy(update={"seed": 1}))
    ]
    assert not torch.equal(*(part[:10] for part in parts))
    for part in parts:
        assert 0 < len(part) == len(part.unique(dim=0))
