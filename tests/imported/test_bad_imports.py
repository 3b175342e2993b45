"""Bad models, images and generators: one sentence for each, before any work."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from omegaconf import OmegaConf
from PIL import Image

from borderline.commands.run import run as run_command
from borderline.datasets import ImageSource
from borderline.errors import BorderlineError
from borderline.imported.probe import _check_embedding
from conftest import start_kedro
from elsewhere import Ink, Net, saved

DIGITS = torch.zeros(2, 1, 28, 28)
Files = Callable[[Path], None]


class Bad(NamedTuple):
    """Bad input and its error message.

    Attributes:
        words: Parts of the message.
        model: Settings that differ from those of a good model.
        content: The file of the model.
        generator: The settings of a generator.
        images: The source of the images; by default the embedded digits.
        files: Makes other files.
        settings: Other parameters.
    """

    words: list[str]
    model: dict[str, Any] | None = None
    content: bytes | None = None
    generator: dict[str, Any] | None = None
    images: dict[str, Any] | None = None
    files: Files = lambda folder: None
    settings: dict[str, Any] = {}  # noqa: RUF012


def ink(after: str = "", width: int = 2, **changed: Any) -> dict[str, Any]:
    """A model of ``elsewhere.Ink``, made by its import path."""
    source = {"kind": "callable", "import_path": "elsewhere.Ink"}
    arguments = {"outputs": width, "after": after}
    return {"source": {**source, "arguments": arguments}, **changed}


def pickled(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def source(kind: str, **changed: Any) -> dict[str, Any]:
    return {"source": {"kind": kind, **changed}}


MODELS = {
    "missing file": Bad(
        ["models.mine.source.path", "nowhere.pt2", "cannot be read"],
        source("torch_export", path="nowhere.pt2", trust=True),
    ),
    "address of no kind": Bad(
        ["models.mine.source.path is 'nosuch://m.pt2'", "cannot be read"],
        source("torch_export", path="nosuch://m.pt2", trust=True),
    ),
    "0-byte file": Bad(
        ["models.mine.source.path", "model.file", "empty (0 bytes)"],
        source("torch_export", path="model.file", trust=True),
        b"",
    ),
    "truncated export": Bad(
        ["models.mine.source.path", "cannot be read as torch_export"],
        source("torch_export", path="model.file", trust=True),
        saved("torch_export", Net().eval(), torch.zeros(2, 1, 12, 12))[:3000],
    ),
    "text for ONNX": Bad(
        ["models.mine.source.path", "cannot be read as onnx"],
        source("onnx", path="model.file"),
        b"hello",
    ),
    "unknown kind": Bad(
        ["models.mine.source.kind is 'torchexport'", "'torch_export'"],
        source("torchexport", path="model.file"),
    ),
    "no file named": Bad(
        ["models.mine.source is invalid", "set path"], source("torch_export", trust=True)
    ),
    "pickle of no model": Bad(
        ["models.mine.source.path", "holds a dict and no module", "'state_dict'"],
        source("pickle", path="model.file", trust=True),
        pickled({"weight": torch.zeros(1)}),
    ),
    "state dict of no class": Bad(
        ["models.mine.source is invalid", "set import_path"],
        source("state_dict", path="model.file"),
    ),
    "class that is not there": Bad(
        ["models.mine.source.import_path is 'elsewhere.Nett'", "cannot be imported"],
        source("state_dict", path="model.file", import_path="elsewhere.Nett"),
        pickled(Net().state_dict()),
    ),
    "class with other arguments": Bad(
        ["models.mine.source.arguments is {'width': 3}", "cannot be called with it"],
        source(
            "state_dict", path="model.file", import_path="elsewhere.Net", arguments={"width": 3}
        ),
        pickled(Net().state_dict()),
    ),
    "weights of another class": Bad(
        ["models.mine.source.path", "do not fit elsewhere.Net", "size mismatch"],
        source(
            "state_dict", path="model.file", import_path="elsewhere.Net", arguments={"outputs": 3}
        ),
        pickled(Net().state_dict()),
    ),
    "whole model for a state dict": Bad(
        ["models.mine.source.trust is False", "holds more than weights", "as safetensors"],
        source("state_dict", path="model.file", import_path="elsewhere.Net"),
        pickled(Net()),
    ),
    "nothing to call": Bad(
        ["models.mine.source.import_path", "is a int and cannot be called"],
        source("callable", import_path="elsewhere.NOT_CALLABLE"),
    ),
    "wrong size": Bad(
        ["models.mine.input.size is 32", "28x28", "models.mine.input.fit"],
        ink(input={"size": 32}),
    ),
    "wrong channels": Bad(
        ["models.mine.input.channels is 3", "the images have 1", "source.colour"],
        ink(input={"channels": 3}),
    ),
    "size that the model cannot take": Bad(
        ["models.mine cannot take", "[1, 10, 10]", "models.mine.input (size"],
        ink(input={"size": 10, "fit": True}),
    ),
    "range upside down": Bad(
        ["models.mine.input is invalid: range is [1, 0]"], ink(input={"range": [1, 0]})
    ),
    "mean without std": Bad(
        ["models.mine.input is invalid: mean and std go together"], ink(input={"mean": [0.5]})
    ),
    "std of 0": Bad(
        ["models.mine.input is invalid: std is [0.0]"], ink(input={"mean": [0.5], "std": [0]})
    ),
    "mean of three channels": Bad(
        ["models.mine.input.mean has 3 numbers", "gets 1 channels"],
        ink(input={"mean": [0.5] * 3, "std": [1] * 3}),
    ),
    "type that the model cannot take": Bad(
        ["models.mine cannot take", "float64", "models.mine.input"], ink(input={"dtype": "float64"})
    ),
    "wrong range": Bad(
        ["models.mine classifies", "no better than guessing", "models.mine.input (range"],
        ink(input={"range": [1, 3]}),
    ),
    "NaN": Bad(["models.mine gives NaN or infinite outputs for 128 of 128"], ink("nan")),
    "constant": Bad(["models.mine gives", "the same output (0.5000)"], ink("constant")),
    "one row": Bad(["models.mine gives outputs of shape (1, 2) for 128 images"], ink("one row")),
    "one number for all": Bad(["models.mine gives outputs of shape () for 128 images"], ink("sum")),
    "a dictionary without logits": Bad(
        ["models.mine: it gives a dict with scores", "one tensor of outputs"], ink("dict")
    ),
    "dropout left on": Bad(["models.mine gives other outputs for the same"], ink("random")),
    "batch normalisation left on": Bad(["another output alone than in a batch"], ink("batch")),
    "weights that are not in the file": Bad(
        ["models.mine gives other outputs when it is made again"],
        source("callable", import_path="elsewhere.Net"),
    ),
    "one number for logits": Bad(
        ["models.mine.outputs is 'logits'", "shape (128, 1)", "'logit' or 'probability'"],
        ink(width=1),
    ),
    "classes for a logit": Bad(
        ["models.mine.outputs is 'logit'", "gives 2 numbers", "'logits'"],
        ink(outputs="logit"),
    ),
    "logits for probabilities": Bad(
        ["models.mine.outputs is 'probabilities'", "numbers from -", "'logits'"],
        ink(outputs="probabilities"),
    ),
    "probabilities that do not add up": Bad(
        ["models.mine.outputs is 'probabilities'", "sum to", "softmax"],
        ink("sigmoid", outputs="probabilities"),
    ),
    "no pair of many": Bad(["models.mine.columns is missing", "10 classes"], ink(width=10)),
    "column that is not there": Bad(
        ["models.mine.columns is [1, 10]", "columns 0 to 9"], ink(width=10, columns=[1, 10])
    ),
    "one column twice": Bad(
        ["models.mine.columns is [1, 1]", "two different columns"], ink(columns=[1, 1])
    ),
    "classes exchanged": Bad(
        ["models.mine classifies", "no better than guessing", "models.mine.columns"],
        ink(columns=[0, 1]),
    ),
    "hard labels": Bad(
        ["models.mine.outputs is 'probabilities'", "whole numbers (0, 1)", "argmax"],
        ink("labels", outputs="probabilities"),
    ),
    "layer that is not there": Bad(
        ["models.mine.embedding is 'faltten'", "did you mean 'flatten'"],
        ink(embedding="faltten"),
    ),
    "no layer to see": Bad(
        ["models.mine.embedding is missing", "a function shows no layers", "'judge'"],
        {**source("callable", import_path="elsewhere.sides"), "outputs": "logit"},
    ),
    "embedding of one number": Bad(
        ["models.mine.embedding is 'elsewhere.sides'", "shape (128, 1)", "two or more"],
        {
            **source("callable", import_path="elsewhere.ink_logit"),
            "outputs": "logit",
            "embedding": "elsewhere.sides",
        },
    ),
    "image of a fixed size": Bad(
        ["models.mine.input.size is None", "32x32", "the images have 28x28", "input.fit to true"],
        source("torch_export", path="model.file", trust=True),
        saved("fixed batch", Ink(size=32).eval(), torch.zeros(2, 1, 32, 32)),
    ),
    "model of another library": Bad(
        ["models.mine.source.path is 'model.file'", "a model of Keras", "export it to ONNX"],
        source("onnx", path="model.file"),
        b"\x89HDF\r\n\x1a\n",
    ),
    "labels in place of scores": Bad(
        ["models.mine: it gives a tensor of type int64", "no probabilities"],
        {**source("callable", import_path="elsewhere.label"), "embedding": "judge"},
    ),
    "fault in the user's code": Bad(
        ["IndexError: index 7 is out of bounds", "elsewhere.py:", "return images[:, 7]"],
        {**source("callable", import_path="elsewhere.faulty"), "embedding": "judge"},
    ),
    "no gradients for a generator that follows them": Bad(
        ["grid.generators is 'gasten_10'", "models.mine has none", "latent_search"],
        source("onnx", path="model.file"),
        saved("onnx", Ink().eval(), DIGITS),
    ),
    "no gradients for the maps": Bad(
        ["prototypes.explanation.methods", "models.mine has none", "'occlusion'"],
        source("onnx", path="model.file"),
        saved("onnx", Ink().eval(), DIGITS),
        settings={
            "grid": {"generators": ["pixel_bisection"]},
            "prototypes": {"explanation": {"methods": ["saliency"]}},
        },
    ),
}

GENERATORS = {
    "missing": Bad(
        ["generators.theirs.source.path", "nowhere.ts", "cannot be read"],
        generator={"source": {"kind": "torchscript", "path": "nowhere.ts", "trust": True}},
    ),
    "another latent": Bad(
        ["generators.theirs.latent_dim is 5", "cannot take such latents"],
        generator={"latent_dim": 5},
    ),
    "another size": Bad(
        ["generators.theirs.source makes images of shape [1, 20, 20]", "[1, 28, 28]"],
        generator={"arguments": {"size": 20}},
    ),
    "another range": Bad(
        ["generators.theirs.range is [-1, 1]", "pixels from"],
        generator={"arguments": {"scale": 255.0}},
    ),
    "the same image": Bad(
        ["generators.theirs.source makes the same image"], generator={"arguments": {"scale": 0.0}}
    ),
    "no gradients": Bad(
        ["generators.theirs.source has no gradients"], generator={"arguments": {"detach": True}}
    ),
    "noise of its own": Bad(
        ["generators.theirs.source makes another image of the same latent"],
        generator={"arguments": {"noise": 0.1, "scale": 0.5}},
    ),
    "no discriminator": Bad(
        ["generators.hybrid.realism.by is 'discriminator'", "set it to 'committee' or 'judge'"],
        generator={},
        settings={
            "generators": {
                "hybrid": {
                    "space_of": "theirs",
                    "realism": {"by": "discriminator", "keep": 0.5},
                }
            },
            "grid": {"generators": ["theirs", "hybrid"]},
        },
    ),
}


def judge(width: int = 2, after: str = "", **changed: Any) -> dict[str, Any]:
    """A judge of ``elsewhere.Ink``; column 0 is for 1, column 1 for 7."""
    source = {"kind": "callable", "import_path": "elsewhere.Ink"}
    arguments = {"outputs": width, "after": after}
    values = {"source": {**source, "arguments": arguments}, "columns": [1, 0], **changed}
    return {"judge": {"kind": "imported", **values}}


JUDGES = {
    "missing file": Bad(
        ["judge.source.path is", "nowhere.pt2", "cannot be read"],
        settings=judge(source={"kind": "torch_export", "path": "nowhere.pt2", "trust": True}),
    ),
    "file that is not trusted": Bad(
        ["judge.source.trust is False", "can run code"],
        settings=judge(source={"kind": "pickle", "path": "model.file"}),
    ),
    "unknown kind": Bad(
        ["judge.kind is 'lennet' (did you mean 'lenet'?)"], settings={"judge": {"kind": "lennet"}}
    ),
    "misspelt setting": Bad(
        ["Unknown setting 'judge.member'. Did you mean 'judge.members'"],
        settings={"judge": {"member": 3}},
    ),
    "setting of the other kind": Bad(["Unknown setting 'judge.epochs'"], settings=judge(epochs=3)),
    "no columns for some of the classes": Bad(
        ["judge.columns is missing", "gives 2 classes", "images have 10"],
        settings=judge(columns=None),
    ),
    "column that is not there": Bad(
        ["judge.columns is [1, 2]", "columns 0 to 1"], settings=judge(columns=[1, 2])
    ),
    "columns of an encoder": Bad(
        ["judge is invalid", "has no columns"], settings=judge(outputs=None)
    ),
    "logits called probabilities": Bad(
        ["judge.outputs is 'probabilities'", "set it to 'logits'"],
        settings=judge(outputs="probabilities"),
    ),
    "exchanged classes": Bad(
        ["judge classifies", "no better than guessing", "judge.columns"],
        settings=judge(after="flipped"),
    ),
    "more features than images": Bad(
        ["generation.images is 300", "judge's 784 features"],
        settings=judge(
            source={"kind": "callable", "import_path": "torch.nn.Flatten"},
            outputs=None,
            columns=None,
        ),
    ),
}


def digits(folder: Path, broken: dict[str, bytes] | None = None, count: int = 30) -> None:
    """Real digits, in a folder for each class."""
    real = ImageSource(kind="mnist_sample").load().train
    for label, name in ((7, "seven"), (1, "one")):
        (folder / name).mkdir(parents=True)
        for row in (real["labels"] == label).nonzero()[:count, 0].tolist():
            pixels = ((real["images"][row, 0] + 1) * 127.5).round().byte().numpy()
            Image.fromarray(pixels).save(folder / name / f"{row}.png")
    for name, content in (broken or {}).items():
        (folder / name).write_bytes(content)


def png(size: tuple[int, int] = (28, 28)) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (*size[::-1],), np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def arrays(folder: Path, **changed: np.ndarray | None) -> None:
    random = np.random.default_rng(0)
    content: dict[str, Any] = {
        "images": random.integers(0, 255, (60, 28, 28), np.uint8),
        "labels": np.array([1, 7] * 30),
        **changed,
    }
    np.savez(
        folder / "own.npz", **{key: array for key, array in content.items() if array is not None}
    )


FOLDER = {"kind": "image_folder", "path": "own", "classes": ["one", "seven"]}
ARRAYS = {"kind": "arrays", "path": "own.npz"}
HUGGING_FACE = {"kind": "hugging_face", "path": "own"}

IMAGES = {
    "no folder": Bad(["source.path is", "no such folder"], images=FOLDER),
    "a class missing": Bad(
        ["source.path is", "'nine' has no folder", "one, seven"],
        images={**FOLDER, "classes": ["one", "nine"]},
        files=lambda f: digits(f / "own"),
    ),
    "an empty class": Bad(
        ["source.path is", "holds no images of none", "source.classes"],
        images={**FOLDER, "classes": ["one", "seven", "none"]},
        files=lambda f: (digits(f / "own"), (f / "own/none").mkdir())[1],
    ),
    "no images": Bad(
        ["source.path is", "holds no images of one (PNG, JPEG"],
        images={"kind": "image_folder", "path": "own"},
        files=lambda f: (f / "own/one").mkdir(parents=True),
    ),
    "truncated PNG": Bad(
        ["1 of 61 images of", "own cannot be read", "one/cut.png (image file is truncated)"],
        images=FOLDER,
        files=lambda f: digits(f / "own", {"one/cut.png": png()[:300]}),
    ),
    "0-byte file, and text": Bad(
        ["2 of 62 images", "one/none.png (0 bytes)", "seven/t.jpg (cannot identify"],
        images=FOLDER,
        files=lambda f: digits(f / "own", {"one/none.png": b"", "seven/t.jpg": b"hello"}),
    ),
    "several sizes": Bad(
        ["source.size is missing", "2 sizes (28x28, 40x30 pixels", "32 or 64"],
        images=FOLDER,
        files=lambda f: digits(f / "own", {"one/big.png": png((40, 30))}),
    ),
    "too small": Bad(
        ["source.size is 4", "must have 8 to 4096 pixels"], images={**FOLDER, "size": 4}
    ),
    "misspelt setting": Bad(
        ["Unknown setting 'source.borken'. Did you mean 'source.broken'"],
        images={**FOLDER, "borken": "leave_out"},
    ),
    "misspelt kind": Bad(
        ["source.kind is 'image_foldr'", "did you mean 'image_folder'"],
        images={"kind": "image_foldr", "path": "own"},
    ),
    "no archive": Bad(["source.path is", "no such file"], images=ARRAYS),
    "damaged archive": Bad(
        ["own.npz cannot be read"],
        images=ARRAYS,
        files=lambda f: (f / "own.npz").write_bytes(b"PK\x03\x04" + bytes(40)) and None,
    ),
    "no labels": Bad(
        ["source.path is", "'labels' is missing", "there are images"],
        images=ARRAYS,
        files=lambda f: arrays(f, labels=None),
    ),
    "too few labels": Bad(
        ["images are of shape (60, 28, 28)", "labels of shape (9,)"],
        images=ARRAYS,
        files=lambda f: arrays(f, labels=np.zeros(9, int)),
    ),
    "labels that are no classes": Bad(
        ["labels are of type float64", "whole numbers"],
        images=ARRAYS,
        files=lambda f: arrays(f, labels=np.linspace(0, 1, 60)),
    ),
    "NaN pixels": Bad(
        ["images hold NaN or infinite pixels"],
        images=ARRAYS,
        files=lambda f: arrays(f, images=np.full((60, 28, 28), np.nan)),
    ),
    "pixels beyond the range": Bad(
        ["source.range is [0, 1]", "from 0 to 255", "set source.range"],
        images=ARRAYS,
        files=lambda f: arrays(f, images=np.linspace(0, 255, 60 * 784).reshape(60, 28, 28)),
    ),
    "objects": Bad(
        ["own.npz (labels) holds Python objects", "would run code"],
        images=ARRAYS,
        files=lambda f: arrays(f, labels=np.array([{}] * 60, dtype=object)),
    ),
    "class without images": Bad(
        ["pair.positive is 7", "no such class"],
        images=ARRAYS,
        files=lambda f: arrays(f, labels=np.array([1, 0] * 30)),
    ),
    "copies of an image": Bad(
        ["pair.fewest_distinct is 10", "30 training images of the class 7", "only 1 different"],
        images=ARRAYS,
        files=lambda f: arrays(f, images=np.repeat(DIGITS[:1, 0].numpy(), 60, 0)),
    ),
    "address that cannot be reached": Bad(
        ["source.path is 'nosuch://own'", "cannot be read"],
        images={"kind": "image_folder", "path": "nosuch://own"},
    ),
    "images of text": Bad(
        ["images are of type <U4", "numbers are needed"],
        images=ARRAYS,
        files=lambda f: arrays(f, images=np.full((60, 28, 28), "grey")),
    ),
    "no dataset": Bad(
        ["source.path is", "no dataset that save_to_disk left"],
        images=HUGGING_FACE,
        files=lambda f: (f / "own").mkdir(),
    ),
}


@pytest.fixture
def kedro(project: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(project)
    start_kedro()
    return CliRunner()


def configure(project: Path, bad: Bad) -> None:
    path = project / "conf/test/parameters.yml"
    settings = yaml.safe_load(path.read_text())
    if bad.model is not None:
        model = {"kind": "imported", "outputs": "logits", **bad.model}
        settings = OmegaConf.merge(
            settings, {"grid": {"models": ["mine"]}, "models": {"mine": model}}
        )
    if bad.generator is not None:
        changed = dict(bad.generator)
        tiny = {"kind": "callable", "import_path": "elsewhere.Tiny"}
        source = changed.pop("source", {**tiny, "arguments": changed.pop("arguments", {})})
        theirs = {"kind": "imported", "source": source, "latent_dim": 4, **changed}
        grid = {"models": ["cnn_1"], "generators": ["theirs"]}
        settings = OmegaConf.merge(settings, {"grid": grid, "generators": {"theirs": theirs}})
    path.write_text(OmegaConf.to_yaml(OmegaConf.merge(settings, bad.settings)))
    if bad.images is not None:
        pair = {"positive": "seven", "negative": "one"}
        pair = pair if bad.images["kind"] == "image_folder" else {"positive": 7, "negative": 1}
        about = {"data_folder": "data/test", "dataset": "own", "source": bad.images, "pair": pair}
        (project / "conf/test/globals.yml").write_text(yaml.safe_dump(about))
    if bad.content is not None:
        (project / "model.file").write_bytes(bad.content)
    bad.files(project)


CASES = [
    *(pytest.param(bad, id=f"model: {name}") for name, bad in MODELS.items()),
    *(pytest.param(bad, id=f"generator: {name}") for name, bad in GENERATORS.items()),
    *(pytest.param(bad, id=f"judge: {name}") for name, bad in JUDGES.items()),
    *(pytest.param(bad, id=f"images: {name}") for name, bad in IMAGES.items()),
]


@pytest.mark.parametrize("bad", CASES)
def test_a_sentence_for_each(bad: Bad, kedro: CliRunner, project: Path) -> None:
    configure(project, bad)
    result = kedro.invoke(run_command, ["--env", "test"])
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code != 0
    assert len(errors) == 1, result.output
    assert "Traceback" not in result.output
    for word in bad.words:
        assert word in errors[0], errors[0]
    assert errors[0].endswith(".")
    assert not (project / "data").exists(), "nothing is written"


def test_broken_images_can_be_left_out(
    kedro: CliRunner, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configure(project, IMAGES["0-byte file, and text"])
    path = project / "conf/test/globals.yml"
    about = yaml.safe_load(path.read_text())
    about["source"]["broken"] = "leave_out"
    path.write_text(yaml.safe_dump(about))
    result = kedro.invoke(
        run_command,
        ["--env", "test", "--pipelines", "classifier", "--nodes", "classifier.select_pair"],
    )
    assert result.exit_code == 0, result.output
    messages = " ".join(f"{result.output} {caplog.text}".split())
    assert "one/none.png (0 bytes)" in messages
    assert "seven/t.jpg (cannot identify image file" in messages
    assert (project / "data/test/03_primary").exists()


@pytest.mark.parametrize("scale", [1e-30, 1e30, float("nan")])
def test_embeddings_that_float32_cannot_hold(scale: float) -> None:
    """t-SNE of such embeddings would end the process after hours of work."""
    model: Any = Mock(embed=lambda images: scale * images, layer="head")
    model.params.embedding = "head"
    with pytest.raises(
        BorderlineError, match=r"models\.mine\.embedding is 'head', whose embeddings"
    ):
        _check_embedding("models.mine", model, 1 + torch.rand(4, 3))
