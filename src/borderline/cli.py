"""The project's commands: ``kedro run``, ``kedro sweep`` and ``kedro new-case``."""

from __future__ import annotations

import click

from borderline.commands.new_case import new_case
from borderline.commands.run import PARAMS, VERBOSE, PlainSpokenCommand, run
from borderline.sweeps import command as sweeps


@click.group(name="borderline")
def cli() -> None:
    """Borderline's commands."""


cli.add_command(run)
cli.add_command(new_case)
cli.add_command(
    PlainSpokenCommand(
        name="sweep",
        callback=sweeps.sweep,
        params=[*sweeps.OPTIONS, PARAMS, VERBOSE],
        help=sweeps.sweep.__doc__,
    )
)
