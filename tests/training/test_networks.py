from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from borderline.training.networks import MaxPool, build_judge, build_model

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 9, 9), (3, 17, 45), (1, 45, 17)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("kind", "filters"), [("cnn", 1), ("cnn", 4), ("mlp", 3)])
def test_model_gives_one_logit_and_embeds(kind: str, filters: int, shape: tuple[int, ...]) -> None:
    model = build_model(kind, filters, shape)  # type: ignore[arg-type]
    images = torch.rand(5, *shape)
    assert model(images).shape == (5,)
    embeddings = model.embed(images)
    assert embeddings.ndim == 2
    assert torch.equal(model.head(embeddings)[:, 0], model(images))


@pytest.mark.parametrize("filters", [1, 2, 4, 16])
def test_reference_embedding_is_98_filters_wide(filters: int) -> None:
    assert build_model("cnn", filters, (1, 28, 28)).head.in_features == 98 * filters
    assert build_model("mlp", filters, (1, 28, 28)).head.in_features == filters


def test_reference_cnn_has_no_activation_besides_the_pooling() -> None:
    kinds = {type(m) for m in build_model("cnn", 2, (1, 28, 28)).features}
    assert kinds == {nn.Conv2d, MaxPool, nn.Flatten}


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 2, 7, 5), (1, 1, 2, 3)])
def test_pooling_gives_pytorchs_values_and_gradients(shape: tuple[int, ...]) -> None:
    # Rounded, so that some pixels share the maximum.
    images = torch.randn(shape).round(decimals=1)
    assert torch.equal(MaxPool()(images), F.max_pool2d(images, 2))
    gradients = []
    for pool in (MaxPool(), nn.MaxPool2d(2)):
        given = images.clone().requires_grad_()
        pool(given).square().sum().backward()
        gradients.append(given.grad)
    assert torch.equal(*gradients)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES)
def test_judge_takes_images_of_any_shape(shape: tuple[int, ...]) -> None:
    judge, images = build_judge(3, shape), torch.rand(5, *shape)
    assert judge(images).shape == (5, 3)
    assert judge.embed(images).shape == (5, judge.head.in_features)


def test_judge_gives_the_bits_of_a_relu_in_front_of_the_pooling() -> None:
    judge, images = build_judge(3, (1, 12, 12)), torch.rand(4, 1, 12, 12) * 2 - 1
    layers = list(judge.features)
    layers[1:3], layers[4:6] = [nn.ReLU(), nn.MaxPool2d(2)], [nn.ReLU(), nn.MaxPool2d(2)]
    before = nn.Sequential(*layers, judge.head)
    gradients = []
    for network in (judge, before):
        network.zero_grad()
        network(images).square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert torch.equal(judge(images), before(images))
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES)
def test_judge_has_64_features_over_all_classes(shape: tuple[int, int, int]) -> None:
    judge = build_judge(10, shape)
    assert judge(torch.rand(4, *shape)).shape == (4, 10)
    assert judge.embed(torch.rand(4, *shape)).shape == (4, 64)
