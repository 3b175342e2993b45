"""``kedro run``, which reports bad input in one sentence instead of a traceback."""

from __future__ import annotations

import copy
import errno
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, _update_verbose_flag

from borderline.commands.options import check_config_file, runner_of, settings_option
from borderline.commands.signals import Interrupted, stopped_in_order
from borderline.errors import BorderlineError, GateClosed, OnlySomeNodes, causes, did_you_mean
from borderline.params import merged
from borderline.plain_text import echo
from borderline.printing import guard_displays

# Kedro's messages about unknown pipelines, nodes and namespaces.
_NO_PIPELINE = re.compile(r"Failed to find the pipeline named '(.*?)'")
_NOT_FOUND = re.compile(
    r"Pipeline does not contain |Catalog entry '|An exception occurred when parsing config for "
)
_FULL_OR_READ_ONLY = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    # Of network folders, disks that fail, and targets that cannot be replaced.
    *(errno.EIO, errno.ESTALE, errno.ENOLCK, errno.EOPNOTSUPP, errno.EXDEV, errno.EBUSY),
}


class BadInput(click.ClickException):
    """Prints its sentence; with ``--verbose`` the traceback as well."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print to standard error."""
        if KedroCliError.VERBOSE_ERROR:
            traceback.print_exception(self.__cause__)
        echo(f"Error: {self.message}", colour="red", error=True)


class Closed(BadInput):
    """The gate is closed: the input was good, so the exit status differs from that of bad input."""

    exit_code = GateClosed.exit_status


class Stopped(BadInput):
    """A signal has ended the command, with the exit status that shells give it."""

    def __init__(self, error: KeyboardInterrupt) -> None:
        number = error.number if isinstance(error, Interrupted) else signal.SIGINT
        super().__init__(
            f"Stopped by {number.name}: the same command continues; finished epochs stay. With "
            "--only-missing-outputs finished nodes do not run again."
        )
        self.exit_code = 128 + number  # type: ignore[misc]


class PlainSpokenCommand(click.Command):
    """A command that reports bad input in one sentence."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the options."""
        guard_displays()
        with _plainly():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _plainly(), stopped_in_order():
            return super().invoke(ctx)


@contextmanager
def _plainly() -> Iterator[None]:
    """Report bad input in one sentence."""
    try:
        yield
    except click.ClickException:
        raise
    except KeyboardInterrupt as error:
        raise Stopped(error) from error
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
            return f"{' '.join(str(cause).split()).rstrip('.')}."
        pipeline = _NO_PIPELINE.match(str(cause))
        if pipeline:
            from borderline.pipeline_registry import BESIDE, STAGES

            known = [*STAGES, *BESIDE]
            return (
                f"--pipelines is {pipeline[1]!r}{did_you_mean(pipeline[1], known)}: choose from "
                f"{', '.join(known)}."
            )
        if str(cause).startswith("Pipeline contains no nodes after applying"):
            return "No node is left by the options that select nodes, such as --tags: correct them."
    return None


PARAMS = settings_option("--params", "Settings: pair.positive=9,grid.models=[cnn_2,cnn_4].")
QUICK = click.Option(
    ["--quick"],
    is_flag=True,
    help="A look of a few minutes: short trainings, few images, results in their own folders.",
)
VERBOSE = click.Option(
    ["--verbose", "-v"],
    is_flag=True,
    expose_value=False,
    callback=_update_verbose_flag,
    help="Print the traceback of an error too.",
)


def quickly(command: Callable[..., Any]) -> Callable[..., Any]:
    """The callback of a command with ``--params``, which takes ``--quick`` too."""

    def callback(*, quick: bool, params: dict[str, Any], **options: Any) -> Any:
        if params.get("quick") is True:  # the short name of run.quick
            quick, params = True, {name: params[name] for name in params if name != "quick"}
        both = merged(params, {"run": {"quick": True}}) if quick else params
        return command(params=both, **options)

    return callback


def _run(**options: Any) -> Any:
    runner_of(options["runner"], options["runner_params"])
    if options["only_missing_outputs"]:
        # Kedro looks only for files, and would take those of other settings.
        unfinished = _unfinished(options)
        if not unfinished:
            return None
        options |= {"only_missing_outputs": False, "node_names": unfinished}
    return _run_nodes(**options)


def _unfinished(options: dict[str, Any]) -> tuple[str, ...]:
    """The nodes without finished results; the checks before a run find them."""
    try:
        _run_nodes(**options)
    except OnlySomeNodes as some:
        finished = some.asked - len(some.names)
        rest = f"run {len(some.names)}" if some.names else "nothing is to do"
        echo(f"{finished} of {some.asked} nodes have finished with these settings: {rest}.")
        return some.names
    return ()


def _run_nodes(**options: Any) -> Any:
    try:
        return kedro_run.callback(**options)  # type: ignore[misc]
    except ValueError:
        if "repair" in options["pipelines"]:
            # Without a model to repair Kedro ends before the checks.
            from borderline.grid import current
            from borderline.preflight.repaired import check_repairable

            check_repairable(current())
        raise


def _config_file(context: click.Context, option: click.Parameter, value: str | None) -> Any:
    if value:
        check_config_file(value, str(context.info_name))
    return _CONFIG.callback(context, option, value)  # type: ignore[misc]


_KEDRO = {str(option.name): option for option in kedro_run.params}
_CONFIG = _KEDRO["config"]
_OURS = {
    "params": PARAMS,
    "runner_params": settings_option("--runner-params", "The settings of the runner."),
    "config": copy.copy(_CONFIG),
    "only_missing_outputs": click.Option(
        ["--only-missing-outputs"],
        is_flag=True,
        help="Run only nodes without finished results of the present settings and inputs, nodes "
        "after them, and the report's table, pages and gate.",
    ),
}
_OURS["config"].callback = _config_file

run = PlainSpokenCommand(
    name="run",
    callback=quickly(_run),
    params=[*(_OURS.get(name, option) for name, option in _KEDRO.items()), QUICK, VERBOSE],
    help=kedro_run.help,
)
