"""The errors that a user reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from borderline.plain_text import visible


class BorderlineError(ValueError):
    """Bad input: one sentence that names the setting, its value and what to do.

    ``kedro run`` prints the sentence and no traceback (``kedro run --verbose`` prints both).
    """

    def __str__(self) -> str:
        """The sentence in one line; names of files and layers in it cannot control a terminal."""
        return visible(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython and notebooks print instead of a traceback."""
        return [f"Error: {self}"]


class GateClosed(BorderlineError):
    """A model under test breaks a limit of ``gate``: ``kedro run`` ends with its exit status."""

    exit_status = 3


class OnlySomeNodes(BorderlineError):
    """Of the nodes of a run with ``only_missing_outputs``, only ``names`` have to run."""

    def __init__(self, names: Sequence[str], asked: int) -> None:
        super().__init__(
            f"only_missing_outputs is True, but {asked - len(names)} of {asked} nodes have "
            "finished: run the others with node_names, as "
            "`kedro run --only-missing-outputs` does."
        )
        self.names, self.asked = tuple(names), asked


class NotInstalled(BorderlineError):
    """A library of an optional extra is missing; no file is to blame."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then its cause, and so on: libraries wrap our errors in theirs."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def sentence_in(error: BaseException) -> str | None:
    """The first sentence for the user among an error and its causes; None for none."""
    ours = (str(cause) for cause in causes(error) if isinstance(cause, BorderlineError))
    return next(ours, None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is most similar, with a blank before it; empty if none is."""
    close = closest(name, known)
    return f" (did you mean {close!r}?)" if close else ""


def closest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known name that is most similar, if any is; ``cutoff`` is the least similarity."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)
