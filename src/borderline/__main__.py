"""``python -m borderline``: the same as ``kedro run``, with the same options."""

from __future__ import annotations

import sys
from pathlib import Path

from borderline.yaml_text import Fault, decoded, fault_in

_LOGGING = Path("conf/logging.yml")


def main() -> None:
    """Run the project in the current folder."""
    fault = _fault_of_logging()
    if fault is not None:
        place = f"{fault.place} of " if fault.place else ""
        sys.exit(f"Error: {place}{_LOGGING} cannot be read, because {fault.reason}.")
    # Kedro reads the file while it is imported.
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(Path.cwd())
    from borderline.commands.run import run

    run()


def _fault_of_logging() -> Fault | None:
    if not _LOGGING.is_file():
        return None
    text = decoded(_LOGGING.read_bytes())
    return text if isinstance(text, Fault) else fault_in(text, deep=False)


if __name__ == "__main__":
    main()
