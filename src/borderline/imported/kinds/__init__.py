"""The kinds of sources: each is a module of that name, whose ``read`` returns a network."""

from __future__ import annotations

from importlib import import_module

from borderline.errors import BorderlineError, NotInstalled
from borderline.imported.foreign_files import foreign_format
from borderline.imported.network import Network
from borderline.imported.params import Source
from borderline.imported.user_code import CodeFault

_LONGEST = 200


def read_network(source: Source, content: bytes) -> Network:
    """Read the network of a source.

    Raises:
        BorderlineError: When it cannot be read; the sentence begins with ``source.`` and a setting.
    """
    if (foreign := foreign_format(source.path, content)) is not None:
        raise BorderlineError(f"source.path is {source.path!r}, which is {foreign}.")
    try:
        network: Network = import_module(f"{__name__}.{source.kind}").read(source, content)
    except BorderlineError as error:
        # A stored network whose library is missing is not damaged.
        kind = NotInstalled if isinstance(error, NotInstalled) else BorderlineError
        raise kind(f"source.{error}") from error
    except ModuleNotFoundError as error:
        raise BorderlineError(
            f"source.kind is {source.kind!r}, which needs {error.name}: install it "
            f"(pip install '{error.name}')."
        ) from error
    except Exception as error:
        raise BorderlineError(
            f"source.path is {source.path!r}, which cannot be read as {source.kind} "
            f"({first_line(error)}): name another file, or correct source.kind."
        ) from error
    network.output = source.output
    return network.eval()


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 200 characters, without a full stop.

    The message of a fault in the user's code is whole, since it ends with the line.
    """
    if isinstance(error, CodeFault):
        return str(error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:_LONGEST].rstrip(".: ")
