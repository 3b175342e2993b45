"""Text of others, such as names in files, so that no terminal or page reads it as more than text.

Each target has one door: the terminal :func:`echo`, :class:`PlainRecord` (the log) and the error
class; HTML and Markdown the templates of ``borderline.pages``; figures and charts
``borderline.measures.class_names``.
"""

from __future__ import annotations

import logging
import re
import unicodedata

from markupsafe import Markup

# Joiners, which writings of Persian and of India, and emoji need.
_JOINERS = "\u200c\u200d"
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# The signs that Markdown reads as markup. Underscores inside words and the brackets of an interval
# are none; an address is a link without any sign.
_MARKUP = re.compile(
    r"[\\`*{}<>#|&~$@]|(?<![^\W_])_|_(?![^\W_])|^\[|(?<=!)\[|\](?=[(\[:])|:(?=//)|(?<=\bwww)\.",
    re.IGNORECASE,
)
_LINE_ENDS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029\t]\s*")
_BULLET = re.compile(r"[-+=](?=\s|$|[-+=])")
_NUMBERED = re.compile(r"(\d+)([.)])(?=\s|$)")


def visible(text: str, keep: str = "") -> str:
    r"""A text whose invisible characters are written as Python escapes.

    These are control characters, marks of the direction of writing, line separators and halves of
    characters. A terminal would obey them, or a reader would see another text.

    Args:
        text: The text.
        keep: Characters that stay.

    Example:
        >>> visible("\x1b[31mred\n\u202egpj.exe")
        '\\x1b[31mred\\n\\u202egpj.exe'
    """
    if text.isascii() and text.isprintable():
        return text
    letters = (c if c in keep or not _is_hidden(c) else _escape(c) for c in text)
    return "".join(letters)


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in _HIDDEN and letter not in _JOINERS


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def in_one_line(text: str) -> str:
    r"""A text in one line, for a page: ends of lines become blanks, other hidden signs escapes.

    Example:
        >>> in_one_line("cat\n# dog\x07")
        'cat # dog\\x07'
    """
    return visible(_LINE_ENDS.sub(" ", text.strip()))


def markdown(text: str) -> Markup:
    r"""A text in one line that Markdown shows as it is: no heading, link, table, HTML or formula.

    Example:
        >>> print(markdown("7v1 in_my_set: <b>*x*</b>"))
        7v1 in_my_set: \<b\>\*x\*\</b\>
    """
    line = _MARKUP.sub(r"\\\g<0>", in_one_line(text))
    line = _NUMBERED.sub(r"\1\\\2", line, count=1) if _NUMBERED.match(line) else line
    return Markup("\\" + line if _BULLET.match(line) else line)


def fenced(text: str) -> Markup:
    """A text as a block of code in Markdown, which nothing in the text can end."""
    fence = "`" * (2 + max(1, *map(len, re.findall("`+", text)), 0))
    return Markup(f"{fence}\n{visible(text, chr(10))}\n{fence}")


def echo(text: str, *, error: bool = False, colour: str | None = None) -> None:
    """Print a line to standard output, or to standard error."""
    import click

    click.secho(visible(text), fg=colour, err=error)


class PlainRecord(logging.LogRecord):
    """A record of the log whose message is shown as it is.

    Its names and values cannot be markup of Rich, which Kedro's handler would read.
    """

    def getMessage(self) -> str:  # noqa: N802
        """The message; only those of Kedro and of libraries have several lines."""
        ours = self.name.partition(".")[0] == "borderline"
        return visible(super().getMessage(), "" if ours else "\n\t")

    @property
    def markup(self) -> bool:
        """Whether Rich reads markup in the message; Kedro marks its own messages with colours."""
        return "rich_format" in self.__dict__ or bool(self.__dict__.get("markup"))


def keep_log_plain() -> None:
    """Make the records of the log :class:`PlainRecord` from now on."""
    logging.setLogRecordFactory(PlainRecord)
