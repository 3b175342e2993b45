from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.measures.judges import Reference
from borderline.measures.realism import RealStatistics
from borderline.params import PairParams, RunParams
from borderline.pipelines.gasten.epoch_scores import measurement, other_judges
from borderline.pipelines.gasten.nodes import describe_real_images, describe_real_view
from borderline.records import LabelledImages, References
from conftest import BOUNDARY


class Rows(nn.Module):
    """A generator whose images are the rows that it is given; as a judge it embeds their pixels."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows[:, None, None, :]

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)


class OfPair(nn.Module):
    """A model whose logit is the first pixel."""

    most_other_mass: float | None = None

    def other_mass(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images))

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, 0]


class OfThree(OfPair):
    """Another, for which the second pixel is the probability of a third class."""

    most_other_mass = 0.5

    def other_mass(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, 1]


def test_epoch_scores_leave_out_images_of_other_classes() -> None:
    logits = torch.tensor([0.0, 4.0, 0.0, 0.0])
    noise = torch.stack([logits, torch.tensor([0.1, 0.5, 0.6, 0.8])], dim=1)
    features = torch.rand(10, 2)
    cpu = torch.device("cpu")

    def scores(model: nn.Module, rows: Tensor) -> dict[str, float]:
        return measurement(rows, Rows(), features, cpu, model, BOUNDARY)(Rows())

    of_pair, of_three = (scores(model, noise) for model in (OfPair(), OfThree()))
    assert (of_pair["yield"], of_three["yield"]) == (0.75, 0.5)
    assert of_three["acd"] == pytest.approx(float(torch.sigmoid(torch.tensor(4.0)) - 0.5) / 2)
    assert of_three["other_mass"] == pytest.approx(0.5)
    assert "other_mass" not in of_pair
    assert of_three["fd_lenet"] == of_pair["fd_lenet"]
    elsewhere = scores(OfThree(), noise[2:])
    assert math.isnan(elsewhere["yield"])
    assert math.isnan(elsewhere["acd"])
    assert elsewhere["images"] == 2


def real_statistics(features: Tensor, judge: str) -> References:
    return RealStatistics.of(features).record(judge)


def test_other_judges_measure_the_same_images() -> None:
    noise, features = torch.randn(9, 2), torch.randn(10, 2) + 1
    statistics = real_statistics(features, "inception") | real_statistics(features, "classifier")
    judges = {"inception": Rows(), "classifier": None}
    others = other_judges(judges, statistics, noise)
    scores = measurement(noise, Rows(), features, torch.device("cpu"), others=others)(Rows())
    assert list(scores) == ["images", "fd_lenet", "fid"]
    assert scores["fid"] == scores["fd_lenet"] > 0
    assert other_judges(judges, None, noise) == {}


def test_other_judges_need_more_images_than_features() -> None:
    statistics = real_statistics(torch.randn(10, 2), "inception")
    with pytest.raises(BorderlineError, match="2 features, but there are 2 latent vectors"):
        other_judges({"inception": Rows()}, statistics, torch.randn(2, 2))
    statistics = real_statistics(torch.randn(2, 2), "inception")
    with pytest.raises(BorderlineError, match="there are 2 real training images"):
        other_judges({"inception": Rows()}, statistics, torch.randn(9, 2))


@pytest.mark.parametrize("reference", ["pair", "all"])
def test_real_images_are_those_of_the_pair_or_of_all_classes(
    run: RunParams, reference: Reference
) -> None:
    labels = torch.arange(12) % 3
    train: LabelledImages = {"images": torch.randn(12, 1, 1, 2), "labels": labels}
    source = SourceImages("three", ("a", "b", "c"), train, train)
    rows = labels != 1
    pair_train: LabelledImages = {"images": train["images"][rows], "labels": labels[rows] // 2}
    settings = {
        "pair": PairParams(positive="c", negative="a", test_share=0.5),
        "epoch_reference": reference,
        "run": run,
    }
    names = {"positive": "c", "negative": "a"}
    described = describe_real_images(pair_train, source, names, Rows(), Rows(), **settings)
    compared = train["images"] if reference == "all" else pair_train["images"]
    assert described["inception.mean"].tolist() == pytest.approx(
        compared.flatten(1).mean(0).tolist()
    )
    # The next stage takes the features of the pair in both cases.
    assert torch.equal(described["inception.features"], pair_train["images"].flatten(1))
    assert ("lenet.features" in described) is (reference == "all")
    view: Any = {"train_embeddings": pair_train["images"].flatten(1)}
    of_model = describe_real_view(view, Rows(), source, **settings)
    assert of_model["classifier.n"] == len(compared)
