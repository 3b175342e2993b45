"""Tables, JSON, pickles and text, saved atomically."""

from __future__ import annotations

import pickle
from typing import IO, Any, ClassVar

import pandas as pd
from kedro_datasets.json.json_dataset import JSONDataset as _JSONDataset
from kedro_datasets.pandas.csv_dataset import CSVDataset as _CSVDataset
from kedro_datasets.text.text_dataset import TextDataset as _TextDataset

from borderline.datasets.atomic import AtomicSave, Folder
from borderline.datasets.keys import NO_TAG, TAG, KeyedFile

_TAG_SIZE = len(NO_TAG)
_PURPOSE = b"borderline pickle\n"


class CSVDataset(AtomicSave, _CSVDataset):
    """``kedro_datasets.pandas.CSVDataset``, saved atomically; empty text loads as empty text.

    Pandas reads an empty cell as a missing number. In the columns that ``load_args: {dtype: ...}``
    declares as ``str`` it loads as ``""``; a table need not have all these columns.

    Example:
        >>> import pandas as pd
        >>> path = str(tmp_path / "x.csv")
        >>> dataset = CSVDataset(filepath=path, load_args={"dtype": {"note": str}})
        >>> dataset.save(pd.DataFrame({"images": [7], "note": [""]}))
        >>> dataset.load()["note"].to_list()
        ['']
    """

    def load(self) -> pd.DataFrame:
        """The table."""
        table: pd.DataFrame = super().load()
        types = self._load_args.get("dtype", {})
        text = [str(name) for name in table if types.get(name) in (str, "str")]
        table[text] = table[text].fillna("")
        return table


class JSONDataset(AtomicSave, _JSONDataset):
    """``kedro_datasets.json.JSONDataset``, saved atomically.

    Example:
        >>> dataset = JSONDataset(filepath=str(tmp_path / "x.json"))
        >>> dataset.save({"pairs": [[7, 1]]})
        >>> dataset.load()
        {'pairs': [[7, 1]]}
    """


class OptionalJSONDataset(JSONDataset):
    """A file that may be missing: it then loads as ``{}``.

    Example:
        >>> dataset = OptionalJSONDataset(filepath=str(tmp_path / "x.json"))
        >>> dataset.exists(), dataset.load()
        (True, {})
    """

    def load(self) -> Any:
        """The content, or ``{}``."""
        return super().load() if super()._exists() else {}

    def _exists(self) -> bool:
        return True


class PickleDataset(KeyedFile):
    """A pickle and the tag of this project, which Python's ``pickle.load`` passes over.

    A pickle runs code when it is read, so it is read only if its tag is right, or with trust.

    Example:
        >>> dataset = PickleDataset(filepath=str(tmp_path / "x.pickle"), trust=True)
        >>> dataset.save({1, 2})
        >>> dataset.load()
        {1, 2}
    """

    def check(self, remedy: str) -> None:
        """See :class:`KeyedFile`."""
        self._trusted(self.content(), remedy)

    def _trusted(self, content: bytes, remedy: str) -> bytes:
        """The pickle of a file that may be read."""
        stored, tag = content[:-_TAG_SIZE], content[-_TAG_SIZE:]
        if not TAG.fullmatch(tag):
            # The last byte of a whole pickle is its sign for the end.
            if not content.endswith(pickle.STOP):
                raise self.damaged("its end is missing", remedy)
            stored, tag = content, NO_TAG.encode()
        if not self._trust and (doubt := self.key.doubt(_PURPOSE + stored, tag.decode())):
            raise self.untrusted(doubt, remedy)
        return stored

    def _read(self, file: IO[bytes]) -> Any:
        return pickle.loads(self._trusted(file.read(), self.remedy))

    def _write(self, data: Any, file: IO[bytes]) -> None:
        self.key.make()
        stored = pickle.dumps(data)
        file.write(stored + self.key.tag(_PURPOSE + stored).encode())


class TextDataset(AtomicSave, _TextDataset):
    """``kedro_datasets.text.TextDataset`` in UTF-8, saved atomically.

    Example:
        >>> dataset = TextDataset(filepath=str(tmp_path / "x.md"))
        >>> dataset.save("Fréchet")
        >>> dataset.load()
        'Fréchet'
    """

    DEFAULT_FS_ARGS: ClassVar[dict[str, Any]] = {
        "open_args_save": {"mode": "w", "encoding": "utf-8", "newline": "\n"},
        "open_args_load": {"mode": "r", "encoding": "utf-8"},
    }


class _AnswerFile(_TextDataset):
    """Text of people's machines: some editors write a mark at its beginning."""

    DEFAULT_FS_ARGS: ClassVar[dict[str, Any]] = {
        "open_args_load": {"mode": "r", "encoding": "utf-8-sig", "errors": "replace"}
    }


class AnswerFolder(Folder):
    """The answers of raters, a JSON file each, as text by file name; the folder may be missing.

    Example:
        >>> _ = (tmp_path / "anna.json").write_text("{}")
        >>> AnswerFolder(path=str(tmp_path)).load()
        {'anna.json': '{}'}
        >>> AnswerFolder(path=str(tmp_path / "none")).load()
        {}
    """

    file_class = _AnswerFile
    suffix = ".json"

    @property
    def path(self) -> str:
        """The folder."""
        return str(self._path)

    def load(self) -> dict[str, str]:  # type: ignore[override]
        """The text of each file, in the order of the names."""
        self._invalidate_caches()
        if not super()._exists():
            return {}
        return {f"{name}{self.suffix}": load() for name, load in sorted(super().load().items())}

    def _exists(self) -> bool:
        return True
