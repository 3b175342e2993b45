"""The faults of YAML texts, each with its place and its remedy."""

from __future__ import annotations

import pytest

from borderline.yaml_text import Fault, decoded, fault_in, scalars, value_fault


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a:\n\tb: 1", "line 2, column 1", "indent with spaces"),
        ("a: 1\n\tb: 2", "line 2, column 1", "indent with spaces"),
        ("a: 1\na: 2", "line 2, column 1", "the name 'a' stands twice"),
        ("a: {b: 1, b: 2}", "line 1, column 11", "the name 'b' stands twice"),
        ("b: 0\na: [1, 2\nc: 3", "line 2, column 4", "a bracket is not closed"),
        ("a: {b: 1", "line 1, column 4", "close it with }"),
        ("a: [", "line 1, column 5", "a bracket is not closed"),
        ("a: }", "line 1, column 4", "a bracket closes that is not open"),
        ("a: [1]]", "line 1, column 7", "a bracket closes that is not open"),
        ("b: 0\na: 'x\nc: 1", "line 2, column 4", "a quote is not closed"),
        ("a: *x", "line 1, column 4", "*x needs an anchor &x"),
        ("a: &x {b: *x}", "line 1, column 4", "an anchor contains itself"),
        ("a: !x 1", "line 1, column 4", "the tag !x is unknown"),
        ("a: @x", "line 1, column 4", "cannot begin with @: put the text in quotes"),
        ("a: b: c", "line 1, column 5", "put a text with a colon in quotes"),
        ("a:\n   b: 1\n  c: 2", "line 3, column 3", "correct its indentation"),
        ("a: {{ x }}", "line 1, column 5", "put the text in quotes"),
        ("a: 1\n---\nb: 1", "line 2, column 1", "one document"),
        ("a: \0", "line 1", "control character"),
        ("- a", "line 1", "no names with values"),
        ("7", "line 1", "no names with values"),
        ("preset paper", "line 1", "no names with values"),
        ("a:1", "line 1", "no names with values"),
        ("a: 1\n007: 2", "line 2", "the name 007 as text: put it in quotes, '007'"),
        ("a:\n  on: 2", "line 2", "'on'"),
        ("~: 1", "line 1", "'~'"),
        ("b: 1\na: ${x", "line 2", "write ${<name>}"),
        ("", "", ""),
        ("# only a comment", "", ""),
        ("\ufeffa: 1", "", ""),
        ("a: &x 1\nb: *x", "", ""),
        ("a:", "", ""),
        ("'007': 1", "", ""),
    ],
)
def test_a_fault_has_its_place_and_its_remedy(text: str, place: str, words: str) -> None:
    fault = fault_in(text)
    assert (fault.place if fault else "") == place
    assert words in (fault.reason if fault else "")


def test_a_number_that_python_does_not_read() -> None:
    fault = fault_in(f"a: 1\nb: {'9' * 5000}")
    assert fault is not None
    assert fault.line == 2
    assert "4300 digits" in fault.reason


def test_names_of_inner_groups_may_be_numbers_where_they_are_no_settings() -> None:
    assert fault_in("a: {0: str}", deep=False) is None
    assert fault_in("0: str", deep=False) is not None


def test_files_are_utf_8() -> None:
    assert decoded("é: 1".encode()) == "é: 1"
    broken = decoded("é: 1\nb: ".encode() + b"\xe9")
    assert isinstance(broken, Fault)
    assert broken.place == "line 2, column 4"
    assert "0xe9" in broken.reason
    other = decoded("a: 1".encode("utf-16"))
    assert isinstance(other, Fault)
    assert "UTF-16" in other.reason


def test_scalars_are_as_they_are_written() -> None:
    written = scalars("pair:\n  positive: 007\nlist: [on, '1:30', {x: ~}]\nnone:")
    assert {name: text for name, (text, _) in written.items()} == {
        "pair.positive": "007",
        "list[0]": "on",
        "list[1]": "1:30",
        "list[2].x": "~",
        "none": "",
    }
    assert written["pair.positive"].line == 2


@pytest.mark.parametrize(("text", "good"), [("[1", False), ("'x", False), ("[1, 2]", True)])
def test_value_of_an_option(text: str, good: bool) -> None:
    assert (value_fault(text) is None) == good
