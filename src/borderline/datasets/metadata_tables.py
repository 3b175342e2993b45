"""Tables of images: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from borderline.datasets.limits import LARGEST_TABLE, MOST_COLUMNS, MOST_ROWS, MOST_VALUES
from borderline.datasets.reading import Folder, Unreadable
from borderline.errors import BorderlineError, did_you_mean

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")


def read_table(folder: Folder, file: str, where: str, texts: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table; columns whose values are lists or mappings are left out.

    Args:
        folder: The folder that holds the table.
        file: Its path on the file system.
        where: The table in messages, such as ``source.path is 'a.csv', which``.
        texts: Columns of a CSV to read as text, so that 01 stays 01 and NA stays NA.

    Raises:
        BorderlineError: When the file cannot be read.
    """
    try:
        content = BytesIO(folder.read(file, LARGEST_TABLE))
        match suffix := f".{file.rpartition('.')[2].lower()}":
            case ".parquet":
                table = _read_parquet(content)
            case ".jsonl":
                lines = content.read().decode("utf-8-sig").splitlines()
                rows = [json.loads(line) for line in lines if line.strip()]
                if not all(isinstance(row, dict) for row in rows):
                    raise ValueError("a line is no object")
                _check_size(len(rows), len({name for row in rows for name in row}))
                table = pd.DataFrame(rows)
            case _:
                table = _read_csv(content, suffix == ".tsv", texts)
    except ImportError as error:
        raise BorderlineError(
            f"{where} is a Parquet file, which needs the library pyarrow: install it "
            "(pip install pyarrow), or save a CSV."
        ) from error
    # pandas' errors of parsing and Python's of decoding are ValueErrors.
    except (
        *(ValueError, OSError, RecursionError, MemoryError),
        *(Unreadable, pd.errors.ParserWarning),
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BorderlineError(f"{where} cannot be read ({reason}): correct it.") from error
    table.columns = table.columns.map(str)
    return table[[name for name in table if not _is_nested(table[name])]]


def _read_parquet(content: BytesIO) -> pd.DataFrame:
    from pyarrow.parquet import read_metadata  # type: ignore[import-untyped]

    metadata = read_metadata(content)
    _check_size(metadata.num_rows, metadata.num_columns)
    content.seek(0)
    return pd.read_parquet(content)


def _check_size(rows: int, columns: int) -> None:
    """Check that a table has not so many values that reading it takes all memory or hours.

    Raises:
        Unreadable: When it has.
    """
    limits = (
        (rows, MOST_ROWS, "rows"),
        (columns, MOST_COLUMNS, "columns"),
        (rows * columns, MOST_VALUES, "values"),
    )
    for count, most, what in limits:
        if count > most:
            raise Unreadable(f"it has {count:,} {what}, more than {most:,}")


def _read_csv(content: BytesIO, tabs: bool, texts: Iterable[str]) -> pd.DataFrame:
    head = content.readline().decode("utf-8-sig")
    delimiter = "\t" if tabs else next((mark for mark in ",;\t|" if mark in head), ",")
    lines = max(content.getvalue().count(end) for end in (b"\n", b"\r"))
    _check_size(lines, 1 + head.count(delimiter))

    def read(**options: Any) -> pd.DataFrame:
        content.seek(0)
        with warnings.catch_warnings():
            # A row with more values than columns would be cut.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(
                content, sep=delimiter, encoding="utf-8-sig", index_col=False, **options
            )
        return table.set_axis(table.columns.map(str).str.strip(), axis="columns")

    table = read()
    as_text = read(dtype=str, keep_default_na=False) if texts else table
    return table.assign(**{name: as_text[name].str.strip() for name in texts if name in table})


def choose_column(
    table: pd.DataFrame, given: str | None, setting: str, usual: tuple[str, ...], where: str
) -> str:
    """The column that a setting names, or the only one with a usual name.

    Raises:
        BorderlineError: When there is no such column, or more than one.
    """
    names = [str(name) for name in table]
    if given is not None:
        if given not in names:
            raise BorderlineError(
                f"{setting} is {given!r}{did_you_mean(given, names)}, but {where} has the columns "
                f"{', '.join(names)}: name one of them."
            )
        return given
    matches = [name for name in names if name.lower() in usual]
    if len(matches) != 1:
        known = f"{', '.join(matches)}, which fit" if matches else f"{', '.join(names)}"
        raise BorderlineError(
            f"{setting} is missing, and {where} has the columns {known}: set {setting} to the one "
            f"that is meant (by default {usual[0]})."
        )
    return matches[0]


def class_names(values: Iterable[Any], setting: str, where: str) -> list[str | None]:
    """Labels as names of classes; None for a missing one.

    1.0 becomes 1 where all labels are whole numbers, because tables with missing numbers write so.

    Raises:
        BorderlineError: When labels are numbers with a fraction.
    """
    texts = [_text(value) for value in values]
    there = [text for text in texts if text is not None]
    if not there or not all(map(_NUMBER.fullmatch, there)):
        return texts
    fraction = next((text for text in there if not float(text).is_integer()), None)
    if fraction is not None:
        raise BorderlineError(
            f"{where} holds the label {fraction[:80]}, but labels are names or whole numbers: name "
            f"the column of the classes in {setting}, or group the values into classes."
        )
    return [text if text is None or "." not in text else str(int(float(text))) for text in texts]


def _text(value: Any) -> str | None:
    missing = value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA
    return None if missing else str(value).strip() or None


def _is_nested(column: pd.Series[Any]) -> bool:
    nested = list, tuple, dict, bytes, np.ndarray
    return column.dtype == object and any(isinstance(value, nested) for value in column)
