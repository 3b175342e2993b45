"""``kedro new-case``: an environment for a model and images of one's own."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import yaml
from pydantic import ValidationError
from torch import Tensor

from borderline.config_loader import base_parameters
from borderline.datasets.image_source import ImageSource
from borderline.datasets.imported_file import ImportedFile
from borderline.errors import BorderlineError
from borderline.imported.classifier import BlindJudge, ImportedClassifier
from borderline.imported.kinds import first_line
from borderline.imported.params import JUDGE, ImportedModelParams
from borderline.imported.probe import check_model, some_of_both
from borderline.params import PairParams, merged
from borderline.pipelines.classifier.pairs import check_counts, images_of_pair, labels_of_pair
from borderline.preflight.reading import check_spelling
from borderline.records import LabelledImages

_KINDS = {".pt2": "torch_export", ".onnx": "onnx", ".safetensors": "state_dict"}
# How models are usually trained: what black and white are, and what is taken off and divided by.
USUAL: dict[str, dict[str, Any]] = {
    "[0, 1]": {"range": [0, 1]},
    "[-1, 1]": {"range": [-1, 1]},
    "[0, 255]": {"range": [0, 255]},
    "ImageNet's mean and std": {
        "range": [0, 1],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
}
_MOST_SUMS_DIFFER = 1e-3


class Trial(NamedTuple):
    """A contract that was tried on real images.

    Attributes:
        name: What it is called.
        params: The settings of the model with it.
        right: How many of the images it was right about.
        images: How many images it was tried on.
    """

    name: str
    params: dict[str, Any]
    right: int
    images: int


class Case(NamedTuple):
    """What was asked for.

    Attributes:
        name: What the environment is called.
        model: The file of the model; None for a callable.
        import_path: Of its class, or of the callable.
        arguments: What that class is made with.
        trust: Whether the file may run code.
        images: Where the images are.
        classes: Their names; empty for those that the images have.
        size: Side in pixels to resize images to; None for that which they have.
        colour: ``grey`` or ``rgb``; None for what they are.
        positive: The class with label 1, by name or number.
        negative: The class with label 0.
        columns: Those of the two among many outputs; empty where they can be told.
        mean: What images are normalised by, one number a channel; empty to try what is usual.
        std: Likewise.
        embedding: The layer to embed with; None to find it.
    """

    name: str
    model: str | None
    import_path: str | None
    arguments: dict[str, Any]
    trust: bool
    images: str
    classes: tuple[str, ...]
    size: int | None
    colour: str | None
    positive: str
    negative: str
    columns: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    embedding: str | None


class _Undecided(BorderlineError):
    """What no other contract would settle."""


class _Material(NamedTuple):
    """What contracts are tried with.

    Attributes:
        content: The file of the model.
        real: Real images of the pair.
        labels: Of the positive and the negative class among all classes of the images.
        classes: How many these are.
        defaults: The defaults of imported models.
    """

    content: bytes
    real: LabelledImages
    labels: tuple[int, int]
    classes: int
    defaults: dict[str, Any]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Channels, height and width."""
        return tuple(self.real["images"].shape[1:])


def kind_of_images(path: str) -> str:
    """What kind of source a path is, by what is there.

    Raises:
        BorderlineError: When it is none that can be told.
    """
    place = Path(path).expanduser()
    if path == "mnist_sample":
        return path
    if place.suffix == ".npz":
        return "arrays"
    if place.is_dir():
        names = {own.name for own in place.iterdir()}
        if any(name.startswith("train-images") for name in names):
            return "idx"
        if names & {"dataset_dict.json", "dataset_info.json", "state.json"}:
            return "hugging_face"
        if any(name.endswith(".npy") for name in names):
            return "arrays"
        if any(own.is_dir() for own in place.iterdir()):
            return "image_folder"
    raise BorderlineError(
        f"images is {path!r}, but there are none: name a folder with a folder for each class, IDX "
        "or .npy files, or one that save_to_disk left; or an .npz; or mnist_sample."
    )


