"""``kedro run`` and ``kedro sweep``, with bad input said in one sentence instead of a traceback."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, _update_verbose_flag
from kedro.utils import find_kedro_project
from omegaconf import OmegaConf

from borderline.errors import BorderlineError, GateClosed, causes
from borderline.sweeps import command as sweeps

AnyValue = TypeVar("AnyValue")
# What Kedro says of unknown pipelines, nodes and namespaces.
_NOT_FOUND = re.compile(r"Failed to find the pipeline named|Pipeline does not contain ")
_COMMA_OUTSIDE_OF_LISTS = re.compile(r",(?![^\[\]]*\])")
_FULL_OR_READ_ONLY = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class BadInput(click.ClickException):
    """Prints its sentence; with ``--verbose`` the traceback as well."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print to standard error."""
        if KedroCliError.VERBOSE_ERROR:
            traceback.print_exception(self.__cause__)
        click.secho(f"Error: {self.message}", fg="red", err=True)


class Closed(BadInput):
    """The gate: nothing was wrong with the input, and a script can tell by the exit status."""

    exit_code = 3


class PlainSpokenCommand(click.Command):
    """A command that says what was wrong with its input."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            closed = any(isinstance(cause, GateClosed) for cause in causes(error))
            raise (Closed if closed else BadInput)(sentence) from error


def _sentence(error: Exception) -> str | None:
    for cause in causes(error):
        if isinstance(cause, BorderlineError):
            return str(cause)
        if isinstance(cause, OSError) and cause.errno in _FULL_OR_READ_ONLY:
            return (
                f"{cause.filename or 'The data folder'} cannot be used ({cause.strerror}): make "
                "room or give yourself the right to, then run again; finished epochs stay."
            )
        if type(cause).__name__ == "StorageInternalError":
            return (
                f"The store of the search cannot be used ({cause.__cause__}): make room or give "
                "yourself the right to write, then run again; finished trials stay."
            )
        if isinstance(cause, MissingConfigException) or _NOT_FOUND.match(str(cause)):
            return " ".join(str(cause).split())
    return None


def _settings(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Settings as ``kedro run`` takes them, lists too, of which Kedro would split the content."""
    if isinstance(value, dict):
        return value
    items = [item.strip() for item in _COMMA_OUTSIDE_OF_LISTS.split(value) if item.strip()]
    for item in items:
        if not item.partition("=")[0].strip() or "=" not in item:
            ctx.fail(f"--{option.name} has {item!r}, but a setting is <name>=<value>.")
    return OmegaConf.to_container(OmegaConf.from_dotlist(items))


_PARAMS = click.Option(
    ["--params"],
    type=click.UNPROCESSED,
    default="",
    callback=_settings,
    help="Settings: pair.positive=9,grid.models=[cnn_2,cnn_4].",
)
_VERBOSE = click.Option(
    ["--verbose", "-v"],
    is_flag=True,
    expose_value=False,
    callback=_update_verbose_flag,
    help="See the traceback of an error too.",
)


@click.group(name="borderline")
def cli() -> None:
    """Borderline's own commands."""


run = PlainSpokenCommand(
    name="run",
    callback=kedro_run.callback,
    params=[*(one for one in kedro_run.params if one.name != "params"), _PARAMS, _VERBOSE],
    help=kedro_run.help,
)
cli.add_command(run)
cli.add_command(
    PlainSpokenCommand(
        name="sweep",
        callback=sweeps.sweep,
        params=[*sweeps.OPTIONS, _PARAMS, _VERBOSE],
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

    from borderline.new_case import Case, make_case

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
