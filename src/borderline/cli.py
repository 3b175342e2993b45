"""The project's commands: ``kedro run``, ``sweep``, ``new-case``, ``package`` and ``server``."""

from __future__ import annotations

import click

from borderline.commands.new_case import new_case
from borderline.commands.package import package
from borderline.commands.run import PARAMS, QUICK, VERBOSE, PlainSpokenCommand, quickly, run
from borderline.commands.sentences import speak_plainly
from borderline.server.command import server
from borderline.sweeps import command as sweeps


@click.group(name="borderline")
def cli() -> None:
    """Borderline's commands."""


cli.add_command(run)
cli.add_command(new_case)
cli.add_command(package)
cli.add_command(server)
cli.add_command(
    PlainSpokenCommand(
        name="sweep",
        callback=quickly(sweeps.sweep),
        params=[*sweeps.OPTIONS, PARAMS, QUICK, VERBOSE],
        help=sweeps.sweep.__doc__,
    )
)

# For the commands of Kedro and its plugins, which know nothing of sentences.
speak_plainly()