def kind_of_model(path: str | None, import_path: str | None, trust: bool) -> dict[str, Any]:
    """The source of a model, its kind told by its file.

    Args:
        path: The file; None for a callable.
        import_path: Of its class, or of the callable.
        trust: Whether the file may run code.

    Raises:
        BorderlineError: When there is no such file.
    """
    if path is None:
        return {"kind": "callable", "import_path": import_path}
    file = Path(path).expanduser()
    if not file.is_file():
        raise BorderlineError(f"model is {path!r}, but there is no such file: correct it.")
    kind = _KINDS.get(file.suffix)
    if kind is None and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            # Of the archives that PyTorch writes, only TorchScript's has code.
            if any("/code/" in name for name in archive.namelist()):
                kind = "torchscript"
    if kind is None and import_path is None and _is_state_dict(file):
        raise BorderlineError(
            f"model is {path!r}, which holds weights and no model: name its class with "
            "--import-path package.module.Name (and --arguments)."
        )
    kind = kind or ("state_dict" if import_path else "pickle")
    if import_path is not None and kind != "state_dict":
        raise BorderlineError(
            f"--import-path is {import_path!r}, but {path} is of kind {kind}, which brings its "
            "code along: leave it out."
        )
    source: dict[str, Any] = {"kind": kind, "path": path}
    if kind == "state_dict":
        source["import_path"] = import_path
    return source | ({"trust": True} if trust else {})


def _from_project(path: str, project: Path) -> str:
    """A path as a run finds it, wherever it was named."""
    whole = Path(path).expanduser()
    whole = whole if whole.is_absolute() else (Path.cwd() / whole).resolve()
    return str(whole.relative_to(project) if whole.is_relative_to(project) else whole)


def _is_state_dict(file: Path) -> bool:
    try:
        return isinstance(torch.load(file, map_location="cpu", weights_only=True), dict)
    except Exception:
        return False


def try_contracts(
    source: dict[str, Any],
    material: _Material,
    given: dict[str, Any],
    usual: Mapping[str, dict[str, Any]] = MappingProxyType(USUAL),
) -> list[Trial]:
    """Try a model with the usual contracts on real images of the pair.

    Args:
        source: Where it comes from.
        material: Its file, and the images.
        given: Settings of the model that are known already.
        usual: The contracts by name, without channels.

    Returns:
        Those that it takes, the best first.

    Raises:
        BorderlineError: When it takes none; the sentence is that of the first one tried.
    """
    trials: list[Trial] = []
    refused: BorderlineError | None = None
    for name, contract in _contracts(material.image_shape[0], usual):
        try:
            trial = _tried(source, contract, material, given)
        except _Undecided:
            raise
        except BorderlineError as error:
            refused = refused or error
            continue
        trials.append(Trial(name, *trial))
    if not trials:
        raise refused or BorderlineError(
            f"mean is {next(iter(usual.values())).get('mean')}, but the model can get 1 or 3 "
            "channels: give one number, or one a channel."
        )
    return sorted(trials, key=lambda trial: -trial.right)


