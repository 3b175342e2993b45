"""Faults in the files of ``conf``: one sentence with the file, the line and the remedy."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.cli.utils import KedroCliError

from borderline.__main__ import main
from borderline.commands.sentences import speak_plainly
from borderline.errors import BorderlineError
from conftest import ROOT, loader_of


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The settings of the project beside an environment without any."""
    conf = Path(shutil.copytree(ROOT / "conf/base", tmp_path / "conf/base")).parent
    shutil.copytree(ROOT / "conf/presets", conf / "presets")
    for name in ("mine", "local"):
        (conf / name).mkdir()
    return conf


def load(conf: Path, key: str = "globals", env: str | None = "mine", **changed: Any) -> Any:
    return loader_of(conf, env, **changed)[key]


def sentence(conf: Path, key: str = "globals", **options: Any) -> str:
    with pytest.raises(BorderlineError) as error:
        load(conf, key, **options)
    text = str(error.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("globals.yml", b"pair:\n\tpositive: 7", ["Line 2, column 1 of ", "with spaces"]),
        ("globals.yml", b"dataset: a\ndataset: b", ["Line 2, column 1 of ", "'dataset'", "twice"]),
        ("globals.yml", b"dataset: caf\xe9", ["Line 1, column 13 of ", "UTF-8"]),
        ("globals.yml", "dataset: a".encode("utf-16"), ["conf/mine/globals.yml cannot", "UTF-16"]),
        ("globals.yml", b"- dataset: a", ["Line 1 of ", "no names with values"]),
        ("globals.yml", b"7: a", ["Line 1 of ", "'7'"]),
        ("parameters.yml", b"gan:\n  epochs: [1", ["Line 2, column 11 of ", "bracket"]),
        ("parameters.yml", b"preset paper", ["Line 1 of ", "no names with values"]),
        ("parameters.yml", b"- gan", ["Line 1 of ", "no names with values"]),
        ("parameters.yml", b"gan:\n  on: 3", ["Line 2 of ", "'on'"]),
        ("parameters_gan.yml", b"gan: 'x", ["Line 1, column 6 of ", "quote"]),
        ("catalog.yml", b"a:\n  type: *x", ["Line 2, column 9 of ", "&x"]),
        ("catalog_more.yml", b"1: {type: x}", ["Line 1 of ", "'1'"]),
        ("credentials.yml", b"aws: {key: secret, key: secret}", ["Line 1, column 20", "twice"]),
    ],
)
def test_syntax_error(conf: Path, file: str, content: bytes, words: list[str]) -> None:
    (conf / "mine" / file).write_bytes(content)
    key = file.partition(".")[0].partition("_")[0]
    found = sentence(conf, key)
    for word in [*words, f"conf/mine/{file}"]:
        assert word in found
    assert "secret" not in found


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("globals.yml", "x: ${nope}", ["x in line 1 of ", "'${nope}'", "the globals files"]),
        ("globals.yml", "a: ${b}\nb: ${a}", ["a in line 1 of ", "leads back to itself"]),
        ("globals.yml", "a: ${globals:x}", ["write ${<name>} for its own entries"]),
        ("globals.yml", "a: ${runtime_params:x}", ["cannot refer to --params"]),
        ("parameters.yml", "a: ${globals:datset}", ["no entry 'datset' (did you mean 'dataset'?)"]),
        ("parameters.yml", "\na: {b: '${env:X}'}", ["a.b in line 2 of ", "no kind of reference"]),
        ("parameters.yml", "a: ${runtime_params:x}", ["--params does not set 'x'"]),
        ("parameters.yml", "a: [1, '${run.seed}']", ["a[1] in line 1", "files of the same folder"]),
        ("parameters.yml", "a: ${x", ["Line 1 of ", "write ${<name>}"]),
        ("catalog.yml", "a: {type: '${_b}'}", ["a.type in line 1 of ", "'_b' is not in"]),
        (
            "credentials.yml",
            "a: secret\nb: ${oc.env:NO_SUCH}",
            ["b in line 2 of ", "variable NO_SUCH is not set"],
        ),
        ("credentials.yml", "a: secret${b}", ["a in line 1 of ", "is a reference, but 'b'"]),
    ],
)
def test_reference_that_leads_nowhere(
    conf: Path, file: str, content: str, words: list[str]
) -> None:
    (conf / "mine" / file).write_text(content)
    found = sentence(conf, file.partition(".")[0])
    for word in [*words, f"conf/mine/{file}"]:
        assert word in found
    assert "secret" not in found


