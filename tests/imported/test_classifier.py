from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

import elsewhere
from borderline.errors import BorderlineError
from borderline.imported.classifier import (
    BlindJudge,
    ImportedClassifier,
    prepared,
)
from borderline.imported.import_path import digest_of_code, digest_of_source
from borderline.imported.params import ImportedModelParams
from borderline.imported.probe import check_contract, check_model
from borderline.measures.inference import predict
from borderline.params import RunParams
from borderline.pipelines.prototypes.explaining.explanation import randomised
from conftest import contract_of, imported_model, imported_source
from elsewhere import SOURCES, Answers, Detached, Floats, Net, TwoHeads, Wandering, saved

SHAPE = (1, 12, 12)


def params_of(kind: str, **changed: Any) -> ImportedModelParams:
    source = {"kind": kind, **SOURCES.get(kind, {}), **changed.pop("source", {})}
    return imported_model(**{"source": source, "outputs": "logits", **changed})


def classifier_of(kind: str, model: Net, **changed: Any) -> ImportedClassifier:
    params = params_of(kind, **changed)
    return ImportedClassifier(params, saved(kind, model, images()), SHAPE)


def images(count: int = 6, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def model() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_gives_the_logits_and_embeddings_of_the_model(kind: str, model: Net) -> None:
    classifier = classifier_of(kind, model)
    x = images()
    outputs = model((x + 1) / 2)
    torch.testing.assert_close(classifier(x), outputs[:, 1] - outputs[:, 0])
    # The embeddings are the input of the last linear layer.
    embeddings = classifier.embed(x)
    assert embeddings.shape == (6, 8)
    torch.testing.assert_close(model.last(embeddings), outputs)
    assert classifier.differentiable == (kind != "onnx")
    assert classifier(x[:0]).shape == (0,)
    assert classifier.embed(x[:0]).shape == (0, 8)


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_can_be_pickled_copied_and_frozen(kind: str, model: Net) -> None:
    classifier = classifier_of(kind, model)
    x = images()
    for again in (pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)):
        assert torch.equal(again(x), classifier(x))
        assert torch.equal(again.embed(x), classifier.embed(x))
        assert again.settings == classifier.settings
    classifier.to("cpu").train().eval().requires_grad_(False)
    assert torch.isfinite(classifier(x)).all()


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind != "onnx"])
def test_gradients_are_those_of_the_model(kind: str, model: Net) -> None:
    classifier = classifier_of(kind, model)
    x, y = images().requires_grad_(True), images().requires_grad_(True)
    (gradient,) = torch.autograd.grad(classifier(x).sum(), x)
    outputs = model((y + 1) / 2)
    (expected,) = torch.autograd.grad((outputs[:, 1] - outputs[:, 0]).sum(), y)
    torch.testing.assert_close(gradient, expected)


def test_layers_can_be_named(model: Net) -> None:
    x = images()
    hidden = torch.relu(
        model.hidden(
            torch.nn.functional.adaptive_avg_pool2d(torch.relu(model.conv((x + 1) / 2)), 3).flatten(
                1
            )
        )
    )
    for kind, layer in (("state_dict", "relu_1"), ("torch_export", "relu_1"), ("onnx", "relu_1")):
        classifier = classifier_of(kind, model, embedding=layer)
        torch.testing.assert_close(classifier.embed(x), hidden)
        assert classifier.layer == layer


@pytest.mark.parametrize(
    ("kind", "layer", "words"),
    [
        ("state_dict", "relu_2", ["embedding is 'relu_2'", "did you mean 'relu_1'?"]),
        ("torch_export", "relu_7", ["embedding is 'relu_7'", "did you mean 'relu_1'?"]),
        ("onnx", "fc", ["embedding is 'fc'", "no such layer"]),
        ("torchscript", "hidden.weight", ["exported with (torch.jit.export)", "'judge'"]),
    ],
)
def test_layer_that_is_not_there(kind: str, layer: str, words: list[str], model: Net) -> None:
    with pytest.raises(BorderlineError) as error:
        classifier_of(kind, model, embedding=layer)
    for word in words:
        assert word in str(error.value)


