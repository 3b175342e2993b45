"""The wheel and the archive of settings of ``kedro package``, in a folder without the project."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession

from borderline import __main__ as program
from borderline.cli import cli
from borderline.commands import project as project_module
from borderline.commands.package import write_archive
from borderline.datasets.keys import FILE
from borderline.errors import BorderlineError
from conftest import ROOT, loader_of, start_kedro


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a project with secrets."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "conf", folder / "conf")
    for secret in (f"local/{FILE}", "local/mine.txt", "test/credentials.yml"):
        (folder / "conf" / secret).parent.mkdir(exist_ok=True)
        (folder / "conf" / secret).write_text("a: secret")
    path = folder / "dist/conf-borderline.tar.gz"
    write_archive(folder / "conf", path)
    return path


def test_archive_has_the_settings_and_no_secret(archive: Path) -> None:
    with tarfile.open(archive) as content:
        names = set(content.getnames())
    assert {"conf/base/catalog.yml", "conf/presets/quick.yml", "conf/logging.yml"} <= names
    assert not [n for n in names if "local" in n or "credentials" in n]


def test_archive_gives_the_settings_of_the_folder(archive: Path) -> None:
    for environment in (None, "mnist_7v1"):
        loaders = (loader_of(path, environment) for path in (archive, ROOT / "conf"))
        one, other = ((loader["parameters"], loader["globals"]) for loader in loaders)
        assert one == other
    with pytest.raises(BorderlineError, match=r"--env is 'tst' \(did you mean 'test'\?\)"):
        loader_of(archive, "tst")["globals"]


def test_key_and_credentials_are_beside_the_archive(archive: Path, tmp_path: Path) -> None:
    start_kedro()
    (tmp_path / "conf/local").mkdir(parents=True)
    (tmp_path / "conf/local/credentials.yml").write_text("bucket: {key: a}")
    with KedroSession.create(tmp_path, env="test", conf_source=str(archive)) as session:
        context = session.load_context()
    assert context.local == tmp_path / "conf/local"
    assert context._get_config_credentials() == {"bucket": {"key": "a"}}
    assert context.about.data_folder == str(tmp_path / "data/test")


def test_program_runs_the_command_of_its_first_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(project_module, "start", lambda _: None)
    for name, command in cli.commands.items():
        monkeypatch.setattr(
            command, "main", lambda words, name=name, **_: called.append((name, words))
        )
    for words in ([], ["--env", "test"], ["run", "-e", "a"], ["server", "start"]):
        monkeypatch.setattr(sys, "argv", ["borderline", *words])
        program.main()
    assert called == [
        *(("run", []), ("run", ["--env", "test"]), ("run", ["-e", "a"]), ("server", ["start"]))
    ]


def test_folder_without_a_project_starts_the_package_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(project_module, "configure_project", started.append)
    project_module.start(tmp_path)
    assert started == ["borderline"]
    with pytest.raises(BorderlineError, match=r"new-case reads .* conf/base, but .* unpack conf-"):
        project_module.check_has_settings(tmp_path, "new-case")
    with pytest.raises(BorderlineError, match=r"conf/base, but .* --conf-source"):
        loader_of(tmp_path, None)["globals"]


@pytest.mark.foreign
def test_wheel_runs_and_serves_elsewhere(tmp_path: Path) -> None:
    """`kedro package` for real: the wheel, a run, a request, and the end of the server."""
    source, here = tmp_path / "source", tmp_path / "here"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv", "data", "dist"))
    here.mkdir()
    quiet = {**os.environ, "KEDRO_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(source / "src")}
    subprocess.run([sys.executable, "-m", "kedro", "package"], cwd=source, env=quiet, check=True)
    (wheel,) = (source / "dist").glob("*.whl")
    site = here / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True)
    (source / "dist/conf-borderline.tar.gz").rename(here / "conf.tar.gz")
    shutil.rmtree(source)
    quiet["PYTHONPATH"] = str(site)
    borderline = [sys.executable, "-m", "borderline"]
    settings = ["--conf-source", "conf.tar.gz", "--env", "test"]
    run = [*borderline, *settings, "--pipelines", "classifier"]
    subprocess.run(run, cwd=here, env=quiet, check=True)
    assert list(here.glob("data/test/06_models/*/cnn_1/classifier/classifier.safetensors"))
    serve = [*borderline, "server", "start", "--port", "8765", *settings]
    with subprocess.Popen(serve, cwd=here, env=quiet) as server:
        assert "422 Unknown setting 'gan.epohs'" in _sentence({"params": {"gan": {"epohs": 1}}})
        assert "422 No node is left" in _sentence({"tags": ["x"]})
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) in (143, -signal.SIGTERM)


def _sentence(body: dict[str, object]) -> str:
    request = urllib.request.Request(
        "http://127.0.0.1:8765/run",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    for _ in range(60):
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            return f"{error.code} {json.load(error)['error']['message']}"
        except OSError:
            time.sleep(1)
    raise AssertionError("the server did not answer, or the run did not fail")