def test_reference_of_params_that_leads_nowhere(conf: Path) -> None:
    found = sentence(conf, "parameters", gan={"epochs": "${globals:nope}"})
    assert "gan.epochs in --params is '${globals:nope}'" in found


def test_fault_in_a_preset(conf: Path) -> None:
    (conf / "presets/mine.yml").write_text("gan: [")
    (conf / "mine/parameters.yml").write_text("preset: mine")
    assert "conf/presets/mine.yml" in sentence(conf, "parameters")


def test_the_same_setting_in_two_files(conf: Path) -> None:
    (conf / "mine/parameters.yml").write_text("gan: {epochs: 1}")
    (conf / "mine/parameters_gan.yml").write_text("gan: {epochs: 2}")
    found = sentence(conf, "parameters")
    assert found.startswith(
        "gan.epochs is set in conf/mine/parameters.yml and conf/mine/parameters_gan.yml: remove"
    )


def test_list_for_a_group(conf: Path) -> None:
    (conf / "mine/parameters.yml").write_text("gan: [1]")
    assert load(conf, "parameters")["gan"] == [1], "the checks of the settings refuse it"
    assert load(conf, "parameters", env="base", gan=[1])["gan"] == [1]
    (conf / "mine/parameters_gan.yml").write_text("gan: {epochs: 1}")
    assert "once as a list and once as a group" in sentence(conf, "parameters")


@pytest.mark.parametrize("name", ["globals.yaml", "global.yml", "params.yml", "Globals.yml"])
def test_file_that_kedro_would_pass_over(conf: Path, name: str) -> None:
    (conf / "mine" / name).write_text("dataset: a")
    assert f"conf/mine/{name} is not read" in sentence(conf)


def test_folder_and_broken_link_in_place_of_a_file(conf: Path) -> None:
    (conf / "mine/globals.yml").mkdir()
    assert "it is a folder" in sentence(conf)
    (conf / "mine/globals.yml").rmdir()
    (conf / "mine/globals.yml").symlink_to("nowhere")
    assert "a link to a file that is not there" in sentence(conf)


def test_file_without_permission(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.local import LocalFileSystem

    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (conf / "mine/globals.yml").write_text("dataset: a")
    monkeypatch.setattr(LocalFileSystem, "_open", locked)
    monkeypatch.setattr(LocalFileSystem, "cat_file", locked)
    found = sentence(conf)
    assert "globals.yml cannot be read (Permission denied): fix its permissions" in found


def test_unknown_environment(conf: Path) -> None:
    found = sentence(conf, env="mien")
    assert "--env is 'mien' (did you mean 'mine'?): choose one of base, mine" in found
    assert "--env is 'presets'" in sentence(conf, env="presets")


def test_files_without_a_fault(conf: Path) -> None:
    (conf / "local").rmdir()
    assert load(conf, env=None)["dataset"] == "mnist_sample"
    (conf / "mine/globals.yml").write_text("# nothing differs\n")
    (conf / "mine/parameters.yml").write_text("preset: null\n")
    (conf / "mine/notes.txt").write_text("globals")
    (conf / "mine/airflow.yml").write_text("default:")
    assert load(conf)["dataset"] == "mnist_sample"
    assert load(conf, "parameters")["gan"]["epochs"] == 9


def test_other_commands_end_with_the_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, place: seen.append(error))
    monkeypatch.setattr(KedroCliError, "VERBOSE_ERROR", False)
    speak_plainly()
    wrapped = RuntimeError("of a library")
    wrapped.__cause__ = BorderlineError("gan is 3: correct it.")
    sys.excepthook(RuntimeError, wrapped, None)
    assert capsys.readouterr().err == "Error: gan is 3: correct it.\n"
    assert not seen
    bug = RuntimeError("a bug")
    sys.excepthook(RuntimeError, bug, None)
    assert seen == [bug]


def test_notebooks_show_the_sentence() -> None:
    # IPython asks the exception for its lines.
    assert BorderlineError("gan is 3.")._render_traceback_() == ["Error: gan is 3."]


def test_fault_of_the_logging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/logging.yml").write_text("version: 1\nversion: 1")
    with pytest.raises(SystemExit, match=r"line 2, column 1 of conf/logging\.yml cannot be read"):
        main()
