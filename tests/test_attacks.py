"""Crafted files and settings: nothing of them runs, overwrites, leaks or exhausts the machine.

The tests build every file, so the repository holds no binary.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import pyarrow  # type: ignore[import-untyped]
import pytest
from kedro.io import DatasetError
from PIL import Image

import datasets
from borderline.datasets import ImageSource, limits, metadata_tables
from borderline.errors import sentence_in

# Models and settings: code of strangers.

# Data folders of others.

# Images: files outside the data set, and files that announce more than they hold.


def _png(size: tuple[int, int] = (8, 8), grey: int = 7) -> bytes:
    file = BytesIO()
    Image.new("L", size, grey).save(file, "PNG")
    return file.getvalue()


def _announcing(width: int, height: int) -> bytes:
    """A PNG whose header announces another size than its pixels have."""
    content = _png()
    head = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A data set of two classes beside a private picture."""
    (tmp_path / "private.png").write_bytes(_png(grey=99))
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        (tmp_path / "own" / name / "a.png").write_bytes(_png())
    return tmp_path / "own"


def _refused(kind: str, path: Path, *words: str, **settings: Any) -> None:
    with pytest.raises(DatasetError) as caught:
        ImageSource(kind=kind, path=str(path), **settings).load()
    sentence = sentence_in(caught.value)
    assert sentence is not None
    assert sentence.endswith(".")
    assert len(sentence) < 900
    for word in words:
        assert word in sentence


OUTSIDE = ("{}/private.png", "../private.png", "a/../../private.png", "file://{}/private.png")
ADDRESSES = ("http://127.0.0.1:9/a.png", "zip://a.png::http://127.0.0.1:9/a.zip", "~/private.png")


