"""The project's commands: ``kedro run``, ``kedro sweep`` and ``kedro new-case``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml
from kedro.utils import find_kedro_project

from borderline.commands.run import PARAMS, VERBOSE, PlainSpokenCommand, run
from borderline.errors import BorderlineError
from borderline.sweeps import command as sweeps

AnyValue = TypeVar("AnyValue")


@click.group(name="borderline")
def cli() -> None:
    """Borderline's commands."""


cli.add_command(run)
cli.add_command(
    PlainSpokenCommand(
        name="sweep",
        callback=sweeps.sweep,
        params=[*sweeps.OPTIONS, PARAMS, VERBOSE],
        help=sweeps.sweep.__doc__,
    )
)


@cli.command("new-case", cls=PlainSpokenCommand)
@click.argument("name")
@click.option("--model", help="File of the model: .pt2, TorchScript, ONNX, state dict or pickle.")
@click.option("--import-path", help="Class of the state dict, or a callable: package.module.Name.")
@click.option("--arguments", default="{}", help="What the class is made with: '{classes: 10}'.")
@click.option("--trust", is_flag=True, help="Let the file run code, as a pickle does.")
@click.option("--images", prompt="Folder or file of the images", help="Or mnist_sample.")
@click.option("--classes", default="", help="Names of all classes, in the order of their labels.")
@click.option("--size", type=click.IntRange(8), help="Side in pixels to resize the images to.")
@click.option("--colour", type=click.Choice(["grey", "rgb"]), help="What to make of the images.")
@click.option("--mean", default="", help="What the model's images are normalised by: 0.5,0.4,0.4.")
@click.option("--std", default="", help="Likewise.")
@click.option("--positive", prompt="Positive class", help="By name or number.")
@click.option("--negative", prompt="Negative class", help="By name or number.")
@click.option("--columns", default="", help="Columns of these two in the model's outputs: 7,5.")
@click.option("--embedding", help="The layer whose output is clustered; or judge.")
def new_case(name: str, **asked: Any) -> None:
    """Write conf/NAME/ for a model and images of your own.

    The model is tried on real images with the usual contracts (range, mean and std, channels); the
    one with which it knows the pair best is written down.
    """
    # Takes seconds, which other commands should not cost.
    import torch

    from borderline.commands.new_case import Case, make_case

    if asked["model"] is None and asked["import_path"] is None:
        asked["model"] = click.prompt("File of the model")
    case = Case(
        name=name,
        **{
            **asked,
            "arguments": _mapping("arguments", asked["arguments"]),
            "classes": _listed("classes", asked["classes"], str),
            "columns": _listed("columns", asked["columns"], int),
            "mean": _listed("mean", asked["mean"], float),
            "std": _listed("std", asked["std"], float),
        },
    )
    if len(case.columns) not in (0, 2):
        raise BorderlineError(
            f"columns is {asked['columns']!r}, but two are needed, of the positive and the "
            "negative class: name both."
        )
    trials, model = make_case(case, find_kedro_project(Path.cwd()) or Path.cwd())
    for trial in trials:
        click.echo(f"  {trial.right:4d} of {trial.images} images right with {trial.name}")
    images = torch.zeros(1, *model.image_shape)
    click.echo(f"It embeds with {model.layer}, {model.embed(images).shape[1]} numbers an image.")
    if not model.differentiable:
        click.echo("It has no gradients, so generators that need them are left out.")
    click.echo(f"conf/{name}/ is written: now run `kedro run --env {name}`.")


def _listed(option: str, text: str, kind: Callable[[str], AnyValue]) -> tuple[AnyValue, ...]:
    try:
        return tuple(kind(own.strip()) for own in text.split(",") if own.strip())
    except ValueError as error:
        raise BorderlineError(
            f"{option} is {text!r}, but numbers with commas between are needed: correct it."
        ) from error


def _mapping(option: str, text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = text
    if not isinstance(found, dict):
        raise BorderlineError(
            f"{option} is {text!r}, but names with values are needed, such as "
            "'{num_classes: 10}': correct it."
        )
    return found
