from __future__ import annotations

import base64
import pickle
import uuid
from pathlib import Path

import fsspec
import pytest
import torch
from kedro.io import DatasetError
from safetensors.torch import save

from borderline.datasets import SuiteFolder
from borderline.datasets.buckets import address_of
from borderline.datasets.digests import digests_of
from borderline.datasets.suite_folder import DIGESTS, IMAGES, ITEMS, SuiteFolders, with_digests

FIRST, SECOND = with_digests({ITEMS: b"1"}), with_digests({ITEMS: b"2"})


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "folder" else f"memory:///{uuid.uuid4().hex}"


def put(address: str, content: bytes = b"") -> None:
    with fsspec.open(address, "wb", auto_mkdir=True) as file:
        file.write(content)


def content(place: str) -> dict[str, bytes]:
    fs, path = fsspec.core.url_to_fs(place)
    start = fs._strip_protocol(place)
    return {file.removeprefix(start): fs.cat_file(file) for file in fs.find(path)}


def test_each_new_content_is_a_version(place: str) -> None:
    suites = SuiteFolder(path=f"{place}/suites")
    assert not suites.exists()
    with pytest.raises(DatasetError, match="kedro run --pipelines suite"):
        suites.load()
    for version, files in ((1, FIRST), (1, FIRST), (2, SECOND), (3, FIRST)):
        suites.save(files)
        assert suites.load() == files
        assert address_of(suites).endswith(f"/suites/v{version}")
    assert set(content(f"{place}/suites")) == {
        f"/v{version}/{name}" for version in (1, 2, 3) for name in FIRST
    }
    assert pickle.loads(pickle.dumps(suites)).load() == FIRST


def test_order_is_that_of_numbers_and_no_number_is_taken_twice(place: str) -> None:
    put(f"{place}/suites/v9/{DIGESTS}")
    # Without the file that is written last, and no version at all.
    put(f"{place}/suites/v12/{ITEMS}")
    put(f"{place}/suites/v13")
    put(f"{place}/suites/v010/{DIGESTS}")
    put(f"{place}/suites/notes")
    before = content(place)
    suites = SuiteFolder(path=f"{place}/suites")
    assert address_of(suites).endswith("/v9")
    suites.save(FIRST)
    assert address_of(suites).endswith("/v14")
    assert before.items() < content(place).items()


def test_changed_version_stays_as_it_is(place: str) -> None:
    suites = SuiteFolder(path=f"{place}/suites")
    suites.save(FIRST)
    put(f"{place}/suites/v1/{ITEMS}", b"mine")
    suites.save(FIRST)
    assert content(f"{place}/suites")[f"/v1/{ITEMS}"] == b"mine"
    assert suites.load() == FIRST


@pytest.mark.parametrize("order", [1, -1])
def test_save_cut_short_leaves_no_version(
    place: str, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites = SuiteFolder(path=f"{place}/suites")
    suites.save(FIRST)
    files = dict(list(SECOND.items())[::order])
    calls = []

    def write(*arguments: object, **_: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_bytes", write)
    monkeypatch.setattr(type(suites._filesystem), "pipe_file", write)
    with pytest.raises(DatasetError, match="the disk is full"):
        suites.save(files)
    assert suites.load() == FIRST
    monkeypatch.undo()
    suites.save(files)
    assert suites.load() == files


def test_killed_save_leaves_only_what_is_hidden(tmp_path: Path) -> None:
    suites = SuiteFolder(path=str(tmp_path))
    put(f"{tmp_path}/.{uuid.uuid4().hex}/{DIGESTS}")
    assert not suites.exists()
    suites.save(FIRST)
    assert address_of(suites) == f"{tmp_path}/v1"


def test_ledger_has_the_digests_of_each_version(tmp_path: Path) -> None:
    suites = SuiteFolder(path=str(tmp_path / "suites"))
    assert digests_of(suites) is None
    suites.save(FIRST)
    suites.save(SECOND)
    assert list(digests_of(suites) or {}) == [f"v1/{DIGESTS}", f"v2/{DIGESTS}"]


def test_other_suites_are_only_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(DatasetError, match=r"The folder .*/a holds no suite"):
        SuiteFolders(paths={"a": str(tmp_path / "a")}).load()
    with pytest.raises(DatasetError, match="only read"):
        SuiteFolders(paths={}).save({})  # type: ignore[arg-type]


def test_preview_shows_the_images(tmp_path: Path) -> None:
    suites = SuiteFolder(path=str(tmp_path))
    suites.save(with_digests({IMAGES: save({"images": torch.zeros(2, 1, 8, 8)})}))
    assert base64.b64decode(str(suites.preview())).startswith(b"\x89PNG")