def test_model_that_cannot_be_traced_is_watched() -> None:
    torch.manual_seed(0)
    model = Wandering().eval()
    x = images()
    for layer, name in ((None, "before last"), ("hidden", "hidden")):
        classifier = classifier_of(
            "state_dict", model, embedding=layer, source={"import_path": "elsewhere.Wandering"}
        )
        assert classifier.layer == name
        seen = classifier.embed(x)
        last = seen if layer is None else torch.relu(seen)
        torch.testing.assert_close(model.last(last), model((x + 1) / 2))
        # No hook stays on the model.
        assert not any(module._forward_hooks for module in classifier.modules())


def test_judge_makes_the_embeddings_on_request(model: Net) -> None:
    params = params_of("state_dict", embedding="judge")
    content = saved("state_dict", model, images())
    classifier = ImportedClassifier(params, content, SHAPE, BlindJudge())
    assert torch.equal(classifier.embed(images()), images().flatten(1)[:, :2])
    assert classifier.layer == "judge"


def test_function_embeds_by_its_method_or_another_function() -> None:
    source = {"import_path": "elsewhere.Seeded"}
    method = ImportedClassifier(params_of("callable", source=source), b"", SHAPE)
    assert method.embed(images()).shape == (6, 5)
    assert not method.differentiable, "it leaves PyTorch"
    source = {"import_path": "elsewhere.sides"}
    named = params_of("callable", source=source, outputs="logit", embedding="elsewhere.sides")
    other = ImportedClassifier(named, b"", SHAPE)
    assert other.embed(images()).shape == (6, 1)
    assert other.differentiable


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_boundary_between_two_of_many_classes(outputs: str) -> None:
    torch.manual_seed(0)
    model = Net(5).eval()
    inner: torch.nn.Module = model
    if outputs == "probabilities":
        inner = torch.nn.Sequential(model, torch.nn.Softmax(1))
    x = images()
    shares = model((x + 1) / 2).softmax(1)
    pair = shares[:, [3, 1]]
    params = params_of("pickle", outputs=outputs, columns=[3, 1])
    classifier = ImportedClassifier(params, saved("pickle", inner, x), SHAPE)
    torch.testing.assert_close(classifier(x).sigmoid(), pair[:, 0] / pair.sum(1))
    torch.testing.assert_close(classifier.other_mass(x), 1 - pair.sum(1))
    assert classifier.most_other_mass == 0.5


@pytest.mark.parametrize(
    ("width", "outputs", "words"),
    [
        (1, "logit", "a logit; its sigmoid is p, the probability of {positive}"),
        (1, "probability", "p, the probability of {positive}"),
        (2, "probabilities", "probabilities of 2 classes; p is that of {positive}"),
        (3, "probabilities", "probabilities of 3 classes; p is the share of {positive} in the sum"),
        (3, "logits", "logits of 3 classes; p, the probability of {positive}, is the softmax over"),
    ],
)
def test_outputs_in_words(width: int, outputs: str, words: str) -> None:
    columns = [2, 0] if width == 3 else None
    params = params_of("pickle", outputs=outputs, columns=columns)
    classifier = ImportedClassifier(params, saved("pickle", Net(width), images()), SHAPE)
    assert classifier.described_outputs.startswith(words)


@pytest.mark.parametrize("outputs", ["logit", "probability"])
def test_one_number_an_image(outputs: str) -> None:
    torch.manual_seed(0)
    model = Net(1).eval()
    inner: torch.nn.Module = model
    if outputs == "probability":
        inner = torch.nn.Sequential(model, torch.nn.Sigmoid())
    x = images()
    params = params_of("pickle", outputs=outputs)
    classifier = ImportedClassifier(params, saved("pickle", inner, x), SHAPE)
    torch.testing.assert_close(classifier(x), model((x + 1) / 2)[:, 0], atol=1e-4, rtol=1e-4)
    assert not classifier.other_mass(x).any()
    assert classifier.most_other_mass is None


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        ({}, [0.0, 0.5, 1.0]),
        ({"range": [-1, 1]}, [-1.0, 0.0, 1.0]),
        ({"range": [0, 255], "dtype": "uint8"}, [0, 128, 255]),
        ({"mean": [0.5], "std": [0.25]}, [-2.0, 0.0, 2.0]),
        ({"range": [0, 255], "mean": [100], "std": [50]}, [-2.0, 0.55, 3.1]),
        ({"layout": "flat_nhwc"}, [0.0, 0.5, 1.0]),
    ],
)
def test_contract_of_range_and_normalisation(
    contract: dict[str, Any], expected: list[float]
) -> None:
    x = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
    inputs = prepared(x, contract_of(**contract))
    assert inputs.flatten().tolist() == pytest.approx(expected)
    assert str(inputs.dtype) == f"torch.{contract.get('dtype', 'float32')}"


