"""``python -m borderline`` and ``borderline``: the project's commands, also without Kedro's files.

The name of a command is its first argument; without one it is ``run``, with the options of
``kedro run``. Outside of a project the settings come from ``--conf-source``, as `kedro package`
writes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from borderline.yaml_text import Fault, decoded, fault_in

_LOGGING = Path("conf/logging.yml")


def main() -> None:
    """Run a command in the current folder."""
    fault = _fault_of_logging()
    if fault is not None:
        place = f"{fault.place} of " if fault.place else ""
        sys.exit(f"Error: {place}{_LOGGING} cannot be read, because {fault.reason}.")
    # Kedro reads the file while it is imported.
    from borderline.commands.project import start

    start(Path.cwd())
    from borderline.cli import cli

    name, *arguments = sys.argv[1:] or ["run"]
    if name not in cli.commands:
        name, arguments = "run", sys.argv[1:]
    cli.commands[name].main(arguments, prog_name=f"borderline {name}")


def _fault_of_logging() -> Fault | None:
    if not _LOGGING.is_file():
        return None
    text = decoded(_LOGGING.read_bytes())
    return text if isinstance(text, Fault) else fault_in(text, deep=False)


if __name__ == "__main__":
    main()
