"""Requests to the server: their arguments for ``kedro run``, and the answers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from borderline.cli import cli
from borderline.commands.run import BadInput, Closed, Stopped
from borderline.errors import BorderlineError, GateClosed
from borderline.server import app as app_module
from borderline.server.app import create_app
from borderline.sweeps.process import Outcome, outcome_of
from conftest import ROOT

SUCCESS = Outcome()
Calls = list[tuple[list[str], dict[str, Any]]]


def client_of(
    monkeypatch: pytest.MonkeyPatch, project: Path, outcome: Outcome = SUCCESS
) -> tuple[TestClient, Calls]:
    """A client of a server whose runs end at once, and what they were asked."""
    calls: Calls = []

    def run(
        arguments: list[str], settings: dict[str, Any], project: Path, files: Path, began: object
    ) -> Outcome:
        calls.append((arguments, settings))
        return outcome

    monkeypatch.setattr(app_module, "run_in_process", run)
    app, _ = create_app(project, "test", "conf.tar.gz")
    return TestClient(app, "http://localhost"), calls


def test_request_becomes_a_run_with_the_options_of_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client, calls = client_of(monkeypatch, tmp_path)
    request = {
        "pipeline_names": ["classifier", "gasten"],
        "tags": ["a"],
        "runner": "borderline.runners.DaskRunner",
        "is_async": True,
        "load_versions": {"x": "1"},
        "params": {"pair": {"positive": "a,b"}},
    }
    answer = client.post("/run", json=request)
    assert answer.status_code == 200
    assert answer.json()["status"] == "success"
    options = "--env test --conf-source conf.tar.gz --pipelines classifier,gasten --tags a"
    more = "--load-versions x:1 --runner borderline.runners.DaskRunner --async"
    assert calls == [(f"{options} {more}".split(), {"pair": {"positive": "a,b"}})]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (BadInput("gan.epohs is no setting."), 422, "BorderlineError"),
        (Closed("A limit is broken."), 422, "GateClosed"),
        (Stopped(KeyboardInterrupt()), 503, "Stopped"),
        (ZeroDivisionError("division by zero"), 500, "RuntimeError"),
    ],
)
def test_failure_is_one_sentence_with_a_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, status: int, kind: str
) -> None:
    outcome = outcome_of(error)
    answer = client_of(monkeypatch, tmp_path, outcome)[0].post("/run", json={})
    assert answer.status_code == status
    assert answer.json()["error"] == {"type": kind, "message": outcome.says}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"parms": {}}, "Unknown field 'parms' (did you mean 'params'?): a request has"),
        ("{", "The body of the request is not JSON: correct it."),
        ({"tags": "a"}, "tags is 'a', but Input should be a valid list: correct the request."),
        ({"tags": "a" * 999}, "tags is 'aaaa"),
        ({"pipeline_names": [""]}, "pipeline_names has an empty name: remove it."),
        ({"runner": "os.system"}, "runner is 'os.system', but a request can only name runners of"),
    ],
)
def test_request_that_is_none_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request_: Any, words: str
) -> None:
    client, calls = client_of(monkeypatch, tmp_path)
    body = {"content": request_} if isinstance(request_, str) else {"json": request_}
    answer = client.post("/run", headers={"Content-Type": "application/json"}, **body)
    assert answer.status_code == 422
    message = answer.json()["error"]["message"]
    assert message.startswith(words)
    assert len(message) < 500
    assert calls == []


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        ("/run", {"Content-Type": "text/plain"}, 422, "The request has no header `Content-Type:"),
        ("/rnu", {}, 404, "Not Found: correct the request."),
        ("/run", {"Host": "a-page.example"}, 400, "Invalid host header"),
    ],
)
def test_request_that_is_not_for_the_server_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    path: str,
    headers: dict[str, str],
    status: int,
    words: str,
) -> None:
    client, calls = client_of(monkeypatch, tmp_path)
    answer = client.post(path, headers=headers, content="{}")
    assert answer.status_code == status
    assert words in answer.text
    assert calls == []


def test_end_of_the_server_ends_its_runs_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    began = threading.Event()

    def run(*arguments: Any) -> Outcome:
        tell: Callable[[subprocess.Popen[bytes]], None] = arguments[-1]
        with subprocess.Popen(["sleep", "60"]) as process:
            tell(process)
            began.set()
            return Outcome(f"ended with {process.wait()}")

    monkeypatch.setattr(app_module, "run_in_process", run)
    app, runs = create_app(tmp_path, None, None)
    said: list[Any] = []
    request = threading.Thread(
        target=lambda: said.append(TestClient(app, "http://localhost").post("/run", json={}).json())
    )
    request.start()
    assert began.wait(10)
    runs.stop()
    request.join(10)
    assert said[0]["error"]["message"] == "ended with -15"


def test_environment_that_is_not_there_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for option, words in (
        ("--env=tst", "--env is 'tst' (did you mean 'test'?)"),
        ("--reload", "--reload"),
    ):
        result = CliRunner().invoke(cli, ["server", "start", option])
        assert result.exit_code == 1
        assert f"Error: {words}" in result.output


def test_snapshot_outside_of_a_project_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with client_of(monkeypatch, tmp_path)[0] as client:
        answer = client.get("/snapshot")
        assert client.get("/health").json()["status"] == "healthy"
    assert answer.status_code == 422
    assert "needs a project" in answer.json()["error"]["message"]


def test_status_of_the_gate_is_that_of_the_command() -> None:
    assert Closed("x").exit_code == GateClosed.exit_status == 3
    assert issubclass(GateClosed, BorderlineError)