def test_model_of_images_that_are_not_square() -> None:
    contract = contract_of(size=[6, 24], fit=True)
    assert contract.shape == (6, 24)
    assert contract_of(size=[6]).size == 6
    square = torch.linspace(-1, 1, 12)[:, None].expand(2, 1, 12, 12)
    images = prepared(square, contract)
    assert images.shape == (2, 1, 6, 24)
    assert images[..., 0].std() > 0.1, "height stays height"
    assert torch.allclose(images[..., 0], images[..., -1])
    check_contract(contract, "judge", (1, 12, 12))
    words = r"judge.input.size is \[6, 24\], but the images are 12x12 .*or judge.input.fit to true"
    with pytest.raises(BorderlineError, match=words):
        check_contract(contract_of(size=[6, 24]), "judge", (1, 12, 12))
    check_contract(contract_of(size=[12, 12]), "judge", (1, 12, 12))


@pytest.mark.parametrize("size", [0, [6, 0], [1, 2, 3], [], 6.5, "6", True])
def test_size_that_no_image_has(size: Any) -> None:
    with pytest.raises(ValidationError, match=r"a whole number from 1 on, or two: \[height, width"):
        contract_of(size=size)


def test_contract_of_size_and_channels() -> None:
    grey, colour = images(2), images(2, (3, 12, 12))
    fit = contract_of(size=24, channels=3, fit=True, mean=(0.1, 0.2, 0.3), std=(1, 1, 1))
    inputs = prepared(grey, fit)
    assert inputs.shape == (2, 3, 24, 24)
    torch.testing.assert_close(inputs[:, 0] - inputs[:, 2], torch.full((2, 24, 24), 0.2))
    to_grey = contract_of(channels=1, fit=True, range=(-1, 1))
    for grey_by in ("mean", None):
        inputs = prepared(colour, to_grey.model_copy(update={"grey": grey_by}))
        torch.testing.assert_close(inputs, colour.mean(1, keepdim=True))
    inputs = prepared(colour, to_grey.model_copy(update={"grey": "luminance"}))
    levels = ((colour + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    of_pillow = [np.asarray(Image.fromarray(image).convert("L")) for image in levels]
    assert ((inputs[:, 0] + 1) * 127.5).numpy() == pytest.approx(np.stack(of_pillow), abs=1.1)
    with pytest.raises(
        BorderlineError, match=r"input\.grey is missing, .* luminance .* or to mean"
    ):
        check_contract(to_grey, "models.mine", (3, 12, 12))
    check_contract(to_grey, "models.mine", (1, 12, 12))
    # A flat image stays flat at any size.
    flat = prepared(torch.full((1, 1, 12, 12), 0.4), contract_of(size=7, fit=True, range=(-1, 1)))
    torch.testing.assert_close(flat, torch.full((1, 1, 7, 7), 0.4))


def test_a_model_of_larger_images_gets_fewer_at_once(model: Net) -> None:
    sizes = []

    class Sized(Net):
        def forward(self, images: Tensor) -> Tensor:
            sizes.append((len(images), *images.shape[2:]))
            return images.mean((1, 2, 3))[:, None].expand(-1, 2)

    classifier = classifier_of("pickle", model, input={"size": 256, "fit": True})
    classifier.network.module = Sized()
    predict(classifier, images(40), torch.device("cpu"))
    assert sizes == [(32, 256, 256), (8, 256, 256)]
    assert classifier_of("pickle", model).batch_size == 512


def test_settings_know_the_file_by_its_content(model: Net) -> None:
    one, other = classifier_of("state_dict", model), classifier_of("state_dict", Net().eval())
    moved = classifier_of("state_dict", model, source={"path": "elsewhere.pt"})
    assert one.settings == moved.settings
    assert one.settings != other.settings
    assert all(
        isinstance(value, int | float | str | bool | None) for value in one.settings.values()
    )


@pytest.mark.parametrize("kind", ["pickle", "torch_export", "torchscript", "onnx"])
@pytest.mark.parametrize("heads", [TwoHeads, Answers])
def test_the_logits_among_several_outputs(heads: type[Net], kind: str) -> None:
    model = heads().eval()
    unclear = kind == "onnx" and heads is TwoHeads
    classifier = classifier_of(kind, model, source={"output": 0} if unclear else {})
    x = images()
    outputs = Net.forward(model, (x + 1) / 2)
    torch.testing.assert_close(classifier(x), outputs[:, 1] - outputs[:, 0])
    # The last linear layer before these logits, not the last one of the module.
    torch.testing.assert_close(model.last(classifier.embed(x)), outputs)


@pytest.mark.parametrize("kind", ["pickle", "torch_export", "torchscript"])
@pytest.mark.parametrize(("heads", "output"), [(TwoHeads, 1), (Answers, "another")])
def test_named_output(heads: type[TwoHeads], output: int | str, kind: str) -> None:
    model = heads().eval()
    source = {"output": output}
    classifier = classifier_of(kind, model, source=source, columns=[2, 0])
    logits = model.answer((images() + 1) / 2)
    torch.testing.assert_close(classifier.outputs(images()), model.other(logits))
    torch.testing.assert_close(classifier.embed(images()), logits)


def test_output_that_is_not_there() -> None:
    words = r"source.output is 'scores', but it gives a dict with another, logits, and"
    with pytest.raises(BorderlineError, match=words):
        classifier_of("pickle", Answers().eval(), source={"output": "scores"})


class TakesInput(Net):
    def forward(self, input: Tensor) -> Any:
        return self.answer(input)


def sequence() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 5), torch.nn.Linear(5, 2))


