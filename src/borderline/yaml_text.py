"""Faults of YAML texts in words, and the scalars of a text as they are written."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import KeyValidationError, OmegaConfBaseException

# OmegaConf reads with this one too; both read a tab behind a comma in another way.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REASONS = {
    r"character '\\t'": "a tab indents it: indent with spaces",
    r"character '(.+)' that cannot start": "a text cannot begin with {0}: put the text in quotes",
    r"duplicate key (.*)": "the name {0!r} stands twice: remove one of them",
    r"undefined alias '(.*)'": (
        "*{0} needs an anchor &{0} above it: add the anchor, or put a text that begins with * in "
        "quotes"
    ),
    r"recursive aliases": "an anchor contains itself: remove the alias",
    r"constructor for the tag '(?:tag:yaml.org,2002:)?(.*)'": (
        "the tag {0} is unknown: put a text that begins with !, << or = in quotes"
    ),
    r"mapping values are not allowed": (
        "its colon does not belong to a name of this place: correct the indentation and the colons "
        "of this line and of the line above, or put a text with a colon in quotes"
    ),
    r"could not find expected ':'": (
        "a name has no colon, or no blank after it: write <name>: <value>"
    ),
    r"but found '(?:\]|\})'": "a bracket closes that is not open: remove it",
    r"expected <block end>": (
        "it does not continue the lines above: correct its indentation, or put the whole text in "
        "quotes"
    ),
    r"node content, but found '<stream end>'": "a bracket is not closed: close it",
    r"expected ',' or '(.)'": "a bracket is not closed: close it with {0}",
    r"unexpected end of stream": "a quote is not closed: close it",
    r"another document": "it begins a second document: keep one document in the file",
    r"unhashable key": "braces or brackets stand in a name: put the text in quotes",
    r"character #x": "it contains a control character: save the file as UTF-8 text",
    r"Incompatible key type": "a name is no text: put the name in quotes",
    r"not a supported primitive type": "its value is no text, number, list or group: correct it",
    r"GrammarParseError": (
        "${{ begins a reference that does not end: write ${{<name>}}, or \\${{ for the characters "
        "themselves"
    ),
}


class Fault(NamedTuple):
    """A fault of a text.

    Attributes:
        line: The line, from 1; 0 for the whole text.
        column: The column, from 1; 0 for the whole line.
        reason: The reason and the remedy, with a colon between them.
    """

    line: int
    column: int
    reason: str

    @property
    def place(self) -> str:
        """Line and column in words; empty for the whole text."""
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}" if self.line else ""


def decoded(content: bytes) -> str | Fault:
    """The text of a file in UTF-8, or the reason why there is none."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Fault(0, 0, "it is UTF-16 text: save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        start = content.rfind(b"\n", 0, error.start) + 1
        reason = f"the byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8"
        return Fault(line, len(content[start : error.start].decode("utf-8")) + 1, reason)


def fault_in(text: str, *, deep: bool = True) -> Fault | None:
    """The first fault of a text that must contain names with values; None for no fault.

    All names must be text; without ``deep``, only those of the outermost group.
    """
    try:
        config = OmegaConf.load(io.StringIO(text))
    except KeyValidationError as error:
        return _fault_of_names(text, deep=True) or _fault_of(text, error)
    except (yaml.YAMLError, OmegaConfBaseException, OSError, ValueError) as error:
        return _fault_of(text, error)
    if not isinstance(config, DictConfig) or not _has_names(text):
        return _NO_NAMES
    return _fault_of_names(text, deep=deep)


_NO_NAMES = Fault(1, 0, "it has no names with values: write <name>: <value>")


def _fault_of_names(text: str, *, deep: bool) -> Fault | None:
    written = next(_names_that_are_no_text(text, deep=deep), None)
    if written is None:
        return None
    shown = written.text or "an empty name"
    remedy = f"put it in quotes, '{written.text}'" if written.text else "add the name"
    return Fault(written.line, 0, f"YAML does not read the name {shown} as text: {remedy}")