def _rows(folder: Path, file: str) -> None:
    """A saved set whose second row names a file; the library itself would save the file's bytes."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    rows = {"image": [{"bytes": _png(), "path": None}] * 2, "label": ["a", "b"]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(folder)
    (stored,) = folder.glob("*.arrow")
    with pyarrow.ipc.open_stream(stored.read_bytes()) as stream:
        table = stream.read_all()
    images = [{"bytes": _png(), "path": None}, {"bytes": None, "path": file}]
    column = pyarrow.array(images, table.schema.field("image").type)
    table = table.set_column(0, table.schema.field("image"), column)
    with pyarrow.ipc.new_stream(stored, table.schema) as stream:
        stream.write_table(table)


@pytest.mark.parametrize("file", [*OUTSIDE, *ADDRESSES, "link.png", "/dev/zero"])
@pytest.mark.parametrize("kind", ["hugging_face", "table"])
def test_row_names_no_file_outside_of_the_data_set(own: Path, kind: str, file: str) -> None:
    file = file.format(own.parent)
    (own / "link.png").symlink_to(own.parent / "private.png")
    if kind == "hugging_face":
        _rows(own, file)
        reason = {"~": "no such file", "h": "address", "z": "address"}.get(file[0], "lies outside")
        _refused(kind, own, "row 1 of train", reason)
    else:
        (own / "own.csv").write_text(f"file,label\ncat/a.png,a\n{file},b\n")
        _refused(kind, own / "own.csv", file)


@pytest.mark.parametrize("kind", ["hugging_face", "table", "image_folder"])
def test_user_can_let_files_of_another_folder_in(own: Path, kind: str) -> None:
    path, folder = own, own.parent
    if kind == "hugging_face":
        _rows(own, "../private.png")
    elif kind == "table":
        path = own / "own.csv"
        path.write_text(f"file,label\nown/cat/a.png,a\n{folder}/private.png,b\n")
    else:
        (own / "dog/a.png").unlink()
        (own / "dog/a.png").symlink_to(folder / "private.png")
    images = ImageSource(kind=kind, path=str(path), folder=str(folder)).load().train["images"]
    assert ((images.amax((1, 2, 3)) + 1) * 127.5).round().tolist() == [7, 99]


@pytest.mark.parametrize("table", [False, True])
def test_link_of_an_image_folder_does_not_lead_out(own: Path, table: bool) -> None:
    name = "../private.png" if table else "dog/link.png"
    (own / "dog/link.png").symlink_to(own.parent / "private.png")
    if table:
        (own / "dog/link.png").unlink()
        (own / "metadata.csv").write_text(f"file_name,label\ncat/a.png,a\n{name},b\n")
    settings = {"label_column": "label"} if table else {}
    _refused("image_folder", own, "private" if table else name, "source.folder", **settings)
    whole = own.parent / "link"
    (own / name).unlink() if not table else (own / "metadata.csv").unlink()
    whole.symlink_to(own)
    assert len(ImageSource(kind="image_folder", path=str(whole)).load().train["labels"]) == 2


@pytest.mark.parametrize("part", ["/dev/zero", "../../own/x.arrow", "pipe"])
def test_description_of_a_saved_set_names_no_other_file(own: Path, part: str) -> None:
    _rows(own / "saved", "a.png")
    os.mkfifo(own / "saved/pipe")
    (own / "saved/loading.py").write_text("raise SystemExit('ran')")
    state = own / "saved/state.json"
    state.write_text(
        json.dumps({**json.loads(state.read_text()), "_data_files": [{"filename": part}]})
    )
    _refused("hugging_face", own / "saved", "no dataset that save_to_disk left")


@pytest.mark.parametrize("name", ["pipe.png", "folder.png", "zero.png"])
def test_only_regular_files_are_opened(own: Path, name: str) -> None:
    os.mkfifo(own / "pipe.png")
    (own / "folder.png").mkdir()
    (own / "zero.png").symlink_to("/dev/zero")
    (own / "own.csv").write_text(f"file,label\ncat/a.png,a\n{name},b\n")
    settings = {"folder": "/"} if name == "zero.png" else {}
    if settings:
        text = f"file,label\n{own}/cat/a.png,a\n{own}/{name},b\n"
        (own / "own.csv").write_text(text)
    _refused("table", own / "own.csv", name, "no regular file", **settings)


def _text_bomb() -> bytes:
    content, text = _png(), b"zTXta\0\0" + zlib.compress(bytes(2**23))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return content[:33] + chunk + content[33:]


@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_announcing(20_000, 20_000), ["180 megapixels", "source.most_megapixels"]),
        (_announcing(2**31 - 1, 1), ["180 megapixels"]),
        (_text_bomb(), ["too large"]),
        (b"DICM".rjust(132, b"\0") + b"1.2.840.10008.1.2.1.99\0" + bytes(99), ["deflated"]),
    ],
)
def test_image_that_announces_more_than_it_holds(
    own: Path, content: bytes, words: list[str], size: int | None
) -> None:
    (own / "dog/b.png").write_bytes(content)
    _refused("image_folder", own, "dog/b.png", *words, size=size)


def test_pixels_are_limited_by_the_setting(own: Path) -> None:
    (own / "dog/b.png").write_bytes(_png((1200, 1000)))
    _refused("image_folder", own, "1 megapixels (1200x1000)", size=8, fit="crop", most_megapixels=1)
    settings: dict[str, Any] = {"size": 8, "fit": "crop", "most_megapixels": 2}
    source = ImageSource(kind="image_folder", path=str(own), **settings).load()
    assert len(source.train["labels"]) == 3


def test_images_of_more_than_the_memory(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refused("image_folder", own, "source.size is 100000", "GB of memory", size=100_000)
    monkeypatch.setattr(limits, "memory", lambda: 100)
    _refused("image_folder", own, "source.size is missing", "such as 32 or 64")


def _idx(*shape: int, values: bytes = b"") -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_idx(2**31, 2**31, 2**31), ["announces", "GB of values", "of memory"]),
        (_idx(10**6, 28, 28), ["announces (1000000, 28, 28)", "truncated or damaged"]),
        (_idx(1, 2, 2, values=bytes(2**20)), ["announces (1, 2, 2)", "holds more"]),
        (b"\0\0\x08\xff", ["truncated or damaged"]),
    ],
)
def test_idx_file_that_announces_more_than_it_holds(
    tmp_path: Path, content: bytes, suffix: str, words: list[str]
) -> None:
    content = gzip.compress(content) if suffix else content
    (tmp_path / f"train-images{suffix}").write_bytes(content)
    (tmp_path / "train-labels").write_bytes(_idx(1, values=b"\0"))
    _refused("idx", tmp_path, "train-images", *words)


def _npy(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    """A file of NumPy without values."""
    file = BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (_npy((10**15, 28, 28)), _npy((10**15,)), ["cannot be read", "sound copy"]),
        (_npy((-4, 28, 28)), _npy((4,)), ["cannot be read"]),
        (_npy((4, 28, 28), "|O"), _npy((4,)), ["Python objects"]),
        (_npy((10**15, 0, 0)), _npy((10**15,), "<U0"), ["hold no values"]),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_arrays_that_announce_more_than_they_hold(
    tmp_path: Path, images: bytes, labels: bytes, words: list[str], archive: bool
) -> None:
    parts = {"images.npy": images, "labels.npy": labels, "read.me": b"text"}
    if archive:
        with ZipFile(tmp_path / "own.npz", "w") as file:
            for name, content in parts.items():
                file.writestr(name, content)
    else:
        for name, content in parts.items():
            (tmp_path / name).write_bytes(content)
    _refused("arrays", tmp_path / "own.npz" if archive else tmp_path, *words)


@pytest.mark.parametrize(
    ("method", "words"), [(ZIP_DEFLATED, "announces"), (ZIP_BZIP2, "np.savez")]
)
def test_archive_of_arrays_that_is_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int, words: str
) -> None:
    monkeypatch.setattr(limits, "memory", lambda: 10**6)
    with ZipFile(tmp_path / "own.npz", "w", method) as file:
        file.writestr("images.npy", bytes(10**5 if method == ZIP_BZIP2 else 10**7))
    _refused("arrays", tmp_path / "own.npz", words)


@pytest.mark.parametrize("label", [50_000_000, 2**63])
def test_highest_label_makes_no_classes(tmp_path: Path, label: int) -> None:
    labels = np.array([0, 1, label], np.uint64)
    np.savez(tmp_path / "own.npz", images=np.zeros((3, 8, 8), np.uint8), labels=labels)
    words = f"the label {label}", "at most 1,000 classes", "without gaps"
    _refused("arrays", tmp_path / "own.npz", *words)


def test_many_classes_and_long_names(tmp_path: Path) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=["a", "b" * 10**6])
    _refused("arrays", tmp_path / "own.npz", "1,000,000 letters (bbb", "shorten it")
    np.savez(tmp_path / "own.npz", images=images, labels=[0, 1])
    classes = list(map(str, range(10**5)))
    _refused("arrays", tmp_path / "own.npz", "100,000 classes", "source.classes", classes=classes)


def test_table_that_is_too_large_or_nested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.jsonl").write_text('{"file": ' + "[" * 200_000)
    _refused("table", tmp_path / "own.jsonl", "cannot be read")
    pd.DataFrame({"file": ["a"] * 9, "label": 1}).to_parquet(tmp_path / "own.parquet")
    monkeypatch.setattr(metadata_tables, "MOST_ROWS", 8)
    _refused("table", tmp_path / "own.parquet", "9 rows, more than 8")
    monkeypatch.setattr(metadata_tables, "LARGEST_TABLE", 2**20)
    (tmp_path / "own.csv").write_bytes(bytes(2**20 + 1))
    _refused("table", tmp_path / "own.csv", "more than 1 MB")


def test_folders_in_folders_without_end(own: Path) -> None:
    (own / "/".join(["cat", *"x" * 70])).mkdir(parents=True)
    _refused("image_folder", own, "more than 64 deep", "cat")


# Text of foreign files on pages, in the model card and on the terminal.

# Names that leave the data folder or merge folders.
