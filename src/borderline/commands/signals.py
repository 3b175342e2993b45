"""Signals that end a command in order: half-written files go, workers end, locks are given back."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SECONDS_TO_CLEAN_UP = 2
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class Interrupted(KeyboardInterrupt):
    """A signal has asked this process to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


@contextmanager
def stopped_in_order() -> Iterator[None]:
    """Raise :class:`Interrupted` where Ctrl-C, SIGTERM or the end of the terminal stops the block.

    Signals that are ignored, as under ``nohup``, stay ignored. The processes of a pool end too.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {signal.Signals[name]: signal.getsignal(signal.Signals[name]) for name in names}
    ours = [number for number, handler in before.items() if handler in _DEFAULTS]
    if threading.current_thread() is not threading.main_thread():
        ours = []
    process = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            # A forked process of a pool would go on with its next node after an error.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_SECONDS_TO_CLEAN_UP)
        else:
            for child in multiprocessing.active_children():
                child.terminate()
        raise Interrupted(signal.Signals(number))

    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
