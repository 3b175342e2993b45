"""Models, judges, generators and samplers in files without code."""

from __future__ import annotations

import json
import re
from typing import IO, Any, NamedTuple

from borderline.datasets.keys import NO_TAG, TAG, KeyedFile

_ENTRY = "borderline"
_VERSION = 1
# The text of a metadata entry begins with the tag; its quotes are escaped in the header.
_TAGGED = re.compile(rb'\{\\"tag\\": \\"(' + TAG.pattern + rb')\\"')
_PURPOSE = b"borderline model\n"


class _Parts(NamedTuple):
    """A file: its tensors and description, the tag, and the content that the tag is of."""

    tensors: dict[str, Any]
    tree: Any
    tag: str
    tagged: bytes


class ModelDataset(KeyedFile):
    """A model, judge, generator or sampler as one ``.safetensors`` file.

    The tensors are the weights; the file's metadata describes the object as JSON. A file names only
    classes of this package that are declared (:mod:`borderline.datasets.storable`), so reading it
    runs no other code, with one exception: an imported model may need its own code. It is read only
    from a file with the tag of this project, or with trust.

    Example:
        >>> dataset = ModelDataset(filepath=str(tmp_path / "x.safetensors"))
        >>> dataset.save({"margin": 0.5, "shape": (1, 28, 28)})
        >>> dataset.load()
        {'margin': 0.5, 'shape': (1, 28, 28)}
    """

    def check(self, remedy: str) -> None:
        """See :class:`KeyedFile`."""
        self._value(self.content(), remedy, dry=True)

    def _read(self, file: IO[bytes]) -> Any:
        return self._value(file.read(), self.remedy, dry=False)

    def _write(self, data: Any, file: IO[bytes]) -> None:
        from safetensors.torch import save

        from borderline.datasets.model_format import Writer

        self.key.make()
        writer = Writer()
        tree = writer.tree(data)
        description = json.dumps({"tag": NO_TAG, "version": _VERSION, "content": tree})
        content = save(writer.tensors, {_ENTRY: description})
        tag = self.key.tag(_PURPOSE + content).encode()
        start, end = _TAGGED.search(content).span(1)  # type: ignore[union-attr]
        file.write(content[:start] + tag + content[end:])

    def _value(self, content: bytes, remedy: str, *, dry: bool) -> Any:
        from borderline.datasets.model_format import Reader, Unreadable

        def allow_code() -> None:
            if not self._trust and (doubt := self.key.doubt(parts.tagged, parts.tag)):
                raise self.untrusted(doubt, remedy)

        try:
            parts = _parts(content)
            return Reader(parts.tensors, allow_code, dry=dry).value(parts.tree)
        except (Unreadable, RecursionError) as error:
            raise self.damaged(str(error), remedy) from error


def _parts(content: bytes) -> _Parts:
    from safetensors import SafetensorError
    from safetensors.torch import load

    from borderline.datasets.model_format import Unreadable

    try:
        # The library checks the header, and that the tensors fill the file.
        tensors = load(content)
    except (SafetensorError, ValueError) as error:
        raise Unreadable("it is no whole safetensors file") from error
    end = 8 + int.from_bytes(content[:8], "little")
    tags = list(_TAGGED.finditer(content, 8, end))
    try:
        description = json.loads(json.loads(content[8:end])["__metadata__"][_ENTRY])
        version, tree = description["version"], description["content"]
    except (LookupError, TypeError, ValueError) as error:
        raise Unreadable("it describes no model of this package") from error
    if version != _VERSION:
        raise Unreadable(f"it has version {repr(version)[:20]} of the format, and not {_VERSION}")
    if len(tags) != 1:
        raise Unreadable("its header does not have exactly one tag")
    start, stop = tags[0].span(1)
    tagged = _PURPOSE + content[:start] + NO_TAG.encode() + content[stop:]
    return _Parts(tensors, tree, tags[0][1].decode(), tagged)
