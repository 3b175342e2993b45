"""The folder of a command: a project with its files, or any folder for the installed package."""

from __future__ import annotations

from pathlib import Path

from kedro.framework.project import configure_project
from kedro.framework.startup import bootstrap_project

from borderline.errors import BorderlineError

_PACKAGE = __package__.partition(".")[0]


def start(folder: Path) -> None:
    """Prepare Kedro for the project in a folder, or for the package if no project is there."""
    if (folder / "pyproject.toml").is_file():
        bootstrap_project(folder)
    else:
        configure_project(_PACKAGE)


def check_has_settings(folder: Path, command: str) -> None:
    """Make sure that ``conf/base`` is in a folder.

    Raises:
        BorderlineError: When it is not; the sentence names the command.
    """
    if not (folder / "conf/base").is_dir():
        raise BorderlineError(
            f"{command} reads the settings in conf/base, but {folder} has no such folder: go to "
            "the folder of the project, or unpack conf-borderline.tar.gz there."
        )
