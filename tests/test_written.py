"""Names that YAML read as something other than text, and options that hold settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.framework.session import KedroSession

from borderline.commands.options import settings, split
from borderline.config_loader import ConfigLoader
from borderline.errors import BorderlineError
from borderline.params import CallParams
from borderline.preflight.configuration import Globals, Parameters, SourceGlobals
from borderline.preflight.written import check_files
from conftest import start_kedro

LOST = [
    ("007", "7"),
    ("0x10", "16"),
    ("0b11", "3"),
    ("1_000", "1000"),
    ("+7", "7"),
    ("-0", "0"),
    ("1:30", "90"),
    ("1e3", "1000.0"),
    (".5", "0.5"),
    ("7.0", "7.0"),
    ("null", "None"),
    ("~", "None"),
    ("yes", "True"),
    ("on", "True"),
    ("false", "False"),
    (".nan", "nan"),
]
KEPT = ["7", "10", "0", "-1", "'007'", '"yes"', "nan", "0o7", "08", "2026-01-01", "y", "shirt"]


def check(folder: Path, kind: str, text: str) -> None:
    for name in ("base", "mine"):
        (folder / name).mkdir(exist_ok=True)
    (folder / f"mine/{kind}.yml").write_text(text)
    loader = ConfigLoader(str(folder), env="mine", base_env="base", default_run_env="base")
    loader[kind]
    check_files(loader, (kind,), Globals if kind == "globals" else Parameters)


@pytest.mark.parametrize(("text", "value"), LOST)
def test_class_that_yaml_turned_into_something_else(tmp_path: Path, text: str, value: str) -> None:
    with pytest.raises(BorderlineError) as error:
        check(tmp_path, "globals", f"pair:\n  positive: {text}\n  negative: 1\n")
    assert str(error.value).startswith(f"pair.positive is {value}")
    assert f"in line 2 of {tmp_path.name}/mine/globals.yml" in str(error.value)
    assert str(error.value).endswith(f"write '{text}' in quotes.")
    with pytest.raises(BorderlineError) as error:
        settings("--params", f"pair.negative={text}")
    assert str(error.value).startswith(f"pair.negative is {value}")
    assert str(error.value).endswith(f"write --params \"pair.negative='{text}'\".")


@pytest.mark.parametrize("text", KEPT)
def test_class_that_yaml_reads_as_it_is_written(tmp_path: Path, text: str) -> None:
    check(tmp_path, "globals", f"pair: {{positive: {text}, negative: 1}}")
    found = settings("--params", f"pair.positive={text}")["pair"]["positive"]
    assert str(found) == text.strip("'\"")


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("globals", "pair:\n  positive:\n  negative: 1", "pair.positive has no value in line 2"),
        ("globals", "source: {kind: x, classes: [a, 01]}", "source.classes[1] is 1, but it is wri"),
        ("globals", "source: {otherwise: {classes: [no]}}", "otherwise.classes[0] is False"),
        ("globals", "source: {columns: [1:30]}", "source.columns[0] is 90, but it is written as"),
        ("globals", "dataset: 2026", "dataset is 2026 in line 1 of "),
        ("globals", "other_run: {case: 1_0}", "other_run.case is 10, but it is written as 1_0"),
        ("parameters", "grid: {models: [on]}", "grid.models[0] is True, but it is written as on"),
        ("parameters", "metrics: {choose: 007}", "metrics.choose is 7, but it is written as 007"),
        ("parameters", "models: {m: {kind: imported, embedding: 5}}", "models.m.embedding is 5"),
        ("parameters", "pair: {positive: 0x1}", "pair.positive is 1, but it is written as 0x1"),
    ],
)
def test_other_names(tmp_path: Path, kind: str, text: str, words: str) -> None:
    with pytest.raises(BorderlineError) as error:
        check(tmp_path, kind, text)
    assert words in str(error.value)


def test_values_that_are_no_names_stay(tmp_path: Path) -> None:
    check(tmp_path, "globals", "source: {kind: x, path: null, size: 016, classes: [0, 1]}")
    check(tmp_path, "parameters", "gan: {epochs: 1_0}\nclustering: {objective: {dbcv: 1}}")
    classes: Any = [0, "a"]
    assert SourceGlobals(kind="x", classes=classes).classes == ["0", "a"]


def test_settings_without_their_text_cannot_be_names(project: Path) -> None:
    start_kedro()
    changed = {"pair": {"positive": True}}
    with (
        pytest.raises(BorderlineError, match=r"pair\.positive is True, but it must be text"),
        KedroSession.create(project, env="test", runtime_params=changed) as session,
    ):
        session.load_context()


def test_classes_that_are_numbers_arrive_as_text(project: Path) -> None:
    path = project / "conf/test/globals.yml"
    source = {"kind": "folder", "path": "x", "classes": [7, 1], "range": [0, 1]}
    path.write_text(yaml.safe_dump({"source": {**source, "kind": "arrays"}}))
    start_kedro()
    with KedroSession.create(project, env="test") as session:
        context = session.load_context()
    assert context.config_loader["catalog"]["source"]["classes"] == ["7", "1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gan.epochs=[1", "'gan.epochs=[1', which cannot be read, because a bracket"),
        ("a=1,gan.epochs", "'gan.epochs', but a setting is <name>=<value>"),
        ("=3", "'=3', but a setting is <name>=<value>"),
        ("pair.positive='7", "which cannot be read, because a quote is not closed"),
        ("a={b: 1", "close it with }"),
        ("a=*b", "*b needs an anchor"),
        ("a=@b", "cannot begin with @"),
        ("a=${b", "begins a reference that does not end"),
        ("gan[=3", "'gan[=3', but 'gan[' is no name of a setting"),
        ("gan..epochs=3", "'gan..epochs'"),
        ("gan=3,gan=4", "--params sets gan twice"),
        ("gan=3,gan.epochs=4", "--params sets gan and gan.epochs, of which one contains"),
        ("a={x: 1, x: 2}", "'x' stands twice"),
        ("pair.positive=a #b", "'pair.positive=a #b', of which YAML would drop the part from #"),
    ],
)
def test_option_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(BorderlineError) as error:
        settings("--params", text)
    assert words in str(error.value)
    assert str(error.value).startswith("--params ")


def test_settings_are_split_outside_of_quotes_and_brackets() -> None:
    assert split("a=[1,2], b='x,y',c={d: 1, e: 2},f=don't,") == [
        "a=[1,2]",
        "b='x,y'",
        "c={d: 1, e: 2}",
        "f=don't",
    ]
    found = settings("--params", "clustering.objective={dbcv: 1, bic: 2},gan.epochs=3")
    assert found == {"clustering": {"objective": {"dbcv": 1, "bic": 2}}, "gan": {"epochs": 3}}


@pytest.mark.parametrize("name", ["007", "a, b", "yes", "1e3", "it's", "t-shirt/top", "é", "[a]"])
def test_command_of_a_run_keeps_its_names(name: str) -> None:
    changed = {"pair.positive": name, "source.classes": ["01", name], "run.quick": True}
    words = shlex.split(CallParams(changed=changed).command())
    assert words[2:4] == ["--quick", "--params"]
    found = settings("", words[4])
    assert found == {"pair": {"positive": name}, "source": {"classes": ["01", name]}}
