"""Signals end a command in order, with the status that shells give it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from borderline.commands.run import PlainSpokenCommand
from borderline.commands.signals import Interrupted, stopped_in_order


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    """Python's own handlers, because a shell lets its background processes ignore Ctrl-C."""
    ours = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_ends_a_command_with_a_sentence_and_its_status(name: str) -> None:
    number, done = signal.Signals[name], list[str]()

    def work() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            done.append("cleaned up")

    result = CliRunner().invoke(PlainSpokenCommand("work", callback=work))
    assert (result.exit_code, done) == (128 + number, ["cleaned up"])
    assert result.stderr == (
        f"Error: Stopped by {name}: the same command continues; finished epochs stay. With "
        "--only-missing-outputs finished nodes do not run again.\n"
    )


def test_second_interrupt_during_the_cleaning_ends_it() -> None:
    def interrupt_twice() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted), stopped_in_order():
        interrupt_twice()


def test_ignored_signal_stays_ignored_as_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


class Worker:
    def __init__(self) -> None:
        self.ended = False

    def terminate(self) -> None:
        self.ended = True


def test_workers_end_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    monkeypatch.setattr(multiprocessing, "active_children", lambda: [worker])
    with pytest.raises(Interrupted), stopped_in_order():
        os.kill(os.getpid(), signal.SIGTERM)
    assert worker.ended


def test_forked_worker_gets_a_moment_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = list[int]()
    monkeypatch.setattr(signal, "alarm", seconds.append)
    number = os.getpid()
    with pytest.raises(Interrupted), stopped_in_order():  # noqa: PT012
        monkeypatch.setattr(os, "getpid", lambda: number + 1)
        os.kill(number, signal.SIGTERM)
    assert seconds == [2]
