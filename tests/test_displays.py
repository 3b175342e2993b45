"""No display, tracker or log handler can fail a run."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import rich
from kedro.io import DataCatalog
from kedro.logging import RichHandler
from kedro.pipeline import Node, Pipeline

from borderline.commands.run import Closed
from borderline.datasets import CSVDataset
from borderline.hooks.closing import SummaryHooks
from borderline.hooks.progress import ProgressHooks
from borderline.printing import guard_displays, harmless
from borderline.streaming import streams
from test_hooks import ROW, marked, summary_of


class Failing(io.StringIO):
    """A stream whose reader has gone, whose terminal has gone or whose disk is full."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


ERRORS = [
    BrokenPipeError(32, "pipe"),
    OSError(28, "full"),
    OSError(5, "gone"),
    ValueError("closed"),
]


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> list[logging.Handler]:
    handlers: list[logging.Handler] = [RichHandler()]
    monkeypatch.setattr(logging.root, "handlers", handlers)
    return handlers


def show_everything(catalog: DataCatalog) -> None:
    """Print, log and end a run."""
    guard_displays()
    print("words \u2026")
    sys.stdout.flush()
    logging.getLogger("borderline").warning("a [/closing] tag, and %s", "\u25d0")
    rich.get_console().print("\u25d0")
    pipeline = Pipeline([Node(lambda: None, None, name, name=name) for name in catalog])
    SummaryHooks().after_pipeline_run(pipeline=pipeline, catalog=catalog)
    Closed("The gate is closed.").show()


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_stream_that_fails_fails_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch, handlers: list[logging.Handler]
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Failing(error))
    show_everything(summary_of(ROW))


@pytest.mark.parametrize("columns", ["0", "1", "80", "x"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_poor_terminal_shows_what_it_can(
    encoding: str, columns: str, monkeypatch: pytest.MonkeyPatch, handlers: list[logging.Handler]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    out = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, out)
    show_everything(summary_of(ROW))
    text = out.buffer.getvalue().decode(encoding)
    assert "\\u25d0" in text
    # Rich leaves no room for a message of the log in one column.
    lost = columns != "1" and "a [/closing] tag" not in text
    assert not lost, "a handler that fails loses no message"
    assert "The gate is closed." in text


def test_process_without_streams(
    monkeypatch: pytest.MonkeyPatch, handlers: list[logging.Handler]
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    show_everything(summary_of(ROW))


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff", b"other\n1\n"])
def test_summary_that_cannot_be_read_is_told(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    table = CSVDataset(filepath=str(tmp_path / "x.csv"), metadata=marked("summary"))
    if content is not None:
        (tmp_path / "x.csv").write_bytes(content)
    pipeline = Pipeline([Node(lambda: None, None, "x", name="x")])
    SummaryHooks().after_pipeline_run(pipeline=pipeline, catalog=DataCatalog({"x": table}))
    assert "A display failed, and the run goes on" in caplog.text


def test_progress_that_fails_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def total() -> int:
        raise SystemExit(1)

    @streams("history_table", step="epoch", total=total)
    def work() -> None: ...

    hooks, node = ProgressHooks(), Node(work, None, "history_table", name="work")
    hooks.before_pipeline_run()
    hooks.before_node_run(node=node, inputs={})
    hooks.after_dataset_saved("history_table", pd.DataFrame({"other": [1]}), node)
    assert "A display failed, and the run goes on: SystemExit: 1" in caplog.text


def test_an_interrupt_is_no_error_of_a_display() -> None:
    with pytest.raises(KeyboardInterrupt), harmless(print):
        raise KeyboardInterrupt


CHILD = """
import logging.config, yaml
logging.config.dictConfig(yaml.safe_load(open({conf!r})))
from borderline.printing import guard_displays
guard_displays()
for number in range(9):
    logging.getLogger("borderline").info("line %d", number)
    print("line", number)
"""


def test_closed_pipe_ends_a_process_with_status_0_and_no_traceback(
    pytestconfig: pytest.Config,
) -> None:
    code = CHILD.format(conf=str(pytestconfig.rootpath / "conf/logging.yml"))
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")
