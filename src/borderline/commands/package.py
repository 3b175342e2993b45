"""``kedro package``: the wheel, and an archive of the settings without secrets."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import click
from kedro.utils import find_kedro_project

from borderline.commands.project import check_has_settings
from borderline.commands.run import PlainSpokenCommand
from borderline.errors import BorderlineError

_ARCHIVE = Path("dist/conf-borderline.tar.gz")


@click.command("package", cls=PlainSpokenCommand)
def package() -> None:
    """Write the wheel and the archive of conf to dist/.

    The archive leaves out conf/local, which has credentials and the key of the project.
    """
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    check_has_settings(project, "package")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(_ARCHIVE.parent)]
    if subprocess.run(build, cwd=project, check=False).returncode:
        raise BorderlineError(
            "The wheel could not be built (see above): make sure that `pip install build` was run "
            "and that the project has its pyproject.toml."
        )
    write_archive(project / "conf", project / _ARCHIVE)


def write_archive(conf: Path, path: Path) -> None:
    """Write the folder of settings to an archive, without ``local``."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    with tarfile.open(temporary, "w:gz") as archive:
        archive.add(conf, arcname="conf", filter=_without_secrets)
    temporary.replace(path)


def _without_secrets(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    hidden = any(part.startswith((".", "credentials")) for part in Path(member.name).parts)
    return None if hidden or Path(member.name).is_relative_to("conf/local") else member
