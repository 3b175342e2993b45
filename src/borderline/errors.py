"""The one error that is meant for a user's eyes."""

from __future__ import annotations

from collections.abc import Iterator


class BorderlineError(ValueError):
    """Bad input: one sentence that names the setting, its value and what to do.

    ``kedro run`` prints the sentence and no traceback (``kedro run --verbose`` prints both).
    """


class GateClosed(BorderlineError):
    """A model under test does not keep to a limit of ``gate``: ``kedro run`` ends with status 3."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then what caused it, and so on: libraries wrap ours in theirs."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
