"""One sentence instead of a traceback, for commands of Kedro and its plugins."""

from __future__ import annotations

import sys
from types import TracebackType

from kedro.framework.cli.utils import KedroCliError

from borderline.errors import sentence_in
from borderline.plain_text import echo


def speak_plainly() -> None:
    """End the process with one sentence where bad input reaches the end of the stack.

    ``kedro catalog``, ``kedro viz`` and others read the settings too.
    """
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
        sentence = sentence_in(error)
        if sentence and not KedroCliError.VERBOSE_ERROR:
            echo(f"Error: {sentence}", colour="red", error=True)
        else:
            before(kind, error, place)

    sys.excepthook = hook