@pytest.mark.parametrize("batch", ["torch_export", "fixed batch"])
@pytest.mark.parametrize("make", [sequence, TakesInput])
def test_export_whose_argument_is_called_input(
    make: Callable[[], torch.nn.Module], batch: str
) -> None:
    """PyTorch cannot move a copy of such a program; and of a fixed batch it takes only that."""
    model = make().eval()
    content = saved(batch, model, images(4))
    classifier = ImportedClassifier(params_of("torch_export"), content, SHAPE)
    x = images(6).requires_grad_(True)
    outputs = model((x + 1) / 2)
    expected = outputs[:, 1] - outputs[:, 0]
    torch.testing.assert_close(classifier(x), expected)
    assert classifier.embed(x).shape == (6, 8 if make is TakesInput else 5)
    gradients = (torch.autograd.grad(out.sum(), x)[0] for out in (classifier(x), expected))
    torch.testing.assert_close(*gradients)


def test_export_of_another_type() -> None:
    model = sequence().double().eval()
    content = saved("torch_export", model, images(4).double())
    classifier = ImportedClassifier(params_of("torch_export"), content, SHAPE)
    declared = {"layout": "nchw", "channels": 1, "size": 12, "dtype": "float64"}
    assert classifier.network.declared() == declared
    outputs = model((images().double() + 1) / 2).float()
    torch.testing.assert_close(classifier(images()), outputs[:, 1] - outputs[:, 0])


class NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.numpy(),
        lambda x: x.detach().numpy(),
        lambda x: NoBackward.apply(x),
        lambda x: x.exp().mul_(2).sqrt().add_(1).mul(x).clone().zero_(),
        lambda x: (lambda y: y.add_(1).sub_(1) * y.sigmoid_())(x.exp()),
        lambda x: x.tolist(),
    ],
)
def test_operators_without_gradients(
    function: Callable[[Tensor], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "sides", lambda images: function(images.flatten(1)[:, :2]))
    source = {"import_path": "elsewhere.sides"}
    params = params_of("callable", source=source, embedding="judge")
    classifier = ImportedClassifier(params, b"", SHAPE, BlindJudge())
    assert not classifier.differentiable
    with torch.no_grad():
        assert classifier(images()).shape == (6,)


def test_model_that_is_certain_of_noise_has_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    def probability(images: Tensor) -> Tensor:
        return torch.sigmoid(100 * (images.mean((1, 2, 3)) + 0.5))

    monkeypatch.setattr(elsewhere, "sides", probability)
    settings = {"source": {"import_path": "elsewhere.sides"}, "input": {"range": [-1, 1]}}
    params = params_of("callable", **settings, outputs="probability", embedding="judge")
    classifier = ImportedClassifier(params, b"", SHAPE, BlindJudge())
    assert (predict(classifier, images(), torch.device("cpu")) > 0.999999).all()
    assert classifier.differentiable


@pytest.mark.parametrize(
    ("model", "contract"), [(Detached(), {}), (Net(), {"dtype": "uint8", "range": [0, 255]})]
)
def test_gradients_that_do_not_reach_the_images(model: Net, contract: dict[str, Any]) -> None:
    if contract:
        content = saved("pickle", torch.nn.Sequential(Floats(), model), images())
    else:
        content = saved("pickle", model.eval(), images())
    params = params_of("pickle", input=contract)
    assert not ImportedClassifier(params, content, SHAPE).differentiable


def test_judge_is_no_part_of_the_model(model: Net) -> None:
    """The randomisation test must not change the judge's layers."""
    params = params_of("state_dict", embedding="judge")
    judge = torch.nn.Linear(3, 3)
    content = saved("state_dict", model, images())
    classifier = ImportedClassifier(params, content, SHAPE, judge)
    assert judge not in list(classifier.modules())
    again = randomised(classifier, 1, RunParams(seed=0, device="cpu"), 0)
    assert again is not None
    assert not torch.equal(again(images()), classifier(images()))


def test_tiny_probabilities_are_still_compared() -> None:
    logits = torch.tensor([[0.0, -60.0, -30.0]]).expand(2, -1)

    class Sure(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return logits[: len(images)].softmax(1)

    params = params_of("pickle", outputs="probabilities", columns=[2, 1], embedding="judge")
    classifier = ImportedClassifier(params, saved("pickle", Net(3), images()), SHAPE, BlindJudge())
    classifier.outputs = lambda images: Sure()(images)  # type: ignore[method-assign]
    assert classifier(images(2)).tolist() == pytest.approx([30, 30], rel=1e-4)


def test_columns_of_two_classes_leave_no_others(model: Net) -> None:
    classifier = classifier_of("state_dict", model, columns=[0, 1])
    assert classifier.most_other_mass is None
    assert "classes" not in classifier.described


def test_settings_know_the_code_that_goes_with_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "def logit(images):\n    return images.mean((1, 2, 3)) * {}\n"
    source = imported_source("callable", import_path="of_ones_own.logit")
    (tmp_path / "of_ones_own.py").write_text(code.format(1))
    before = digest_of_source(source, b"")
    assert before == digest_of_source(source, b"")
    (tmp_path / "of_ones_own.py").write_text(code.format(2))
    assert digest_of_source(source, b"") != before


@pytest.mark.parametrize("import_path", ["shown_elsewhere.Net", "shown_by_a_colon:Net"])
def test_code_that_a_package_shows_under_its_own_name_is_known(
    import_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / import_path[:-4]
    package.mkdir()
    base = "class Base:\n    def __call__(self, images): return images.mean((1, 2, 3)) * {}\n"
    (package / "base.py").write_text(base.format(1))
    (package / "net.py").write_text("from .base import Base\nclass Net(Base): pass\n")
    (package / "__init__.py").write_text("from .net import Net\n")
    source = imported_source("callable", import_path=import_path)
    of_module, before = digest_of_source(source, b""), digest_of_code(source)
    (package / "base.py").write_text(base.format(2))
    of_base = digest_of_code(source)
    (package / "net.py").write_text("class Net: pass\n")
    assert len({before, of_base, digest_of_code(source), None}) == 4
    # Runs of earlier versions know this digest alone.
    assert digest_of_source(source, b"") == of_module


def test_model_without_an_output_for_blank_images_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "dividing.py").write_text(
        "def logit(images):\n    return images.mean((1, 2, 3)) / images.std((1, 2, 3))\n"
    )
    source = {"kind": "callable", "import_path": "dividing.logit"}
    params = imported_model(
        source=source, outputs="logit", embedding="judge", input={"range": [-1, 1]}
    )
    classifier = ImportedClassifier(params, b"", (1, 12, 12), BlindJudge())
    labels = torch.arange(400) % 2
    pixels = 0.1 * torch.rand(400, 1, 12, 12) + labels[:, None, None, None] - 0.5
    pair = {"images": pixels, "labels": labels}
    check_model("models.mine", classifier, pair, torch.device("cpu"))
    pixels[203] = 0
    with pytest.raises(BorderlineError, match=r"NaN .* for 1 of 1 real images of one shade"):
        check_model("models.mine", classifier, pair, torch.device("cpu"))


def test_embedding_of_the_judge_is_named(model: Net) -> None:
    params, content = (
        params_of("state_dict", embedding="judge"),
        saved("state_dict", model, images()),
    )
    described = ImportedClassifier(params, content, SHAPE, BlindJudge()).described
    assert described.endswith("embedding: the judge's features")
