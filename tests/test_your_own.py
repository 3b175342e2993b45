"""End-to-end runs of imported models, images and generators."""

from __future__ import annotations

import gzip
import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from borderline.datasets import ImageSource
from borderline.pipelines.gasten import latent_search
from conftest import FASHION, QUICK_CLUSTERS, ROOT, kedro_here, needs_fashion, run_here
from elsewhere import Ink, Morph, saved

pytestmark = pytest.mark.road

IMAGES = 200  # of each generator, the fewest that are measured


def shortened_fashion(folder: Path, train: int, test: int) -> None:
    """The first images of Fashion-MNIST, in the file format of the package."""
    folder.mkdir()
    for subset, count in (("train", train), ("t10k", test)):
        for content_kind, header, width in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            name = f"{subset}-{content_kind}-ubyte.gz"
            with gzip.open(FASHION / name) as file:
                content = bytearray(file.read(header + count * width))
            content[4:8] = struct.pack(">I", count)
            (folder / name).write_bytes(gzip.compress(bytes(content)))


def commands_of_the_worked_example() -> list[list[str]]:
    text = (ROOT / "docs/your_own.md").read_text()
    pattern = r"```\n(make install\n.*?)```"
    block = re.search(pattern, text, flags=re.DOTALL)
    assert block is not None
    assert block[0] in (ROOT / "README.md").read_text(), "the README says the same"
    return [shlex.split(line) for line in block[1].strip().splitlines()]


def small(project: Path, environment: str) -> None:
    """Add the small sizes of the test environment to an environment."""
    settings = yaml.safe_load((project / "conf/test/parameters.yml").read_text())
    for name in ("grid", "models"):
        settings.pop(name, None)
    settings["clustering"] |= QUICK_CLUSTERS
    settings["judge_kinds"]["lenet"]["members"] = 1
    settings["generation"]["images"] = IMAGES
    path = project / "conf" / environment / "parameters_small.yml"
    path.write_text(yaml.safe_dump(settings))


