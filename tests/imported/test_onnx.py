"""ONNX models of other libraries: their outputs, the shape and the type of their input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.classifier import BlindJudge, ImportedClassifier, prepared
from borderline.imported.kinds import read_network
from conftest import contract_of, imported_model, imported_source
from elsewhere import onnx_file

GREY = (1, 8, 8)
ROWS = ("N", *GREY)
RANDOM = np.random.default_rng(0)


def images(count: int = 5, shape: tuple[int, ...] = GREY) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def classifier_of(
    content: bytes, shape: tuple[int, ...] = GREY, output: str | None = None, **changed: Any
) -> ImportedClassifier:
    source = {"kind": "onnx", "path": "m.onnx", "output": output}
    settings = {"source": source, "outputs": "logits", "embedding": "judge", **changed}
    return ImportedClassifier(imported_model(**settings), content, shape, BlindJudge())


@pytest.mark.parametrize(
    "outputs",
    [
        {"label": "label", "probabilities": "probabilities"},  # scikit-learn
        {"output_label": "label", "output_probability": "maps"},  # with ZipMap
        {"label": "label", "Identity": "probabilities"},  # the only output of floats
        {"embedding": "pixels", "probabilities": "probabilities"},
        {"features": "fours", "out": "probabilities"},  # the only one of rows
    ],
)
def test_output_that_is_a_probability_is_taken(outputs: dict[str, str]) -> None:
    classifier = classifier_of(onnx_file(ROWS, outputs), outputs="probabilities")
    expected = 80 * ((images() + 1) / 2).mean((1, 2, 3)) - 9.2
    torch.testing.assert_close(classifier(images()), expected, atol=1e-3, rtol=1e-3)


def test_output_can_be_named() -> None:
    content = onnx_file(ROWS, {"first": "pixels", "second": "logits"})
    for output in ("second", 1):
        classifier = classifier_of(content, source={"kind": "onnx", "path": "m", "output": output})
        assert classifier.outputs(images()).shape == (5, 2)


@pytest.mark.parametrize(
    ("outputs", "output", "words"),
    [
        (
            {"first": "pixels", "second": "logits"},
            None,
            ["source.output is None", "first: float (N, 64); second: float (N, 2)", "--output"],
        ),
        ({"label": "label"}, None, ["source.output is None", "label: int64 (N)", "probabilities"]),
        ({"a": "logits", "c": "label"}, "c", ["source.output is 'c'", "no probabilities"]),
        ({"logit": "logits"}, "logits", ["source.output is 'logits'", "did you mean 'logit'?"]),
    ],
)
def test_output_that_is_unclear(
    outputs: dict[str, str], output: str | None, words: list[str]
) -> None:
    with pytest.raises(BorderlineError) as error:
        classifier_of(onnx_file(ROWS, outputs), output=output)
    for word in words:
        assert word in str(error.value)


LAYOUTS = {
    "nchw": lambda x: x,
    "nhwc": lambda x: x.permute(0, 2, 3, 1),
    "flat_nchw": lambda x: x.flatten(1),
    "flat_nhwc": lambda x: x.permute(0, 2, 3, 1).flatten(1),
}


@pytest.mark.parametrize("batch", ["N", 1, 4])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_batches(layout: str, batch: int | str) -> None:
    x = images(5, (3, 8, 10))
    ordered = LAYOUTS[layout]((x + 1) / 2)
    weights = RANDOM.normal(size=(240, 3))
    content = onnx_file((batch, *ordered.shape[1:]), {"logits": "logits"}, weights, (0, 1, 2))
    classifier = classifier_of(
        content, (3, 8, 10), input={"layout": layout}, columns=[2, 0], embedding="flat"
    )
    expected = ordered.reshape(5, -1) @ torch.from_numpy(weights).float() + torch.tensor([0, 1, 2])
    torch.testing.assert_close(classifier.outputs(x), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(classifier.embed(x), ordered.reshape(5, -1))


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int32", "int64"])
def test_types(dtype: str) -> None:
    is_float = dtype.startswith("float")
    contract = {} if is_float else {"range": [0, 255], "dtype": "uint8"}
    content = onnx_file(ROWS, {"logits": "logits"}, dtype=dtype)
    classifier = classifier_of(content, input=contract)
    assert classifier.network.declared()["dtype"] == (dtype if is_float else "uint8")
    pixels = prepared(images(), contract_of(**contract)).float()
    expected = 80 * pixels.mean((1, 2, 3)) - 9.2
    torch.testing.assert_close(classifier(images()), expected, atol=0.1, rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "declared"),
    [
        (("N", 28, 28, 1), {"layout": "nhwc", "channels": 1, "size": 28}),
        ((1, 3, 320, 320), {"layout": "nchw", "channels": 3, "size": 320}),
        ((8, 48, 192, 3), {"layout": "nhwc", "channels": 3, "size": [48, 192]}),
        (("N", 3, "H", "W"), {"layout": "nchw", "channels": 3}),
        (("N", "C", "H", "W"), {}),
        ((None, 784), {"layout": "flat_nchw", "channels": 1, "size": 28}),
        (("N", 3 * 64), {"channels": 3, "size": 8}),
        (("N", 16 * 40), {}),
    ],
)
def test_settings_that_a_file_declares(
    shape: tuple[int | str, ...], declared: dict[str, Any]
) -> None:
    content = onnx_file(shape, {"logits": "logits"})
    source = imported_source("onnx", path="m.onnx")
    assert read_network(source, content).declared() == declared


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        (("N", 8, 8, 1), "float32", ["input.layout is 'nchw'", "(any, 8, 8, 1)", "'nhwc'"]),
        (("N", 64), "float32", ["input.layout is 'nchw'", "rows of 64", "'flat_nchw'"]),
        ((1, 1, 320, 320), "float32", ["input.size is None", "320x320", "8x8", "input.fit"]),
        ((1, 1, 20, 30), "float32", ["set it to [20, 30]"]),
        (("N", 3, 8, 8), "float32", ["input.channels is None", "takes 3", "have 1", "input.fit"]),
        (("N", 4, 8, 8), "float32", ["source.path is", "(any, 4, 8, 8)", "1 or 3 channels"]),
        ((8, 8, 3), "float32", ["source.path is", "(8, 8, 3)", "batches of images"]),
        (ROWS, "uint8", ["input.dtype is 'float32'", "'uint8'", "[0, 255]"]),
        (ROWS, "int8", ["source.path is", "tensor(int8)", "uint8"]),
    ],
)
def test_input_that_contradicts_the_settings(
    shape: tuple[int | str, ...], dtype: str, words: list[str]
) -> None:
    with pytest.raises(BorderlineError) as error:
        classifier_of(onnx_file(shape, {"logits": "logits"}, dtype=dtype))
    for word in words:
        assert word in str(error.value), str(error.value)


def test_images_are_resized_for_a_model_of_a_fixed_size() -> None:
    content = onnx_file((1, 1, 32, 32), {"logits": "logits"})
    classifier = classifier_of(content, input={"size": 32, "fit": True})
    flat = torch.full((2, *GREY), 0.2)
    torch.testing.assert_close(classifier(flat), torch.full((2,), 80 * 0.6 - 9.2))
    assert classifier.described == (
        "imported (onnx, images resized to 32x32), embedding: the judge's features"
    )


def test_weights_in_another_file_are_asked_for() -> None:
    import onnx

    model = onnx.load_model_from_string(onnx_file(ROWS, {"logits": "logits"}))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="m.onnx.data")
    with pytest.raises(BorderlineError, match=r"another file \(m.onnx.data\).*external_data=False"):
        classifier_of(model.SerializeToString())


def test_weights_are_counted_or_unknown() -> None:
    assert classifier_of(onnx_file(ROWS, {"logits": "logits"})).weights == 64 * 2 + 2
