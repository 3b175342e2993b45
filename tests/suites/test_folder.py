from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from borderline.datasets.suite_folder import CARD, DIGESTS, IMAGES, ITEMS, with_digests
from borderline.errors import BorderlineError
from borderline.suites import folder as folders
from borderline.suites.folder import digest_of, files_of, read_suite, suite_of, write_suite
from borderline.suites.suite import Suite
from frozen import IMAGES as PIXELS
from frozen import item, suite

FILES = files_of(suite())


def sentence(folder: Path | str) -> str:
    with pytest.raises(BorderlineError) as caught:
        read_suite(str(folder))
    told = str(caught.value)
    assert "\n" not in told
    assert told.endswith(".")
    return told


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "v1"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_suite_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_suite(suite(), str(tmp_path / "v1"))
    read = read_suite(str(tmp_path / "v1"))
    assert read.about == suite().about
    assert read.items == suite().items
    assert torch.equal(read.images, suite().images)
    assert read.rows("ambiguous") == [2]
    assert digest_of(read) == hashlib.sha256(FILES[ITEMS]).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_folder_that_is_there_stays(written: Path) -> None:
    with pytest.raises(BorderlineError, match="exists already"):
        write_suite(suite({0: item(0)}), str(written))
    assert len(read_suite(str(written)).items) == 3


