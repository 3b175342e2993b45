from __future__ import annotations

import math

import pytest
import torch

from borderline.errors import BorderlineError
from borderline.measures.inference import (
    batch_size_of,
    batch_size_with_gradients,
    embed,
    in_batches,
    predict,
    predict_real,
)
from borderline.training.networks import Classifier, build_library_model, build_model

CPU = torch.device("cpu")


def test_result_does_not_depend_on_the_batch_size() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).eval()
    x = torch.randn(23, 4)
    for size in (1, 7, 100):
        result = in_batches(model, x, device=CPU, batch_size=size)
        assert torch.allclose(result, model(x), atol=1e-6)


def test_no_network_gets_an_empty_batch() -> None:
    def shuffled(batch: torch.Tensor) -> torch.Tensor:
        assert len(batch) > 0
        return torch.nn.functional.pixel_unshuffle(batch, 2)

    result = in_batches(shuffled, torch.zeros(0, 1, 6, 4), device=CPU)
    assert result.shape == (0, 4, 3, 2)
    assert shuffled(torch.zeros(2, 1, 6, 4)).shape[1:] == result.shape[1:]


def test_results_can_be_trained_on() -> None:
    result = in_batches(lambda batch: batch, torch.ones(3, 2), device=CPU)
    (torch.nn.Linear(2, 1)(result)).sum().backward()


def test_predict_and_embed_are_the_view_of_the_model() -> None:
    model = build_model("cnn", 2, (3, 16, 16)).train()
    images = torch.rand(5, 3, 16, 16) * 2 - 1
    p = predict(model, images, CPU)
    assert not model.training
    assert torch.allclose(p, torch.sigmoid(model.head(embed(model, images, CPU)))[:, 0], atol=1e-6)
    assert ((p >= 0) & (p <= 1)).all()


def test_model_that_gives_nan_for_a_real_image_is_refused() -> None:
    def standardised(images: torch.Tensor) -> torch.Tensor:
        pixels = images.flatten(1)
        return ((pixels - pixels.mean(1, keepdim=True)) / pixels.std(1, keepdim=True)).amax(1)

    model = torch.nn.Identity()
    model.forward = standardised  # type: ignore[method-assign]
    images = torch.rand(600, 1, 4, 4)
    images[550] = -1
    assert predict(model, images, CPU).isnan().nonzero().tolist() == [[550]]
    with pytest.raises(BorderlineError, match=r"NaN for 1 of 600 .* number 550, with .* -1 to -1"):
        predict_real(model, images, CPU)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_embedding_that_is_no_finite_number_is_refused(value: float) -> None:
    class Broken(torch.nn.Module):
        def embed(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1).masked_fill(images.flatten(1) > 0.5, value)

    images = torch.zeros(3, 1, 2, 2)
    images[1] = 1
    with pytest.raises(BorderlineError, match=r"of Broken have NaN or infinite .* 1 of 3 images"):
        embed(Broken(), images, CPU)


@pytest.mark.parametrize(
    ("shape", "passes", "size"),
    [((1, 28, 28), 1, 128), ((3, 32, 32), 8, 16), ((3, 256, 256), 1, 2), ((1, 512, 600), 9, 1)],
)
def test_large_images_and_many_passes_have_small_batches_with_gradients(
    shape: tuple[int, ...], passes: int, size: int
) -> None:
    decoder = torch.nn.Identity()
    decoder.passes_per_image = passes  # type: ignore[assignment]
    assert batch_size_with_gradients(decoder, shape) == size


@pytest.mark.parametrize(("side", "sizes"), [(64, [512, 88]), (96, [227, 227, 146]), (192, [56])])
def test_large_images_come_in_small_batches(side: int, sizes: list[int]) -> None:
    seen = []

    def mean(batch: torch.Tensor) -> torch.Tensor:
        seen.append(len(batch))
        return batch.mean((1, 2, 3))

    in_batches(mean, torch.zeros(sum(sizes), 1, side, side), device=CPU)
    assert seen == sizes


@pytest.mark.parametrize("own", [None, 8, 400])
def test_generators_of_large_images_have_small_batches(own: int | None) -> None:
    generator = torch.nn.Identity()
    generator.image_shape = (3, 128, 128)  # type: ignore[assignment]
    if own is not None:
        generator.batch_size = own  # type: ignore[assignment]
    assert batch_size_of(generator) == min(128, own or 128)


def test_networks_one_after_the_other_take_the_smallest_batch() -> None:
    decoder, classifier = torch.nn.Identity(), torch.nn.Identity()
    decoder.batch_size, classifier.batch_size = 40, 30  # type: ignore[assignment]
    assert batch_size_of(decoder, classifier) == 30
    assert batch_size_of(decoder) == 40
    assert batch_size_of() == 512
    assert batch_size_with_gradients(decoder, (1, 28, 28)) == 128
    assert batch_size_with_gradients(decoder, (1, 28, 28), classifier) == 30


def test_a_library_model_gets_fewer_images_where_it_enlarges_them() -> None:
    assert batch_size_of(build_library_model("torchvision", "resnet18", 224)) == 41
    assert batch_size_of(build_library_model("torchvision", "resnet18", None)) == 512
    assert batch_size_of(build_model("cnn", 1, (1, 28, 28))) == 512


def test_a_model_that_needs_much_memory_gets_its_own_batches() -> None:
    class Large(Classifier):
        batch_size = 3

        def embed(self, images: torch.Tensor) -> torch.Tensor:
            assert len(images) <= 3
            return images.flatten(1)

    model, images = Large(torch.nn.Identity(), 4, 1), torch.rand(7, 1, 2, 2)
    assert len(predict(model, images, CPU)) == len(embed(model, images, CPU)) == 7
