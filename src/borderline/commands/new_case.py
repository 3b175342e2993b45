"""``kedro new-case``: writes an environment for an imported model and its images."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from kedro.utils import find_kedro_project

from borderline.commands.run import PlainSpokenCommand
from borderline.config_loader import base_parameters
from borderline.datasets.image_kinds import kind_of_images
from borderline.errors import BorderlineError
from borderline.imported.file_kinds import kind_of_model

if TYPE_CHECKING:
    from borderline.imported.classifier import ImportedClassifier
    from borderline.imported.contracts import Material, Trial

_CONF = Path("conf")


@click.command("new-case", cls=PlainSpokenCommand)
@click.argument("name")
@click.option(
    "--model", help="File of the model: safetensors, state dict, ONNX, .pt2, TorchScript or pickle."
)
@click.option("--import-path", help="Class of the state dict, or a callable: package.module.Name.")
@click.option("--arguments", default="{}", help="Arguments of that class: '{num_classes: 10}'.")
@click.option("--key", help="Weights in a checkpoint that holds several: ema, state_dict.student.")
@click.option("--output", help="Output with the class scores, where the model has several.")
@click.option(
    "--trust",
    is_flag=True,
    help="Allow the file to run code when it is read: .pt2, TorchScript and pickle need it.",
)
@click.option(
    "--images",
    prompt="Folder or file of the images",
    help="Folder or file of the images, or mnist_sample.",
)
@click.option("--classes", default="", help="Names of all classes, in the order of their labels.")
@click.option("--size", type=click.IntRange(8), help="Resize the images to this side in pixels.")
@click.option("--colour", type=click.Choice(["grey", "rgb"]), help="Convert the images.")
@click.option("--mean", default="", help="Mean of the normalisation, one or per channel: 0.5.")
@click.option("--std", default="", help="Standard deviation of the normalisation.")
@click.option("--positive", prompt="Positive class", help="Positive class, by name or number.")
@click.option("--negative", prompt="Negative class", help="Negative class, by name or number.")
@click.option("--columns", default="", help="Output columns of the two classes: 7,5.")
@click.option("--embedding", help="Layer whose output is clustered, or judge.")
def new_case(name: str, model: str | None, import_path: str | None, **options: Any) -> None:
    """Write conf/NAME/ for an imported model and its images.

    The command tries the model on real images with the usual ranges, normalisations and channels,
    and writes the most accurate combination.
    """
    if model is None and import_path is None:
        model = click.prompt("File of the model")
    options["arguments"] = _mapping("arguments", options["arguments"])
    kinds = {"classes": str, "columns": int, "mean": float, "std": float}
    for option, kind in kinds.items():
        options[option] = _listed(option, options[option], kind)
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    options["images"] = _from_project(options["images"], project)
    path = None if model is None else _from_project(model, project)
    with chdir(project):
        check_name(name)
        source = kind_of_model(path, import_path, trust=options["trust"])
        trials, classifier = make_case(name, source, options)
    for trial in trials:
        click.echo(f"  {trial.right:4d} of {trial.images} images correct with {trial.name}")
    width = classifier.embed(classifier.blank()).shape[1]
    click.echo(f"Embedding layer: {classifier.layer}, {width} numbers per image.")
    if not classifier.differentiable:
        click.echo("The model has no gradients, so generators that need them are left out.")
    click.echo(f"conf/{name}/ is written: now run `kedro run --env {name}`.")


def check_name(name: str) -> None:
    """Check that a case can have a name and that none has it yet."""
    from borderline.preflight.reading import check_spelling

    check_spelling([name], [])
    if (_CONF / name).exists():
        raise BorderlineError(
            f"name is {name!r}, but {_CONF / name} exists already: choose another name, or move "
            "that folder away."
        )


def make_case(
    name: str, source: dict[str, Any], options: dict[str, Any]
) -> tuple[list[Trial], ImportedClassifier]:
    """Write the environment; return all tried contracts, and the model with the best one.

    Raises:
        BorderlineError: When a run with these settings would stop; then nothing is written.
    """
    import torch

    from borderline.imported.contracts import USUAL, try_contracts
    from borderline.imported.probe import check_model

    source |= {name: options[name] for name in ("arguments", "key", "output") if options[name]}
    columns = options["columns"]
    if len(columns) not in (0, 2):
        raise BorderlineError(
            f"columns is {','.join(map(str, columns))!r}, but it needs two numbers: the columns of "
            "the positive and the negative class."
        )
    normalisation = {"mean": options["mean"], "std": options["std"]}
    usual = {"that mean and std": normalisation} if any(normalisation.values()) else USUAL
    about = _globals_of(name, options)
    material = _load(source, about)
    known = {option: options[option] for option in ("columns", "embedding") if options[option]}
    trials = try_contracts(source, material, known, usual)
    classifier = material.model(trials[0].params)
    check_model(f"models.{name}", classifier, material.real, torch.device("cpu"))
    generators = ["latent_search", "pixel_bisection"]
    if classifier.differentiable:
        generators = ["gasten_10", "latent_search", "hybrid", "pixel_bisection"]
    parameters = {
        "grid": {"models": [name], "generators": generators},
        "models": {name: trials[0].params},
    }
    _write_case(name, about, parameters, trials[0])
    return trials, classifier


def _globals_of(name: str, options: dict[str, Any]) -> dict[str, Any]:
    source = {"kind": kind_of_images(options["images"])}
    if options["images"] != "mnist_sample":
        source["path"] = options["images"]
    source |= {key: options[key] for key in ("classes", "size", "colour") if options[key]}
    pair = {
        side: int(options[side]) if options[side].isdigit() else options[side]
        for side in ("positive", "negative")
    }
    return {"dataset": name, "source": source, "pair": pair}


def _load(source: dict[str, Any], about: dict[str, Any]) -> Material:
    """The file of the model and the real images of the pair."""
    from borderline.datasets import ImageSource, ImportedFile
    from borderline.imported.contracts import Material
    from borderline.params import PairParams
    from borderline.pipelines.classifier.pairs import check_counts, images_of_pair, labels_of_pair

    images = ImageSource(**about["source"]).load()
    check_counts(images)
    labels = labels_of_pair(images, PairParams.model_validate({**about["pair"], "test_share": 0.2}))
    content = ImportedFile(filepath=source.get("path"), setting="model").load()
    defaults = base_parameters(_CONF)["model_kinds"]["imported"]
    real = images_of_pair(images.train, *labels)
    return Material(content, real, labels, len(images.classes), defaults)


def _write_case(name: str, about: dict[str, Any], parameters: dict[str, Any], best: Trial) -> None:
    """Write the files of the environment; either all or none."""
    files = {
        "globals.yml": ("{positive} (positive) against {negative}.".format(**about["pair"]), about),
        "parameters.yml": (
            f"The most accurate contract is {best.name}: {best.right} of {best.images} images "
            "correct. See docs/your_own.md for other settings.",
            parameters,
        ),
    }
    _CONF.mkdir(exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new_case_", dir=_CONF))
    try:
        for file, (comment, content) in files.items():
            text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
            (beside / file).write_text(f"# {comment}\n{text}", encoding="utf-8")
        beside.chmod(0o755)
        beside.rename(_CONF / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _from_project(path: str, project: Path) -> str:
    """A path relative to the project, if it lies inside."""
    if path == "mnist_sample":
        return path
    whole = Path(path).expanduser()
    whole = whole if whole.is_absolute() else whole.resolve()
    return str(whole.relative_to(project) if whole.is_relative_to(project) else whole)


def _listed(option: str, text: str, kind: type[Any]) -> list[Any]:
    try:
        return [kind(item.strip()) for item in text.split(",") if item.strip()]
    except ValueError as error:
        raise BorderlineError(
            f"{option} is {text!r}, but it needs numbers separated by commas: correct it."
        ) from error


def _mapping(option: str, text: str) -> dict[str, Any]:
    try:
        mapping = yaml.safe_load(text)
    except yaml.YAMLError:
        mapping = text
    if not isinstance(mapping, dict):
        raise BorderlineError(
            f"{option} is {text!r}, but it needs names with values, such as '{{num_classes: 10}}': "
            "correct it."
        )
    return mapping