def test_folder_appears_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_suite(suite(), str(tmp_path / "v1"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("place", [0, 40, -1])
def test_changed_byte_is_refused(written: Path, name: str, place: int) -> None:
    content = bytearray(FILES[name])
    content[place] ^= 1
    (written / name).write_bytes(content)
    told = sentence(written)
    assert "changed or damaged" in told
    assert str(written) in told
    # A changed digest is not told from a changed file.
    assert name in told


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("change", [lambda c: c + b"\n", lambda c: c[:-1], lambda c: b""])
def test_added_and_removed_bytes_are_refused(
    written: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    (written / name).write_bytes(change(FILES[name]))
    assert name in sentence(written)


def test_line_endings_of_git_are_named(written: Path) -> None:
    for name in sorted({*FILES} - {IMAGES}):
        (written / name).write_bytes(FILES[name].replace(b"\n", b"\r\n"))
    told = sentence(written)
    assert "other line endings" in told
    assert "`suites/** -text`" in told


def test_suite_of_an_earlier_version_keeps_its_digest() -> None:
    assert b"overruled" not in FILES[ITEMS].partition(b'"items"')[2]
    assert b'"run"' not in FILES[ITEMS]
    people = suite({0: item(0, label_source="people")}, overruled=1)
    assert digest_of(suite_of(files_of(people), "")) == digest_of(people)


@pytest.mark.parametrize("name", sorted(FILES))
def test_missing_file_is_named(written: Path, name: str) -> None:
    (written / name).unlink()
    assert f"has no file {name}" in sentence(written)


@pytest.mark.parametrize("name", [".hidden", "model.pkl", "more"])
def test_added_entry_is_refused(written: Path, name: str) -> None:
    (written / name).mkdir() if name == "more" else (written / name).write_bytes(b"")
    assert f"an entry {name!r}" in sentence(written)


def test_what_is_no_folder_of_a_suite_is_refused(tmp_path: Path, written: Path) -> None:
    assert "is no folder" in sentence(tmp_path / "none")
    assert "is no folder" in sentence(written / ITEMS)
    assert "cannot be read" in sentence("nowhere://x")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/report.csv").touch()
    told = sentence(tmp_path / "model")
    assert f"holds no suite, because it has no file {ITEMS}" in told
    assert "remove" not in told
    shutil.copytree(written, tmp_path / "v10")
    assert sentence(tmp_path).endswith(
        f"holds the suites v1, v10: name one of them, such as {tmp_path}/v10."
    )


def test_links_and_pipes_are_not_followed(tmp_path: Path, written: Path) -> None:
    outside = tmp_path / "outside"
    (written / CARD).rename(outside)
    (written / CARD).symlink_to(outside)
    assert f"{CARD} of the suite {written} is a link that leaves" in sentence(written)
    (written / CARD).unlink()
    os.mkfifo(written / CARD)
    assert "no regular file" in sentence(written)


def test_large_file_is_not_read(written: Path) -> None:
    with (written / ITEMS).open("r+b") as file:
        file.truncate(2**40)
    assert f"{ITEMS} of the suite {written} cannot be read (it has more than" in sentence(written)


# Suites whose digests a stranger made anew.


def changed(edit: Callable[[Any], object]) -> Callable[[], dict[str, bytes]]:
    def make() -> dict[str, bytes]:
        values = json.loads(FILES[ITEMS])
        edit(values)
        return {ITEMS: json.dumps(values).encode()}

    return make


def of_first(**fields: object) -> Callable[[], dict[str, bytes]]:
    return changed(lambda values: values["items"][0].update(fields))


def pixels(images: torch.Tensor, **more: torch.Tensor) -> Callable[[], dict[str, bytes]]:
    return lambda: {IMAGES: save({"images": images, **more})}


NAN = PIXELS[:3].clone()
NAN[0, 0, 0, 0] = torch.nan
TWICE = json.loads(FILES[ITEMS])["items"][1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (changed(lambda v: v["about"].update(format=2)), "has version 2 of the format"),
        (changed(lambda v: v["about"].update(format="1")), "has version '1' of the format"),
        (changed(lambda v: v["about"].update(format=True)), "has version True of the format"),
        (changed(lambda v: v["about"].pop("format")), "does not describe a suite"),
        (changed(lambda v: v.update(code="x")), "code: Extra inputs"),
        (changed(lambda v: v.update(items=[])), "it has no images"),
        (changed(lambda v: v["items"].pop()), "has items for (2, 1, 8, 8)"),
        (changed(lambda v: v["items"].reverse()), "image 0 is another one"),
        (changed(lambda v: v["about"].update(shape=[1, 8, 9])), "has items for (3, 1, 8, 9)"),
        (lambda: {ITEMS: b"[" * 100_000}, "does not describe a suite"),
        (lambda: {ITEMS: b"\xff\xfe"}, "does not describe a suite"),
        (lambda: {ITEMS: FILES[ITEMS].replace(b"0.52", b"NaN")}, "does not describe a suite"),
        (of_first(p=1.5), "items.0.p: Input should be less than or equal to 1"),
        (of_first(p=None), "items.0.p"),
        (of_first(threshold=0), "items.0.threshold"),
        (of_first(verdict="unrealistic"), "items.0.verdict"),
        (of_first(label=2), "items.0.label"),
        (of_first(label=None), "items.0: an image with the verdict 'weakness'"),
        (of_first(label_source=None), "items.0: label_source is missing"),
        (of_first(overruled=True), "items.0: only an image that people decided on"),
        (of_first(run=1), "items: an image names a run that is not among the 1 of made_with"),
        (of_first(digest="0" * 64), "image 0 is another one"),
        (of_first(words="x" * 10_001), "items.0.words"),
        (pixels(PIXELS[:2]), "have the shape (2, 1, 8, 8)"),
        (pixels(PIXELS[:3].double()), "they must be torch.float32"),
        (pixels(NAN), "a pixel is not a number between -1 and 1"),
        (pixels(2 * PIXELS[:3]), "a pixel is not a number between -1 and 1"),
        (pixels(PIXELS[:3], more=PIXELS.clone()), "one tensor called 'images'"),
        (lambda: {IMAGES: b"\xff" * 64}, "no whole safetensors file"),
        (lambda: {IMAGES: (2**40).to_bytes(8, "little") + b"{}"}, "no whole safetensors file"),
        (lambda: {IMAGES: FILES[IMAGES][:-4]}, "no whole safetensors file"),
        (
            lambda: {
                IMAGES: save({"images": PIXELS[[0, 1, 1]]}),
                **changed(lambda v: v["items"].__setitem__(2, TWICE))(),
            },
            "an image is there twice",
        ),
    ],
)
def test_foreign_suite_that_does_not_fit_is_refused(
    make: Callable[[], dict[str, bytes]], words: str
) -> None:
    files = {name: content for name, content in FILES.items() if name != DIGESTS}
    with pytest.raises(BorderlineError) as caught:
        suite_of(with_digests(files | make()), "theirs")
    told = str(caught.value)
    assert words in told
    assert "theirs" in told
    assert len(told) < 500


@pytest.mark.parametrize(
    "broken",
    [
        Suite(suite().about, suite().items, PIXELS[:2]),
        Suite(suite().about, suite().items, PIXELS[3:]),
        Suite(suite().about, (), PIXELS[:0]),
    ],
)
def test_suite_that_would_be_refused_is_not_written(broken: Suite) -> None:
    with pytest.raises(BorderlineError, match="cannot be written"):
        files_of(broken)


def test_images_keep_their_bits() -> None:
    assert torch.equal(load(FILES[IMAGES])["images"], PIXELS[:3])
    assert folders.FORMAT == 1
