from __future__ import annotations

import itertools
import random
import re
import unicodedata
from pathlib import Path

import pytest

from borderline.names import (
    fault_of_case,
    fault_of_folder,
    fault_of_name,
    folder_name,
    name_of_pair,
    pair_of_name,
    plain_name,
    text_of,
)

ODD = "aAvV7 ._~-%/\\:*?\"<>|{}[]$#&'()\x00\n\x7f\u200b\u00a0é中\u0301🙂\udcff"


def texts(length: int, number: int) -> list[str]:
    """Different random texts of odd characters."""
    draw = random.Random(0)
    return list(
        {"".join(draw.choices(ODD, k=draw.randint(0, length))) for _ in range(number)}
        | {"", ".", "..", "a", "v", "e\u0301", "é", "%2F", "/", "%-"}
    )


def assert_safe(name: str) -> None:
    assert 0 < len(name.encode()) <= 255
    assert not set(name) & set('/\\:*?"<>|{}[]$#')
    assert not re.search(r"^[.~ ]|[. ]$", name)
    assert unicodedata.is_normalized("NFC", name)
    assert all(unicodedata.category(c)[0] not in "CZ" for c in name if c != " ")


def test_every_text_has_its_own_safe_name_that_can_be_read_back() -> None:
    there = texts(12, 3000)
    names = [folder_name(text) for text in there]
    assert len(set(names)) == len(there)
    for text, name in zip(there, names, strict=True):
        assert_safe(name)
        assert text_of(name) in (text, None)
        assert (text_of(name) is None) == (len(name.encode()) > 60 or "%-" in name[1:])


def test_long_text_is_cut_with_a_digest() -> None:
    long = ["x" * 260, "x" * 261, "中" * 100, "/" * 100]
    names = [folder_name(text) for text in long]
    assert len(set(names)) == len(long)
    for name in names:
        assert_safe(name)
        assert text_of(name) is None
    assert folder_name("中" * 20) == "中" * 20


def test_every_pair_has_its_own_safe_name_that_can_be_read_back() -> None:
    there = list(itertools.permutations(texts(3, 60), 2))
    there += itertools.permutations(["a", "v", "av", "va", "vv", "avb", "bvc", "c", "vav", ""], 2)
    names = {pair: name_of_pair(*pair) for pair in there}
    assert len(set(names.values())) == len(names)
    for pair, name in names.items():
        assert pair_of_name(name) == pair
        assert_safe(f"images_{name}")


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [
        (7, 1, "7v1"),
        ("sneaker", "bag", "sneakervbag"),
        ("ankle boot", "t-shirt", "ankle bootvt-shirt"),
        ("positive", "negative", "positivevnegative"),
        ("five", "seven", "fivevseven"),
        ("café", "v1.5", "cafévv1.5"),
        ("T-shirt/top", "..", "T-shirt%2Ftopv%2E%2E"),
    ],
)
def test_ordinary_pairs_keep_their_folders(
    positive: int | str, negative: str, expected: str, tmp_path: Path
) -> None:
    name = name_of_pair(positive, negative)
    assert name == expected
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_names_of_services_are_plain_and_differ() -> None:
    there = ["a", "a b", "a-b", "a/b", "x" * 100, "x" * 101, "x" * 102, "é", "è"]
    names = [plain_name(text) for text in there]
    assert len(set(names)) == len(there)
    assert names[0] == "a"
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", name) for name in names)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".a", "a.", "a/b", "a b", "{x}", "a\n", "é", "con", "NUL.txt", "x" * 101],
)
def test_what_is_no_name_of_a_folder(name: str) -> None:
    assert fault_of_name(name)


@pytest.mark.parametrize("name", ["mnist_sample", "A-1.5", "_a", "console", "x" * 100])
def test_names_of_folders(name: str) -> None:
    assert not fault_of_name(name)


@pytest.mark.parametrize(
    "path",
    [
        *("", " ", "a\nb", "a\x00", "{model}", "a}", "$HOME/x", r"C:\data", "D:/data"),
        *("s3://bucket/[x]", "s3://bucket/**", "s3://bucket/../x", "gs://b/a#b"),
    ],
)
def test_what_is_no_folder_of_results(path: str) -> None:
    assert fault_of_folder(path)


@pytest.mark.parametrize(
    "path", ["data", "~/x", "/a b/[x] **é#?%20&'\"", "../x", "s3://bucket/a b%/é", "5$", "a:b"]
)
def test_folders_of_results(path: str) -> None:
    assert not fault_of_folder(path)


@pytest.mark.parametrize("case", ["", "..", "../a", "a/b", "{x}", "a\\b", "x" * 256, "~"])
def test_what_is_no_folder_of_a_run(case: str) -> None:
    assert fault_of_case(case)
    assert not fault_of_case(f"mnist_{name_of_pair(case, 'T-shirt/top')}")