def _has_names(text: str) -> bool:
    """Whether a text without syntax errors is empty or has names with values."""
    root = yaml.compose(text, Loader=_LOADER)
    return root is None or isinstance(root, yaml.MappingNode) or root.value in ("", "null", "~")


def value_fault(text: str) -> Fault | None:
    """The fault of the text of a single value, such as ``[1, 2]``; None for no fault."""
    fault = fault_in(f"value: {text}")
    return fault and fault._replace(column=0)


def _fault_of(text: str, error: Exception) -> Fault:
    if isinstance(error, OSError):  # OmegaConf's answer to a number
        return _NO_NAMES
    if isinstance(error, OmegaConfBaseException):
        words = f"{type(error).__name__}: {error}"
        line = line_of(text, str(error.full_key or ""))
        return Fault(line, 0, _reason(words))
    try:
        # Its messages are more precise than those of the fast parser.
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as precise:
        error = precise
    if isinstance(error, yaml.MarkedYAMLError):
        problem = error.problem or ""
        opens = re.search(r"unexpected end of stream|expected ',' or ", problem)
        mark = (opens and error.context_mark) or error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return Fault(line, column, _reason(problem))
    number = re.search(r"[0-9]{4300}", text)  # Python reads no longer ones.
    position = getattr(error, "position", number.start() if number else 0)
    return Fault(text.count("\n", 0, position) + 1, 0, _reason(str(error)))


def _reason(problem: str) -> str:
    for pattern, reason in _REASONS.items():
        match = re.search(pattern, problem)
        if match:
            return reason.format(*match.groups())
    first = problem.partition("\n")[0]
    return f"YAML reports {first!r}: correct it"


class Scalar(NamedTuple):
    """A scalar of a text.

    Attributes:
        text: The characters as they are written; of a text in quotes, those between the quotes.
        line: Its line, from 1.
    """

    text: str
    line: int


def scalars(text: str) -> dict[str, Scalar]:
    """The scalars of a text without syntax errors, by name as OmegaConf writes it.

    Example:
        >>> scalars("pair: {positive: 007}\\nlist: [on]")["pair.positive"].text
        '007'
    """
    node = yaml.compose(text, Loader=_LOADER)
    return {} if node is None else dict(_scalars(node, ""))


def _scalars(node: Any, name: str) -> Iterator[tuple[str, Scalar]]:
    if isinstance(node, yaml.ScalarNode):
        yield name, Scalar(node.value, node.start_mark.line + 1)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _scalars(item, f"{name}[{number}]")
    else:
        for key, value in node.value:
            yield from _scalars(value, f"{name}.{key.value}" if name else str(key.value))


def line_of(text: str, name: str) -> int:
    """The line of a scalar; 0 if the text has none of this name."""
    try:
        scalar = scalars(text).get(name)
    except yaml.YAMLError:
        return 0
    return scalar.line if scalar else 0


def _names_that_are_no_text(text: str, *, deep: bool) -> Iterator[Scalar]:
    root = yaml.compose(text, Loader=_LOADER)
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and not isinstance(_read(key), str):
                    yield Scalar(key.value, key.start_mark.line + 1)
                if deep:
                    waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _read(node: yaml.ScalarNode) -> Any:
    if node.style:  # quotes
        return node.value
    return OmegaConf.to_container(OmegaConf.load(io.StringIO(f"[{node.value}]")))[0]  # type: ignore[index]


def is_suspicious(values: Any, *, deep: bool) -> bool:
    """Whether a file may have no names with values, or names that are no text."""
    if not isinstance(values, Mapping):
        return True
    # OmegaConf makes a name without a value of a text.
    lonely = len(values) == 1 and None in (values[name] for name in values if deep)
    return lonely or _has_other_names(values, deep=deep)


def _has_other_names(values: Mapping[Any, Any], *, deep: bool) -> bool:
    return not all(isinstance(name, str) for name in values) or (
        deep
        and any(
            _has_other_names(value, deep=True)
            for value in values.values()
            if isinstance(value, Mapping)
        )
    )
