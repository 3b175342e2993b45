"""The kinds of sources: one file each, found by its name, whose ``read`` gives a network."""

from __future__ import annotations

from importlib import import_module

from borderline.errors import BorderlineError
from borderline.imported.network import Network
from borderline.imported.params import Source

_SPEAKS_FOR_ITSELF = 200


def read_network(source: Source, content: bytes) -> Network:
    """The network that a source holds.

    Args:
        source: Where it comes from.
        content: The bytes of its file; empty for a callable.

    Raises:
        BorderlineError: When it cannot be read, or would run code without being trusted; the
            sentence begins with ``source.``, the group that it is in the settings.
    """
    try:
        network: Network = import_module(f"{__name__}.{source.kind}").read(source, content)
    except BorderlineError as error:
        raise BorderlineError(f"source.{error}") from error
    except ModuleNotFoundError as error:
        raise BorderlineError(
            f"source.kind is {source.kind!r}, which needs {error.name}: install it "
            f"(pip install '{error.name}')."
        ) from error
    except Exception as error:
        raise BorderlineError(
            f"source.path is {source.path!r}, which cannot be read as {source.kind} "
            f"({first_line(error)}): name another file, or the kind that it is of."
        ) from error
    return network.eval()


def first_line(error: BaseException) -> str:
    """What an error says, in short."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:_SPEAKS_FOR_ITSELF].rstrip(".: ")
