from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession

from borderline.params import OtherRunParams, Pairing
from borderline.pipelines.compare.folder import name_of_comparison
from conftest import ROOT, start_kedro

PROJECT = Path("/project")
HERE = OtherRunParams(data_folder=None)


def name_of(other_run: OtherRunParams, other: str = "cnn_1", this: str = "cnn_1") -> str:
    elsewhere = other_run.data_folder is not None
    pairing = Pairing(this=this, other=other, elsewhere=elsewhere)
    return name_of_comparison(pairing, other_run, PROJECT)


def test_each_comparison_has_its_own_name() -> None:
    names = [
        name_of(HERE, "b_c", "a"),
        name_of(HERE, "c", "a_b"),
        name_of(HERE, "a_b", "c"),
        name_of(OtherRunParams(data_folder="a/data")),
        name_of(OtherRunParams(data_folder="b/data")),
        name_of(OtherRunParams(data_folder="s3://b/data")),
        name_of(OtherRunParams(data_folder="a/data", case="mnist_7v1")),
        name_of(OtherRunParams(data_folder="a/data"), "cnn_2"),
    ]
    assert names[:2] == ["a-b_c", "a_b-c"]
    assert len({name.casefold() for name in names}) == len(names)
    again = (OtherRunParams(data_folder=folder) for folder in ("/project/a/data", "a/data/"))
    assert {name_of(other_run) for other_run in again} == {names[3]}


@pytest.mark.parametrize("folder", ["my [data] 50%", "Daten für *?", "s3://bucket/x#1", "~/../x"])
def test_odd_names_of_folders_make_one_folder(folder: str) -> None:
    if folder.startswith("s3"):
        folder = folder.replace("#", "_")
    name = name_of(OtherRunParams(data_folder=folder), "a" * 100, "b" * 100)
    assert not set('/\\:*?"<>|{}[]$#') & set(name)
    assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    "changed",
    [
        {"compare": {"other": "cnn_4"}},
        {"compare": {"this": "cnn_4"}},
        {"other_run": {"data_folder": "before"}},
    ],
)
def test_two_comparisons_share_no_file(changed: dict[str, Any]) -> None:
    start_kedro()
    folders = []
    for settings in ({}, changed):
        with KedroSession.create(ROOT, env="mnist_7v1", runtime_params=settings) as session:
            catalog = session.load_context().catalog
        outputs = pipelines["compare"].all_outputs()
        folders.append({Path(str(catalog.get(name)._filepath)).parent for name in outputs})
    assert folders[0].isdisjoint(folders[1])
    assert all(folder.parent.name == "comparison" for folder in folders[0] | folders[1])
