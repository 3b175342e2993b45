"""``kedro run``, which reports bad input in one sentence instead of a traceback."""

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

# Kedro's messages about unknown pipelines, nodes and namespaces.
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
    """The gate is closed: the input was good, so the exit status differs from that of bad input."""

    exit_code = 3


class PlainSpokenCommand(click.Command):
    """A command that reports bad input in one sentence."""

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
    """The message of an error that the user can correct; None for a bug."""
    for cause in causes(error):
        if isinstance(cause, BorderlineError):
            return str(cause)
        if isinstance(cause, OSError) and cause.errno in _FULL_OR_READ_ONLY:
            return (
                f"{cause.filename or 'The data folder'} cannot be used ({cause.strerror}): free "
                "disk space or fix the permissions, then run again; finished epochs stay."
            )
        if type(cause).__name__ == "StorageInternalError":
            return (
                f"The store of the search cannot be used ({cause.__cause__}): free disk space "
                "or fix the permissions, then run again; finished trials stay."
            )
        if isinstance(cause, MissingConfigException) or _NOT_FOUND.match(str(cause)):
            return " ".join(str(cause).split())
    return None


def _settings(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """The settings of ``--params``; Kedro itself would split a list at its commas."""
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
    help="Print the traceback of an error too.",
)


run = PlainSpokenCommand(
    name="run",
    callback=kedro_run.callback,
    params=[*(option for option in kedro_run.params if option.name != "params"), PARAMS, VERBOSE],
    help=kedro_run.help,
)