@needs_fashion
def test_worked_example_runs_from_its_words(project: Path, tmp_path: Path) -> None:
    shortened_fashion(tmp_path / "fashion", 3000, 600)
    (project / "docs").mkdir()
    (project / "docs/train_a_model.py").write_text((ROOT / "docs/train_a_model.py").read_text())
    install, activate, train, new_case, run = commands_of_the_worked_example()
    assert [install, activate] == [["make", "install"], [".", ".venv/bin/activate"]]

    fashion = str(tmp_path / "fashion")
    train, new_case = (
        [fashion if word == str(FASHION) else word for word in words] for words in (train, new_case)
    )
    assert train[0] == "python"
    result = subprocess.run(
        [sys.executable, *train[1:], "--train", "3000", "--epochs", "2"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "accuracy on" in result.stdout, result.stderr
    assert new_case[:2] == ["kedro", "new-case"]
    output = kedro_here(project, *new_case[1:]).output
    right, images = map(int, re.findall(r"(\d+) of (\d+) images correct with that mean", output)[0])
    assert right > 0.6 * images, output
    assert "Embedding layer: mean, 1024 numbers per image." in output
    written = yaml.safe_load((project / "conf/shoes/parameters.yml").read_text())
    shown = re.search(r"```yaml\n(models:.*?)```", (ROOT / "docs/your_own.md").read_text(), re.S)
    assert shown is not None
    assert written["models"] == yaml.safe_load(shown[1])["models"], "as the page shows it"

    small(project, "shoes")
    assert run[:2] == ["kedro", "run"]
    few = "grid.generators=[pixel_bisection],prototypes.explanation.methods=[saliency]"
    output = run_in(project, *run[2:], "--params", few)
    reporting = project / "data/08_reporting/shoes_sneakervsandal"
    assert f"{reporting}/report.html" in output.replace("\n", "")
    page = (reporting / "report.html").read_text()
    assert "imported (state_dict, 10 classes), embedding: mean" in page
    assert "mean probability of classes beside the pair" in page
    scores = pd.read_csv(reporting / "shoes/classifier_scores.csv").iloc[0]
    assert scores["accuracy"] > 0.6
    assert 0 < scores["other_mass"] < 0.5
    assert scores["embedding_width"] == 1024
    for images_file in (project / "data/07_model_output").rglob("images/part_*.safetensors"):
        part = load_file(images_file)
        assert (part["other_mass"] <= 0.5).all()


def colour_folder(folder: Path, size: int) -> tuple[Tensor, Tensor]:
    """Write real digits as colour images in folders; returns the mean images of 1 and 7."""
    real = ImageSource(kind="mnist_sample", size=size, colour="rgb").load().train
    means = []
    for label, name in ((1, "one"), (7, "seven")):
        (folder / name).mkdir(parents=True)
        images = real["images"][real["labels"] == label][:120]
        means.append(images.mean(0))
        for number, image in enumerate(images):
            pixels = ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return means[0], means[1]


def environment(project: Path, name: str, about: dict[str, Any], settings: dict[str, Any]) -> None:
    folder = project / "conf" / name
    folder.mkdir()
    (folder / "globals.yml").write_text(yaml.safe_dump({"dataset": name, **about}))
    (folder / "parameters.yml").write_text(yaml.safe_dump(settings))
    small(project, name)


def run_in(project: Path, *arguments: str) -> str:
    result = run_here(project, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_model_without_gradients_and_a_generator_from_elsewhere_in_64_pixels(project: Path) -> None:
    size = 64
    one, seven = colour_folder(project / "own", size)
    model = Ink(channels=3, size=size).eval()
    content = saved("onnx", model, torch.zeros(2, 3, size, size))
    (project / "ink.onnx").write_bytes(content)
    generator = Morph(size, 3)
    generator.ends.copy_(torch.stack([one, seven]))
    generator.waves.copy_(0.1 * torch.randn(3, 3, size, size))
    (project / "morph.pt").write_bytes(saved("state_dict", generator, torch.zeros(2, 4)))
    theirs = {
        "kind": "imported",
        "source": {
            "kind": "state_dict",
            "path": "morph.pt",
            "import_path": "elsewhere.Morph",
            "arguments": {"size": size, "channels": 3},
        },
        "latent_dim": 4,
    }
    environment(
        project,
        "ink",
        {
            "source": {"kind": "image_folder", "path": "own"},
            "pair": {"positive": "seven", "negative": "one"},
        },
        {
            "grid": {
                "models": ["ink"],
                "generators": ["theirs", "searched", "pixel_bisection"],
            },
            "models": {
                "ink": {
                    "kind": "imported",
                    "source": {"kind": "onnx", "path": "ink.onnx"},
                    "outputs": "logits",
                }
            },
        },
    )
    path = project / "conf/ink/parameters_small.yml"
    settings = yaml.safe_load(path.read_text())
    searched = {"kind": "latent_search", "space_of": "theirs"}
    settings["generators"] |= {"theirs": theirs, "searched": searched}
    settings["prototypes"]["explanation"]["window"] = 48
    settings["confusion"] = {"threshold": 0.8}
    path.write_text(yaml.safe_dump(settings))
    run_in(project, "--env", "ink")
    case = project / "data/07_model_output/ink_sevenvone/ink"
    part = load_file(case / "searched/images/part_00000.safetensors")
    assert part["images"].shape[1:] == (3, size, size)
    assert ((part["probabilities"] - 0.8).abs() < 0.011).all()
    assert len(part["images"]) == IMAGES
    reporting = project / "data/08_reporting/ink_sevenvone"
    # No generator needs step 1, and only occlusion needs no gradients.
    assert not (project / "data/06_models/ink_sevenvone/gan").exists()
    assert set(load_file(case / "attributions.safetensors")) == {"occlusion"}
    assert pd.read_csv(reporting / "summary.csv")["prototypes"].iloc[0] >= 2
    page = (reporting / "report.html").read_text()
    assert "imported (onnx), embedding:" in page
    assert "0.8: the boundary" in page
    assert "p is above 0.8" in (reporting / "ink/model_card.md").read_text()
    # A later stage does not need the file, but notices another file in its place.
    (project / "ink.onnx").unlink()
    run_in(project, "--env", "ink", "--pipelines", "report")
    other = Ink(channels=3, size=size).eval()
    other.last.bias.data[1] += 0.1
    (project / "ink.onnx").write_bytes(saved("onnx", other, torch.zeros(2, 3, size, size)))
    result = run_here(project, "--env", "ink", "--pipelines", "report")
    assert result.exit_code == 1
    assert "ink.imported_file has another content" in result.stderr


def test_residual_gan_in_32_pixels_follows_the_gradients_of_a_function(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So soon a GAN stays on one side of the boundary, and a search in vain takes longest.
    monkeypatch.setattr(latent_search, "_MOST_LATENTS", 5000)
    colour_folder(project / "own", 40)
    source = {"kind": "callable", "import_path": "elsewhere.Ink"}
    source["arguments"] = {"channels": 3, "size": 32}  # type: ignore[assignment]
    environment(
        project,
        "resized",
        {
            "source": {"kind": "image_folder", "path": "own", "size": 32},
            "pair": {"positive": "seven", "negative": "one"},
        },
        {
            "grid": {"models": ["ink"], "generators": ["gasten_10", "hybrid"]},
            "models": {"ink": {"kind": "imported", "source": source, "outputs": "logits"}},
        },
    )
    settings = "gan.architecture=resnet,gan.learning_rate=0.001,confusion.band=0.5"
    stages = "classifier,gasten,metrics"
    run_in(project, "--env", "resized", "--pipelines", stages, "--params", settings)
    case = project / "data/07_model_output/resized_sevenvone/ink"
    images = load_file(case / "gasten_10/images/part_00000.safetensors")["images"]
    assert images.shape == (IMAGES, 3, 32, 32)
    reporting = project / "data/08_reporting/resized_sevenvone/ink"
    assert pd.read_csv(reporting / "classifier_scores.csv")["accuracy"].iloc[0] > 0.6
    board = pd.read_csv(reporting / "leaderboard.csv").set_index("source")
    assert np.isfinite(board.loc["gasten_10", "yield"])
    # A search in vain has no images for the next stages, which say why.
    hybrid = board.loc["hybrid"]
    assert hybrid["images"] > 0 or "on one side of the boundary" in hybrid["note"]
