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

from borderline.errors import BorderlineError, GateClosed, causes

# What Kedro says of unknown pipelines, nodes and namespaces.
_NOT_FOUND = re.compile(r"Failed to find the pipeline named|Pipeline does not contain ")
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
    params=[*kedro_run.params, _VERBOSE],
    help=kedro_run.help,
)
cli.add_command(run)
