"""Names of folders from any text, and back; checks of names and addresses that users write."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from urllib.parse import unquote

# Paths, patterns of files, Kedro, buckets and operating systems read these as more than a name.
_SPECIAL = frozenset(r"""/\:*?"<>|{}[]$#%""")
# Controls, marks that are not seen, and blanks of other widths.
_UNSEEN = ("C", "Z")
_LONGEST = 60
_KEPT = 40
_LONGEST_PATH = 3500
_CUT = "%-"
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9_-]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
LONGEST_OF_SYSTEMS = 255
"""The bytes of the longest name that file systems allow."""
LONGEST_PLAIN = 100
"""The length of the longest name that users choose for a folder."""


def folder_name(text: str, also: str = "") -> str:
    """The part of a folder's name that stands for a text, as in ``7v1``.

    Different texts have different names; these can differ in capital letters alone, but not in the
    form of an accent alone. Letters, digits and most signs stay; all other characters are encoded
    with ``%``, as in addresses of the web. A name of more than 60 bytes is cut and ends in a digest
    of the text.

    Args:
        text: Any text.
        also: Other characters to encode.

    Example:
        >>> folder_name("Ankle boot"), folder_name("T-shirt/top"), folder_name("..")
        ('Ankle boot', 'T-shirt%2Ftop', '%2E%2E')
    """
    if not text:
        return _CUT
    start, end = len(text) - len(text.lstrip(".~ ")), len(text.rstrip(". "))
    composed = unicodedata.is_normalized("NFC", text)
    parts, stays = [], False
    for place, character in enumerate(text[: _LONGEST + 1]):
        # A mark would change the sign before it, if that is not its own.
        own = stays or unicodedata.category(character)[0] != "M"
        stays = start <= place < end and own and (composed or character.isascii())
        stays = stays and character not in also and not _is_special(character)
        parts.append(character if stays else _encoded(character))
    name = "".join(parts)
    if len(name.encode()) <= _LONGEST:
        return name
    while len("".join(parts).encode()) > _KEPT:
        parts.pop()
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return "".join(parts) + _CUT + digest


def _is_special(character: str) -> bool:
    unseen = unicodedata.category(character)[0] in _UNSEEN and character != " "
    return character in _SPECIAL or unseen


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def text_of(name: str) -> str | None:
    """The text that a folder's name stands for; None for a name that was cut.

    Example:
        >>> text_of("T-shirt%2Ftop")
        'T-shirt/top'
    """
    if _CUT in name:
        return "" if name == _CUT else None
    return unquote(name, errors="surrogatepass")


def name_of_pair(positive: int | str, negative: int | str) -> str:
    """A pair as it stands in paths, such as ``7v1``; different pairs have different names.

    The ``v`` nearest to the middle separates the classes. Where it would be another one, each ``v``
    of the classes is encoded.

    Example:
        >>> name_of_pair("positive", "negative"), name_of_pair("a", "bvc"), name_of_pair("avb", "c")
        ('positivevnegative', 'avbvc', 'a%76bvc')
    """
    classes = str(positive), str(negative)
    first, second = map(folder_name, classes)
    if _parts(f"{first}v{second}") != (first, second):
        first, second = (folder_name(name, also="v") for name in classes)
    return f"{first}v{second}"


def pair_of_name(name: str) -> tuple[str | None, str | None]:
    """The classes of a pair from its name in paths, the positive one first; None for one cut.

    Example:
        >>> pair_of_name("a%76bvc")
        ('avb', 'c')
    """
    first, second = _parts(name)
    return text_of(first), text_of(second)


def _parts(name: str) -> tuple[str, str]:
    """The two sides of the ``v`` nearest to the middle, the first one of two."""
    places = [n for n, letter in enumerate(name) if letter == "v" and 0 < n < len(name) - 1]
    middle = min(places, key=lambda place: abs(len(name) - 1 - 2 * place))
    return name[:middle], name[middle + 1 :]


def plain_name(text: str) -> str:
    """A name of letters, digits, ``_``, ``-`` and ``.`` alone, for services that allow no others.

    A digest keeps different texts apart where characters were replaced or cut.

    Example:
        >>> plain_name("mnist_7v1"), plain_name("mnist_a bvc")
        ('mnist_7v1', 'mnist_a-bvc-135721')
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:LONGEST_PLAIN]
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return plain if plain == text else f"{plain}-{digest}"


def fault_of_name(name: str) -> str:
    """The reason why a text cannot be a folder's name as it is; empty for no reason.

    Example:
        >>> fault_of_name("mnist"), fault_of_name("nul")
        ('', 'Windows keeps this name for a device')
    """
    if not _PLAIN.fullmatch(name):
        return (
            "the name of a folder consists of letters, digits, '_', '-' and '.', and neither "
            "begins nor ends with '.'"
        )
    if len(name) > LONGEST_PLAIN:
        return f"it has {len(name)} letters and {LONGEST_PLAIN} is the most"
    return "Windows keeps this name for a device" if _DEVICES.fullmatch(name) else ""


def fault_of_path(path: str) -> str:
    """The reason why no file can be at a path or address as written; empty for no reason.

    Example:
        >>> fault_of_path("~/my [data] 50%"), fault_of_path(" ")
        ('', 'it is empty')
    """
    if not path.strip():
        return "it is empty"
    if "\0" in path:
        return "it has the character 0"
    if "://" in path:
        return ""
    longest = max(len(name.encode("utf-8", "surrogatepass")) for name in path.split("/"))
    if longest > LONGEST_OF_SYSTEMS:
        return f"a name in it has {longest} bytes and {LONGEST_OF_SYSTEMS} is the most"
    if len(path) > _LONGEST_PATH:
        return f"it has {len(path)} characters and {_LONGEST_PATH} is the most"
    return "'::' separates the file systems of an address" if "::" in path else ""


def fault_of_folder(path: str) -> str:
    """The reason why no results can be at a path or address as written; empty for no reason.

    Example:
        >>> fault_of_folder("~/my [data] 50%"), fault_of_folder("data/{model}")
        ('', "Kedro reads '{' as a placeholder")
    """
    if fault := fault_of_path(path):
        return fault
    unseen = next((c for c in path if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")), None)
    if unseen is not None:
        return f"it has {unseen!r}, which is not seen in a path"
    brace = re.search(r"[{}]", path)
    if brace:
        return f"Kedro reads {brace[0]!r} as a placeholder"
    if re.search(r"\$\w", path):
        return "variables of the environment are not replaced in it, so write the path itself"
    if os.name != "nt" and re.match(r"[A-Za-z]:[\\/](?!/)", path):
        return "this machine has no drives of Windows"
    special = re.search(r"[*?\[\]#]|(?<=/)\.\.(?=/|$)", path) if "://" in path else None
    if special and not path.startswith("file://"):
        return f"drivers of buckets read {special[0]!r} as more than a name"
    return ""


def fault_of_case(case: str) -> str:
    """The reason why no folder of a run has this name; empty for no reason."""
    special = (_SPECIAL - {"%"}).intersection(case)
    if (
        case
        and not special
        and case == case.strip(".~ ")
        and len(case.encode()) <= LONGEST_OF_SYSTEMS
    ):
        return ""
    return (
        "it is the name of a folder in the 06_models of that run, <dataset>_<positive>v<negative>"
    )
