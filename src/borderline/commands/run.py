"""``kedro run``, with bad input said in one sentence instead of a traceback."""

from __future__ import annotations

import errno
import re
import traceback
from typing import IO, Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, _update_verbose_flag
from omegaconf import OmegaConf

from borderline.errors import BorderlineError, GateClosed, causes

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
            sentence = sentence_of(error)
            if sentence is None:
                raise
            closed = any(isinstance(cause, GateClosed) for cause in causes(error))
            raise (Closed if closed else BadInput)(sentence) from error


def sentence_of(error: Exception) -> str | None:
    """The sentence for an error that the user can correct; None for a fault of the program."""
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


PARAMS = click.Option(
    ["--params"],
    type=click.UNPROCESSED,
    default="",
    callback=_settings,
    help="Settings: pair.positive=9,grid.models=[cnn_2,cnn_4].",
)
VERBOSE = click.Option(
    ["--verbose", "-v"],
    is_flag=True,
    expose_value=False,
    callback=_update_verbose_flag,
    help="See the traceback of an error too.",
)


run = PlainSpokenCommand(
    name="run",
    callback=kedro_run.callback,
    params=[*(one for one in kedro_run.params if one.name != "params"), PARAMS, VERBOSE],
    help=kedro_run.help,
)
