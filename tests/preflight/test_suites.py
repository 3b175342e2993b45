from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from borderline.datasets import SuiteFolders, TensorDataset
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.pipelines.suite.merged import MERGED, merged_entry
from borderline.pipelines.suite.params import SuiteParams
from borderline.preflight.suites import check_suites
from borderline.suites.folder import write_suite
from frozen import item, suite


def check(project: Path, *folders: str, source: Any = None, size: int = 8) -> None:
    settings = SuiteParams(images=9, merge=folders)
    paths = merged_entry(settings, project)[MERGED]["paths"]
    test = TensorDataset(filepath=str(project / "test.safetensors"))
    test.save({"images": torch.zeros(1, 1, size, size)})
    catalog = DataCatalog(
        {
            MERGED: SuiteFolders(paths=paths),
            "pair_names": MemoryDataset({"positive": "7", "negative": "1"}),
            "pair_test": test,
        }
    )
    pair = SimpleNamespace(positive="7", negative="1")
    parameters: Any = SimpleNamespace(suite=settings, pair=pair)
    pipeline = Pipeline([node(lambda suites: suites, MERGED, "x", name="freeze")])
    check_suites(pipeline, catalog, parameters, source)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_suite(suite(), str(tmp_path / "one"))
    write_suite(suite({0: item(0, label=0)}), str(tmp_path / "contrary"))
    write_suite(suite(None, positive="8"), str(tmp_path / "eight"))
    return tmp_path


def test_sound_suites_pass(project: Path) -> None:
    check(project)
    check(project, "one")
    check(project, str(project / "one"))


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (("none",), "is no folder"),
        (("one", "contrary"), "The suites one and contrary cannot be merged"),
        (("eight",), "The suite eight has '8' as the positive class"),
    ],
)
def test_bad_suites_are_refused(project: Path, folders: tuple[str, ...], words: str) -> None:
    with pytest.raises(BorderlineError) as caught:
        check(project, *folders)
    assert str(caught.value).startswith("suite.merge: The suite")
    assert words in str(caught.value)


def test_images_of_the_run_count_where_they_are_taken(project: Path) -> None:
    train: Any = {"images": torch.zeros(2, 1, 8, 8), "labels": torch.tensor([0, 1])}
    images = SourceImages("digits", ("1", "7"), train, None)
    check(project, "one", source=images, size=9)
    with pytest.raises(BorderlineError, match="shape"):
        check(project, "one", size=9)


def test_changed_suite_is_refused(project: Path) -> None:
    (project / "one/suite.json").write_bytes(b"{}")
    with pytest.raises(BorderlineError, match=r"suite\.merge: The file suite\.json of the suite"):
        check(project, "one")