def _contracts(
    channels: int, usual: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    fits: list[dict[str, Any]] = [{}, {"channels": 4 - channels, "fit": True}]
    for fit, (name, contract) in product(fits, usual.items()):
        # A mean for each of three channels is for three.
        if len(contract.get("mean", [0])) in (1, fit.get("channels", channels)):
            made = f" and {'grey' if fit['channels'] == 1 else 'three channels'}" if fit else ""
            yield f"{name}{made}", {**fit, **contract}


def _tried(
    source: dict[str, Any],
    contract: dict[str, Any],
    material: _Material,
    given: dict[str, Any],
) -> tuple[dict[str, Any], int, int]:
    params: dict[str, Any] = {
        "kind": "imported",
        "source": source,
        "input": contract,
        "outputs": "logits",
        # Which layer embeds is looked for once the rest is known.
        "embedding": JUDGE,
    }
    images, truth = some_of_both(material.real)
    model = _model(params, material)
    with torch.no_grad():
        try:
            outputs = model.outputs(images)
        except Exception as error:
            raise BorderlineError(
                f"model cannot take images of shape {list(material.image_shape)} "
                f"({first_line(error)}): name others with --images and --size, or give its input "
                "by hand in conf/."
            ) from error
    del params["embedding"]
    params |= _outputs_of(outputs, material, given) | given
    model = _model({**params, "embedding": JUDGE}, material)
    with torch.no_grad():
        right = int(((model(images) > 0) == (truth == 1)).sum())
    return params, right, len(truth)


def _model(params: dict[str, Any], material: _Material) -> ImportedClassifier:
    try:
        settings = ImportedModelParams.model_validate(merged(material.defaults, params))
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BorderlineError(f"model cannot be taken: {said}.") from error
    return ImportedClassifier(settings, material.content, material.image_shape, BlindJudge())


def _outputs_of(outputs: Tensor, material: _Material, given: dict[str, Any]) -> dict[str, Any]:
    """What the numbers look like that a model gives."""
    width = outputs[0].numel()
    shares = bool((outputs >= 0).all() and (outputs <= 1).all())
    if width == 1:
        return {"outputs": "probability" if shares else "logit"}
    sums = bool(((outputs.sum(1) - 1).abs() < _MOST_SUMS_DIFFER).all())
    several = "probabilities" if shares and sums else "logits"
    if max(given.get("columns", [0])) >= width:
        raise _Undecided(
            f"columns is {given['columns']}, but the model gives columns 0 to {width - 1}: correct "
            "it."
        )
    if width > 2 and width != material.classes and "columns" not in given:
        raise _Undecided(
            f"columns is missing, but the model gives {width} classes and the images have "
            f"{material.classes}: name those of the positive and the negative class, from 0 on, "
            "with --columns."
        )
    return {"outputs": several, **({"columns": list(material.labels)} if width > 2 else {})}


def check_name(name: str, folder: Path) -> None:
    """Make sure that a case can have a name, and that none has it yet.

    Raises:
        BorderlineError: When it cannot.
    """
    check_spelling([name], [])
    if (folder / name).exists():
        raise BorderlineError(
            f"name is {name!r}, but {folder / name} is there already: choose another, or move that "
            "folder away."
        )


def write_case(folder: Path, files: dict[str, dict[str, Any]], heads: Iterable[str]) -> None:
    """Write a folder of configuration; either whole or not at all.

    Args:
        folder: The folder; it must not exist.
        files: The content of each file by name.
        heads: A comment for the beginning of each.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new_case_", dir=folder.parent))
    try:
        for (name, content), head in zip(files.items(), heads, strict=True):
            text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
            (beside / name).write_text(f"# {head}\n{text}", encoding="utf-8")
        beside.chmod(0o755)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def source_of_images(case: Case) -> dict[str, Any]:
    """The source of a case's images, as ``globals.yml`` has it."""
    kind = kind_of_images(case.images)
    path = {} if kind == "mnist_sample" else {"path": case.images}
    asked = {"classes": list(case.classes), "size": case.size, "colour": case.colour}
    return {"kind": kind, **path, **{name: own for name, own in asked.items() if own}}


def make_case(case: Case, project: Path) -> tuple[list[Trial], ImportedClassifier]:
    """Find out how a model and images go together, and write the environment.

    Args:
        case: What was asked for.
        project: The folder of the project.

    Returns:
        The contracts that were tried, the best first, and the model with that one.

    Raises:
        BorderlineError: When a run with these would stop; then nothing is written.
    """
    model_file = None if case.model is None else _from_project(case.model, project)
    images = case.images
    if images != "mnist_sample":
        images = _from_project(images, project)
    with chdir(project):
        return _make_case(case._replace(model=model_file, images=images), Path("conf"))


def _make_case(case: Case, conf: Path) -> tuple[list[Trial], ImportedClassifier]:
    check_name(case.name, conf)
    source = kind_of_model(case.model, case.import_path, case.trust)
    if case.arguments:
        source["arguments"] = case.arguments
    own_images = source_of_images(case)
    images = ImageSource(**own_images).load()
    check_counts(images)
    chosen = {"positive": _class_of(case.positive), "negative": _class_of(case.negative)}
    labels = labels_of_pair(images, PairParams.model_validate({**chosen, "test_share": 0.2}))
    material = _Material(
        ImportedFile(filepath=source.get("path"), setting="model").load(),
        images_of_pair(images.train, *labels),
        labels,
        len(images.classes),
        base_parameters(conf)["model_kinds"]["imported"],
    )
    given: dict[str, Any] = {}
    if case.columns:
        given["columns"] = list(case.columns)
    if case.embedding:
        given["embedding"] = case.embedding
    usual = USUAL
    if case.mean or case.std:
        usual = {"that mean and std": {"mean": list(case.mean), "std": list(case.std)}}
    trials = try_contracts(source, material, given, usual)
    best = trials[0]
    # As a run would try it.
    classifier = _model(best.params, material)
    check_model(case.name, classifier, material.real, torch.device("cpu"))
    generators = ["gasten_10", "latent_search", "hybrid", "pixel_bisection"]
    if not classifier.differentiable:
        generators = ["latent_search", "pixel_bisection"]
    write_case(
        conf / case.name,
        {
            "globals.yml": {
                "dataset": case.name,
                "source": own_images,
                "pair": chosen,
            },
            "parameters.yml": {
                "grid": {"models": [case.name], "generators": generators},
                "models": {case.name: best.params},
            },
        },
        [
            f"{case.positive} (positive) against {case.negative}.",
            f"Of the usual contracts, {best.name} was right most often: {best.right} of "
            f"{best.images} images. docs/your_own.md says what else can be set.",
        ],
    )
    return trials, classifier


def _class_of(name: str) -> int | str:
    return int(name) if name.isdigit() else name
