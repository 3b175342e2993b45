"""Crafted files and settings: nothing of them runs, overwrites, leaks or exhausts the machine.

The tests build every file, so the repository holds no binary.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from kedro.framework.session import KedroSession

from borderline.commands.case_files import write_case
from borderline.commands.new_case import check_name
from borderline.config_loader import base_settings
from borderline.context import _at_home
from borderline.datasets import CSVDataset, TensorFolder
from borderline.datasets.buckets import located
from borderline.errors import BorderlineError
from borderline.names import pair_of_name
from borderline.preflight.configuration import SourceGlobals
from borderline.preflight.folders import check_data_folder, check_own_folder, check_place
from borderline.preflight.reading import check_spelling, read_globals
from conftest import ROOT, loader_of, start_kedro

# Models and settings: code of strangers.

# Data folders of others.

# Images: files outside the data set, and files that announce more than they hold.

# Text of foreign files on pages, in the model card and on the terminal.

# Names that leave the data folder or merge folders.

ODD_FOLDER = "da ta%20[x] **é#?{y}&'+;=~"


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("data_folder", "", "it is empty"),
        ("data_folder", "data/{model}", "placeholder"),
        ("data_folder", "data\nconf", "not seen in a path"),
        ("data_folder", "$HOME/data", "variables of the environment"),
        ("data_folder", "C:\\data", "drives of Windows"),
        ("data_folder", "s3://bucket/**", "drivers of buckets"),
        ("data_folder", "x" * 256, "256 bytes"),
        ("dataset", "../mnist", "the name of a folder"),
        ("dataset", ".", "the name of a folder"),
        ("dataset", "mnist\n", "the name of a folder"),
        ("dataset", "x" * 300, "300 letters"),
        ("dataset", "con", "Windows"),
        ("other_run", {"data_folder": "data", "case": "../../x"}, "06_models"),
        ("other_run", {"data_folder": "data", "case": "{model}"}, "06_models"),
        ("other_run", {"data_folder": "{model}"}, "placeholder"),
        ("source", {"kind": "image_folder", "path": "a\0b"}, "the character 0"),
        ("source", {"kind": "image_folder", "path": "a/zip::b"}, "'::'"),
        ("source", {"kind": "table", "path": "x", "folder": "y" * 256}, "256 bytes"),
        ("step_1_checkpoints", "x/" * 9 + "é" * 128, "256 bytes"),
        ("inception_weights", " ", "it is empty"),
        ("inception_weights", "x/" * 2000, "4000 characters"),
    ],
)
def test_a_path_or_name_that_cannot_be_is_one_sentence(
    setting: str, value: object, words: str
) -> None:
    about = base_settings(ROOT / "conf", "globals")
    with pytest.raises(BorderlineError, match=re.escape(words)) as error:
        read_globals({**about, setting: value})
    assert str(error.value).startswith(setting)
    assert "correct it in conf/<env>" in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        *("con", "nul", "com1", "x" * 101, "../x", "", "a.b", "{x}"),
        *("ledger", "comparison", "page", "repeats", "judge_2", "compared_x", "gan_run_2"),
    ],
)
def test_a_model_or_generator_with_the_folder_of_something_else(name: str) -> None:
    for names in (([name], []), ([], [name])):
        with pytest.raises(BorderlineError, match=r"rename it\.$"):
            check_spelling(*names)


@pytest.mark.parametrize("name", ["con", "x" * 300, "../x", "base", "local", "presets", "${x}"])
def test_a_case_with_the_folder_of_something_else(name: str) -> None:
    with pytest.raises(BorderlineError):
        check_name(name)


def test_a_data_folder_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    deep = tmp_path.joinpath(*["x" * 200] * 20)
    for folder, words in {
        tmp_path / "file": "no folder",
        tmp_path / "file/data": "no folder",
        Path("/dev/null"): "no folder",
        tmp_path / "link": "a link to nothing",
        tmp_path / "link/data": "a link to nothing",
        tmp_path / "circle": "a link to nothing",
        deep: "bytes",
    }.items():
        with pytest.raises(BorderlineError, match=words) as error:
            check_data_folder(folder)
        assert str(error.value).startswith("data_folder is")
    (tmp_path / "there").mkdir()
    (tmp_path / "good").symlink_to("there")
    check_data_folder(tmp_path / "good" / ODD_FOLDER)


def test_a_data_folder_among_code_or_images(tmp_path: Path) -> None:
    images, project = tmp_path / "images", tmp_path / "project"
    images.mkdir()
    (tmp_path / "link").symlink_to("images")
    inner = {"kind": "image_folder", "path": str(images)}
    source = SourceGlobals.model_validate({"kind": "idx", "path": "x", "otherwise": inner})
    for folder, words in {
        Path("/"): "the root",
        project: "this project",
        project / "x/..": "this project",
        project / "conf": "the folder conf",
        project / "src/data": "the folder src",
        project / ".git": "the folder .git",
        images: "the images",
        tmp_path / "link/data": "the images",
    }.items():
        with pytest.raises(BorderlineError, match=words) as error:
            check_place(folder, project, source)
        assert "name another folder in conf/<env>/globals.yml" in str(error.value)
    for folder in (project / "data", project / "confirmed", tmp_path / "data", tmp_path):
        check_place(folder, project, source)


def test_a_file_system_that_ignores_capital_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist_Bagvcat").mkdir()
    check_own_folder(tmp_path / "mnist_Bagvcat")
    check_own_folder(tmp_path / "mnist_bagvcat")
    monkeypatch.setattr(Path, "exists", lambda path: True)
    with pytest.raises(BorderlineError, match="takes that for 'mnist_Bagvcat'"):
        check_own_folder(tmp_path / "mnist_bagvcat")
    (tmp_path / "mnist_e\u0301v7").mkdir()
    check_own_folder(tmp_path / "mnist_\u00e9v7")


def test_results_in_a_folder_with_signs_of_patterns(tmp_path: Path) -> None:
    folder = TensorFolder(path=str(tmp_path / ODD_FOLDER / "images"))
    part = {"images": torch.zeros(1, 1, 8, 8)}
    folder.save({"part_00000": part, "part_00001": part})
    folder.save({"part_00000": part})
    assert list(folder.load()) == ["part_00000"]
    table = CSVDataset(filepath=str(tmp_path / ODD_FOLDER / "table.csv"))
    table.save(pd.DataFrame({"x": [1]}))
    assert table.exists()
    assert table.load()["x"].to_list() == [1]
    assert [place.name for place in tmp_path.iterdir()] == [ODD_FOLDER]


def test_paths_of_the_catalog_are_taken_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    catalog = {
        "source": {"path": "C:x", "folder": "~/[x]", "otherwise": {"path": "~/**"}},
        "{model}.table": {"filepath": "a:b/{model}.csv", "type": "~"},
        "bucket": {"path": "s3://results/x"},
        "here": {"path": "file:///x/y"},
    }
    assert _at_home(catalog, tmp_path) == {
        "source": {
            "path": f"{tmp_path}/C:x",
            "folder": "/home/me/[x]",
            "otherwise": {"path": "/home/me/**"},
        },
        "{model}.table": {"filepath": f"{tmp_path}/a:b/{{model}}.csv", "type": "~"},
        "bucket": {"path": "s3://results/x"},
        "here": {"path": "/x/y"},
    }
    with pytest.raises(BorderlineError, match="a user who is not on this machine"):
        located("~nobody_of_this_name/x", tmp_path)


def test_home_folder_as_data_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    start_kedro()
    changed = {"data_folder": f"~/{ODD_FOLDER.replace('{y}', '')}"}
    with KedroSession.create(project, env="test", runtime_params=changed) as session:
        context: Any = session.load_context()
    home = str(project.parent / changed["data_folder"][2:])
    assert context.about.data_folder == home
    assert str(context.catalog.get("pair_names")._filepath).startswith(f"{home}/03_primary/")
    assert [path.name for path in project.parent.iterdir()] == ["project"]


def test_references_in_names_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = ["${x}", "a\\${globals:b}", "\\${c", "7"]
    source = {"kind": "image_folder", "path": "/x/${y}", "classes": classes}
    pair = {"positive": "${x}", "negative": "a\\${globals:b}"}
    shutil.copytree(ROOT / "conf/base", tmp_path / "conf/base")
    monkeypatch.chdir(tmp_path)
    write_case("odd", {"source": source, "pair": pair}, {"grid": {"runs": 2}}, "A comment.")
    loader = loader_of(tmp_path / "conf", "odd")
    assert loader["globals"]["source"] == source
    assert loader["parameters"]["pair"].items() >= pair.items()
    loader["globals"] = dict(loader["globals"])
    assert {name: loader["catalog"]["source"][name] for name in source} == source
    path = Path(loader["catalog"]["pair_train"]["filepath"])
    assert path.parts[:2] == ("data", "03_primary")
    assert pair_of_name(path.parts[2].removeprefix("mnist_sample_")) == tuple(pair.values())


@pytest.mark.parametrize("name", ["[x]", "a*", "a?", "a::b"])
def test_a_project_in_a_folder_that_kedro_reads_as_a_pattern(name: str, tmp_path: Path) -> None:
    with pytest.raises(BorderlineError, match="there as a pattern: rename"):
        loader_of(tmp_path / name / "conf", None)
