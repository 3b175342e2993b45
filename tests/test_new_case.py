"""``kedro new-case`` finds the settings of a model and its images, and writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from kedro.framework.session import KedroSession
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from borderline.boundary import fault_of_band
from borderline.cli import cli
from borderline.commands.case_files import globals_of, write_case
from borderline.commands.case_options import listed
from borderline.commands.own_options import in_options, speaking_of
from borderline.context import BorderlineContext
from borderline.datasets import ImageSource
from borderline.datasets.image_kinds import kind_of_images
from borderline.errors import BorderlineError
from borderline.imported.file_kinds import kind_of_model
from conftest import start_kedro
from elsewhere import SOURCES, Ink, Net, saved

TRUSTED = ["--model", "ink.pt2", "--trust"]
DIGITS = ["--images", "mnist_sample", "--positive", "7", "--negative", "1"]


@pytest.fixture
def kedro(project: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(project)
    start_kedro()
    return CliRunner()


def new_case(kedro: CliRunner, *arguments: str, answers: str = "") -> Result:
    return kedro.invoke(cli, ["new-case", *arguments], input=answers)


def settings_of(project: Path, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((project / f"conf/{name}/parameters.yml").read_text())
    return settings


def valid(project: Path, name: str) -> BorderlineContext:
    """The written environment as a run would read it."""
    with KedroSession.create(project, env=name) as session:
        return session.load_context()


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        ("[0, 1]", {"range": [0, 1]}),
        ("[0, 255]", {"range": [0, 255]}),
        ("[-1, 1]", {"range": [-1, 1]}),
    ],
)
def test_contract_of_the_training_is_found(
    kedro: CliRunner, project: Path, contract: str, expected: dict[str, Any]
) -> None:
    model = Ink().eval()
    low, high = expected["range"]
    with torch.no_grad():  # the same model, of images in that range
        weight = model.last.weight.clone()
        model.last.weight.copy_(weight / (high - low))
        model.last.bias -= weight.sum(1) * low / (high - low)
    (project / "ink.pt2").write_bytes(saved("torch_export", model, torch.zeros(2, 1, 28, 28)))
    result = new_case(kedro, "mine", *TRUSTED, *DIGITS)
    assert result.exit_code == 0, result.output
    model_settings = settings_of(project, "mine")["models"]["mine"]
    assert model_settings["input"] == expected
    assert model_settings["outputs"] == "logits"
    assert model_settings["source"]["trust"] is True
    assert "columns" not in model_settings, "two classes need none"
    assert f"images correct with {contract}\n" in result.output
    assert "now run `kedro run --env mine`" in result.output
    assert valid(project, "mine").layout.imported == ("mine",)


@pytest.mark.parametrize(
    ("after", "width", "expected"),
    [
        ("", 1, {"outputs": "logit"}),
        ("sigmoid", 1, {"outputs": "probability"}),
        ("softmax", 2, {"outputs": "probabilities"}),
        ("softmax", 10, {"outputs": "probabilities", "columns": [7, 1]}),
    ],
)
def test_kind_of_outputs_follows_from_their_values(
    kedro: CliRunner, project: Path, after: str, width: int, expected: dict[str, Any]
) -> None:
    model = Ink(outputs=width, after=after).eval()
    if width == 10:
        with torch.no_grad():  # the row for much ink is that of the 7
            model.last.weight[7], model.last.bias[7] = model.last.weight[1], model.last.bias[1]
            model.last.weight[1], model.last.bias[1] = 0, 0
    (project / "ink.pt2").write_bytes(saved("torch_export", model, torch.zeros(2, 1, 28, 28)))
    result = new_case(kedro, "mine", *TRUSTED, *DIGITS)
    assert result.exit_code == 0, result.output
    model_settings = settings_of(project, "mine")["models"]["mine"]
    assert {name: model_settings.get(name) for name in expected} == expected


def test_missing_options_are_prompted_for(kedro: CliRunner, project: Path) -> None:
    (project / "ink.pt2").write_bytes(
        saved("torch_export", Ink().eval(), torch.zeros(2, 1, 28, 28))
    )
    result = new_case(kedro, "mine", "--trust", answers="mnist_sample\n7\n1\nink.pt2\n")
    assert result.exit_code == 0, result.output
    for question in ("images", "Positive class", "Negative class", "File of the model"):
        assert question in result.output
    about = yaml.safe_load((project / "conf/mine/globals.yml").read_text())
    assert about["pair"] == {"positive": "7", "negative": "1"}


def write_oblong(folder: Path, width: int = 40) -> None:
    """Bright images of a 7 and dark ones of a 1, of 10 pixels in height."""
    random = np.random.default_rng(0)
    for side, bright in (("7", 120), ("1", 0)):
        (folder / side).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(bright, bright + 130, (10, width), np.uint8)
            Image.fromarray(pixels).save(folder / side / f"{number}.png")


@pytest.mark.parametrize("rows", [False, True])
def test_images_that_are_not_square_keep_their_size(
    kedro: CliRunner, project: Path, rows: bool
) -> None:
    write_oblong(project / "oblong")
    last = nn.Linear(400, 2)
    with torch.no_grad():
        last.weight.copy_(torch.tensor([[-0.05], [0.05]]).expand(2, 400))
        last.bias.copy_(torch.tensor([9.8, -9.8]))
    first = nn.Linear(400, 400)
    nn.init.eye_(first.weight)
    nn.init.zeros_(first.bias)
    model = nn.Sequential(*([] if rows else [nn.Flatten()]), first, last)
    example = torch.zeros(2, 400) if rows else torch.zeros(2, 1, 10, 40)
    (project / "wide.pt2").write_bytes(saved("torch_export", model.eval(), example))
    arguments = ["--model", "wide.pt2", "--trust", "--images", "oblong", *DIGITS[2:]]
    result = new_case(kedro, "own", *arguments)
    assert result.exit_code == 0, result.output
    about = yaml.safe_load((project / "conf/own/globals.yml").read_text())
    assert "size" not in about["source"]
    contract = settings_of(project, "own")["models"]["own"]["input"]
    assert "size" not in contract
    assert contract.get("layout", "nchw") == ("flat_nchw" if rows else "nchw")
    result = new_case(kedro, "half", *arguments, "--size", "8,32", "--input-size", "10,40")
    assert result.exit_code == 0, result.output
    about = yaml.safe_load((project / "conf/half/globals.yml").read_text())
    assert about["source"]["size"] == [8, 32]
    contract = settings_of(project, "half")["models"]["half"]["input"]
    assert (contract["size"], contract["fit"]) == ([10, 40], True)


def test_a_size_is_proposed_in_the_proportions_of_the_images(
    kedro: CliRunner, project: Path
) -> None:
    write_oblong(project / "oblong")
    Image.new("L", (41, 10)).save(project / "oblong/7/other.png")
    (project / "ink.pt2").write_bytes(
        saved("torch_export", Ink().eval(), torch.zeros(2, 1, 28, 28))
    )
    result = new_case(kedro, "mine", *TRUSTED, "--images", "oblong", *DIGITS[2:])
    assert result.exit_code != 0
    words = (
        "set --size to the side of a square, such as 32 or 64, or to height,width, such as 32,128"
    )
    assert words in " ".join(result.output.split())


def test_called_from_a_folder_inside(
    kedro: CliRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "notes").mkdir()
    (project / "ink.pt2").write_bytes(
        saved("torch_export", Ink().eval(), torch.zeros(2, 1, 28, 28))
    )
    monkeypatch.chdir(project / "notes")
    result = new_case(kedro, "mine", "--model", "../ink.pt2", "--trust", *DIGITS)
    assert result.exit_code == 0, result.output
    path = settings_of(project, "mine")["models"]["mine"]["source"]["path"]
    assert (project / path).resolve() == project / "ink.pt2"


def test_model_without_gradients_gets_generators_that_need_none(
    kedro: CliRunner, project: Path
) -> None:
    (project / "ink.onnx").write_bytes(saved("onnx", Ink().eval(), torch.zeros(2, 1, 28, 28)))
    result = new_case(kedro, "mine", "--model", "ink.onnx", *DIGITS)
    assert result.exit_code == 0, result.output
    assert settings_of(project, "mine")["grid"]["generators"] == [
        "latent_search",
        "pixel_bisection",
    ]
    assert "no gradients" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Mine", *DIGITS], ["'Mine'", "small letters"]),
        (["mnist_7v1", *DIGITS], ["name is 'mnist_7v1'", "exists already"]),
        (["mine", "--images", "nowhere"], ["images is 'nowhere'", "there are none"]),
        (["mine", *DIGITS[:-1], "12"], ["--negative is '12'", "choose one of 0, 1"]),
        (["mine", *DIGITS, "--model", "nowhere.pt2"], ["model is 'nowhere.pt2'", "no such file"]),
        (["mine", *DIGITS, "--model", "whole.pt"], ["--trust is missing", "can run code"]),
        (
            ["mine", *DIGITS, "--model", "wide.pt2", "--trust"],
            ["columns is missing", "10", "--columns"],
        ),
        (["mine", *DIGITS, "--embedding", "nosuch"], ["embedding is 'nosuch'", "name a layer"]),
        (["mine", *DIGITS, "--mean", "0.5"], ["mean has 1 and std 0 numbers"]),
        (["mine", *DIGITS, "--columns", "0,1"], ["no better than guessing"]),
        (["mine", *DIGITS, "--columns", "a"], ["columns is 'a'", "numbers"]),
        (["mine", *DIGITS, "--columns", "1"], ["columns is '1'", "two numbers"]),
        (["mine", *DIGITS, "--columns", "7,1"], ["columns is [7, 1]", "columns 0 to 1"]),
        (["mine", *DIGITS, "--mean", "1,1", "--std", "1,1"], ["mean is [1.0, 1.0]", "1 or 3"]),
        (["mine", *DIGITS, "--model", "ink.pt2"], ["--trust is missing", "torch_export"]),
        (["mine", *DIGITS, "--model", "state.pt"], ["holds weights", "--import-path"]),
        (["mine", *DIGITS, "--import-path", "a.B"], ["--import-path is 'a.B'", "torch_export"]),
        (["mine", *DIGITS[:-2], "--no-input"], ["--negative is missing", "--no-input"]),
        (["mine", *DIGITS, "--range", "1"], ["--range is '1'", "two numbers"]),
        (["mine", *DIGITS, "--input-range", "1,0"], ["--input-range is '1,0'", "greater"]),
        (["mine", *DIGITS, "--range", "nan,1"], ["--range is 'nan,1'", "must be finite"]),
        (["mine", *DIGITS, "--columns", "1,1"], ["--columns is [1, 1]", "two different columns"]),
        (["mine", "--images", "oblong", "--levels", "site,klass"], ["--levels", "class"]),
        (["mine", "--images", "oblong", "--size", "8"], ["--fit is missing", "--fit to 'crop'"]),
        (["mine", *DIGITS, "--size", "7"], ["--size is 7", "8 to 4096 pixels"]),
        (["mine", *DIGITS, "--size", "8,9,9"], ["whole number from 1 on, or two"]),
        (["mine", *DIGITS, "--size", "8x9"], ["--size is '8x9'", "numbers"]),
        (["mine", "--images", "own.csv"], ["--label-column is missing", "sex, grade"]),
        (["gan", *DIGITS], ["grid.models is 'gan'", "rename it"]),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    kedro: CliRunner, project: Path, arguments: list[str], words: list[str]
) -> None:
    digits = torch.zeros(2, 1, 28, 28)
    (project / "ink.pt2").write_bytes(saved("torch_export", Ink().eval(), digits))
    (project / "wide.pt2").write_bytes(saved("torch_export", Net(7).eval(), digits))
    (project / "state.pt").write_bytes(saved("state_dict", Ink().eval(), digits))
    (project / "whole.pt").write_bytes(saved("pickle", Ink().eval(), digits))
    for side in "71":
        (project / f"oblong/{side}").mkdir(parents=True)
        Image.new("L", (40, 10)).save(project / f"oblong/{side}/0.png")
    (project / "own.csv").write_text("file,sex,grade\noblong/7/0.png,f,7\n")
    more = [] if "--model" in arguments else list(TRUSTED)
    more += [] if "--positive" in arguments else DIGITS[2:]
    before = sorted((project / "conf").iterdir())
    if "wide.pt2" in arguments:
        words = [word.replace("10", "7 classes and the images have 10") for word in words]
    result = new_case(kedro, *arguments, *more)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code == 1
    assert len(errors) == 1, result.output
    for word in words:
        assert word in errors[0], errors[0]
    assert sorted((project / "conf").iterdir()) == before


def test_sentences_speak_of_options_and_of_no_file_that_is_not_written() -> None:
    images = (
        "source.size is missing, but the images of own are of 2 sizes (8x8, 9x8): set source.size "
        "in conf/<env>/globals.yml to 32, or set source.broken to 'leave_out'."
    )
    assert in_options(images, of_images=True) == (
        "--size is missing, but the images of own are of 2 sizes (8x8, 9x8): set --size to 32, or "
        "set --broken to 'leave_out'."
    )
    model = (
        "models.mine classifies 65 of 128: correct models.mine.columns or models.mine.input "
        "(range, mean, std), or set models.mine.allow_chance to true; source.path is 'a.pt'."
    )
    assert in_options(model, of_images=False) == (
        "model classifies 65 of 128: correct --columns or --input-range, --mean, --std, or add "
        "--allow-chance; --model is 'a.pt'."
    )


def test_errors_that_kedro_wraps_speak_of_options_too(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("path,digit\na.png,8\n")
    source = ImageSource(kind="table", path=str(tmp_path / "images.csv"))
    with pytest.raises(BorderlineError, match="--label-column is"), speaking_of(images=True):
        source.load()


def test_a_class_of_torchvision_models_keeps_its_name() -> None:
    sentence = "the weights do not fit torchvision.models.resnet18 with arguments {}"
    assert in_options(sentence, of_images=False) == sentence


def test_size_of_the_model_is_an_option() -> None:
    sentence = (
        "models.m.input.size is 48, but the model takes 32x32 pixels and the images have 28x28: "
        "set it to 32, and input.fit to true to resize the images for the model."
    )
    assert in_options(sentence, of_images=False) == (
        "--input-size is 48, but the model takes 32x32 pixels and the images have 28x28: set it to "
        "32."
    )


def test_band_that_does_not_fit_the_threshold_names_options() -> None:
    sentence = f"confusion.{fault_of_band(0.1, 0.0012, 'probability', 'a rule')}."
    for written in (sentence, f"{sentence[:-1]}; correct it."):
        assert in_options(written, of_images=False).endswith(
            ": add --scale logit --band 0.4, or set --band to at most 0.0012."
        )


def test_class_names_stay_as_they_are_written(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["01", "007", "1e3", "1:30", "null", "no", "0x10", "it's", "a\nb", "Größe"]
    options = {"images": "mnist_sample", "classes": names, "positive": "01", "negative": "1e3"}
    options |= {"label_column": "digit", "group_column": "writer"}
    about = globals_of("mine", options | {"range": [0.0, 4095.0], "fit": "pad"})
    write_case("mine", about, {}, "A comment.")
    assert "Größe" in Path("conf/mine/globals.yml").read_text(encoding="utf-8")
    written = OmegaConf.to_container(OmegaConf.load("conf/mine/globals.yml"))
    assert written["pair"] == {"positive": "01", "negative": "1e3"}
    source = {
        **{"kind": "mnist_sample", "classes": names, "label_column": "digit"},
        "group_column": "writer",
        **{"range": [0.0, 4095.0], "fit": "pad"},
    }
    assert written["source"] == source


def test_model_is_checked_before_the_images_are_read(
    kedro: CliRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(*_: object) -> None:
        raise AssertionError("the images are read")

    monkeypatch.setattr(ImageSource, "load", unread)
    (project / "bad.pt2").write_bytes(b"no model")
    result = new_case(kedro, "mine", "--model", "bad.pt2", "--trust", *DIGITS)
    assert "--model is 'bad.pt2', which cannot be read as torch_export" in result.stderr


@pytest.mark.parametrize("answer", ["y", "n", None])
def test_exchanged_columns_are_offered(kedro: CliRunner, project: Path, answer: str | None) -> None:
    given = ["--import-path", "elsewhere.Ink", "--images", "mnist_sample"]
    given += ["--positive", "1", "--negative", "7", "--embedding", "judge"]
    silent = ["--no-input"] if answer is None else []
    result = new_case(kedro, "mine", *given, *silent, answers=f"{answer}\n")
    if answer is None:
        assert "exchanged: 359 of 512 correct, and 153 as they are" in result.stderr
    else:
        assert "exchanged: column 0: 1 (positive), column 1: 7 (negative): 359 of" in result.output
    if answer == "y":
        assert settings_of(project, "mine")["models"]["mine"]["columns"] == [0, 1]
        assert "Embedding: the judge's features." in result.output
        assert "Output: column 0: 1 (positive), column 1: 7 (negative)" in result.output
    else:
        assert result.exit_code == 1
        assert ("--columns 0,1" in result.stderr) == (answer is None)
        assert not (project / "conf/mine").exists()


@pytest.mark.parametrize("kind", SOURCES)
def test_kind_of_a_model_follows_from_its_file(kind: str, tmp_path: Path) -> None:
    file = tmp_path / SOURCES[kind]["path"].replace(".pickle", ".pth").replace(".ts", ".pt")
    file.write_bytes(saved(kind, Net().eval(), torch.zeros(2, 1, 12, 12)))
    import_path = "elsewhere.Net" if kind == "state_dict" else None
    assert kind_of_model(str(file), import_path, trust=True)["kind"] == kind


def test_kind_of_images_follows_from_the_files(tmp_path: Path) -> None:
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx/train-images-idx3-ubyte.gz").touch()
    (tmp_path / "folders/cat").mkdir(parents=True)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/state.json").touch()
    np.savez(tmp_path / "own.npz", images=0)
    (tmp_path / "npy").mkdir()
    (tmp_path / "npy/images.npy").touch()
    (tmp_path / "train-images").mkdir()
    (tmp_path / "train-images/train-images.idx3-ubyte").touch()
    (tmp_path / "classes/train-images").mkdir(parents=True)
    (tmp_path / "table").mkdir()
    (tmp_path / "table/metadata.csv").touch()
    (tmp_path / "own.csv").touch()
    (tmp_path / "own.parquet").touch()
    kinds = {path.name: kind_of_images(str(path)) for path in tmp_path.iterdir()}
    assert kinds == {
        "train-images": "idx",
        "classes": "image_folder",
        "table": "image_folder",
        "own.csv": "table",
        "own.parquet": "table",
        "idx": "idx",
        "folders": "image_folder",
        "saved": "hugging_face",
        "own.npz": "arrays",
        "npy": "arrays",
    }
    assert ImageSource(kind=kind_of_images("mnist_sample")).load().name == "mnist_sample"


def test_names_in_quotes_may_hold_commas() -> None:
    assert listed("classes", 'cat, "a,b",日本') == ["cat", "a,b", "日本"]
    with pytest.raises(BorderlineError, match="needs names separated by commas"):
        listed("classes", "a\nb")
