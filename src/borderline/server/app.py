"""Kedro's HTTP server, whose runs are processes and whose errors are sentences.

Each request is ``kedro run`` in a process of its own. So the checks, the lock and the signals are
those of the command line, and requests for different cases can run at the same time.
"""

from __future__ import annotations

import logging
import reprlib
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kedro.io.core import generate_timestamp
from kedro.server import create_http_server
from kedro.server.models import (
    ErrorDetail,
    RunFailure,
    RunRequest,
    RunResponse,
    RunSuccess,
    SnapshotFailure,
    SnapshotResponse,
)
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from borderline.errors import BorderlineError, GateClosed, did_you_mean
from borderline.sweeps.process import Outcome, run_in_process

logger = logging.getLogger(__name__)

_OPTIONS = {
    "pipeline_names": "--pipelines",
    "tags": "--tags",
    "node_names": "--nodes",
    "from_nodes": "--from-nodes",
    "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs",
    "to_outputs": "--to-outputs",
    "namespaces": "--namespaces",
}
_RUNNERS = ("kedro.runner.", "borderline.runners.")
_LOCAL = ("127.0.0.1", "localhost", "::1")
_BAD_INPUT, _STOPPED, _BUG = 422, 503, 500


class Runs:
    """The processes of the requests.

    Args:
        project: The folder of the project.
        options: Options of ``kedro run`` that all requests share.
    """

    def __init__(self, project: Path, options: list[str]) -> None:
        self._project, self._options = project, options
        self._logs = tempfile.TemporaryDirectory(prefix="borderline_server_")
        self._processes: set[subprocess.Popen[bytes]] = set()

    def run(self, run_id: str, request: RunRequest) -> Outcome:
        """Run the pipelines of a request; the log of its process has the run id in its name."""
        # Two requests may come in the same millisecond.
        files = Path(tempfile.mkdtemp(dir=self._logs.name)) / run_id
        logger.info("Run %s: log in %s.log", run_id, files)
        arguments = [*self._options, *arguments_of(request)]
        mine: list[subprocess.Popen[bytes]] = []

        def began(process: subprocess.Popen[bytes]) -> None:
            mine.append(process)
            self._processes.add(process)

        try:
            return run_in_process(arguments, request.params or {}, self._project, files, began)
        finally:
            self._processes.difference_update(mine)

    def stop(self) -> None:
        """End all runs in order: finished epochs stay, and the locks are given back."""
        for process in list(self._processes):
            process.terminate()


def arguments_of(request: RunRequest) -> list[str]:
    """A request as arguments of ``kedro run``, without its ``params``.

    Raises:
        BorderlineError: When a name is empty, or the runner is not one of Kedro or of this project.
    """
    arguments = []
    for field, option in _OPTIONS.items():
        if values := getattr(request, field):
            if not all(values):
                # The command would take it for no selection at all, and run everything.
                raise BorderlineError(f"{field} has an empty name: remove it.")
            arguments += [option, ",".join(values)]
    if request.load_versions:
        versions = (f"{name}:{version}" for name, version in request.load_versions.items())
        arguments += ["--load-versions", ",".join(versions)]
    runner = request.runner
    if runner is not None:
        if "." in runner and not runner.startswith(_RUNNERS):
            raise BorderlineError(
                f"runner is {runner!r}, but a request can only name runners of kedro.runner and "
                "borderline.runners: choose one of these."
            )
        arguments += ["--runner", runner]
    flags = {"--async": request.is_async, "--only-missing-outputs": request.only_missing_outputs}
    return arguments + [flag for flag, is_set in flags.items() if is_set]


def create_app(
    project: Path, env: str | None, conf_source: str | None, host: str = _LOCAL[0]
) -> tuple[FastAPI, Runs]:
    """Kedro's application with runs in processes of their own.

    An application that only this machine reaches answers no request under another name. Otherwise a
    web page in the user's browser could send requests, by a name of its own for 127.0.0.1.

    A failure has status 422 for input that the client can correct, 503 for a run that the server
    has stopped, and 500 for a bug; its body is Kedro's, with one sentence as the message.
    """
    app: FastAPI = create_http_server(project, env=env, conf_source=conf_source)
    given = {"--env": env, "--conf-source": conf_source}
    runs = Runs(project, [word for name, v in given.items() if v for word in (name, v)])
    ours = {"/run", "/snapshot"}
    kedro = {r.path: r for r in app.router.routes if isinstance(r, Route) and r.path in ours}
    app.router.routes = [route for route in app.router.routes if route not in kedro.values()]
    is_project = (project / "pyproject.toml").is_file()
    if not is_project:
        app.router.lifespan_context = _nothing_to_start
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(HTTPException, _refuse_unread)
    if host in _LOCAL:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*_LOCAL, f"[{_LOCAL[-1]}]"])

    @app.post("/run", response_model=RunResponse, tags=["pipeline"])
    def run_pipeline(request: RunRequest, response: Response) -> RunSuccess | RunFailure:
        """Run pipelines; the answer comes when they have ended."""
        run_id, start = generate_timestamp(), time.perf_counter()
        try:
            outcome = runs.run(run_id, request)
        except BorderlineError as error:
            outcome = Outcome(str(error), status=1)
        took = round((time.perf_counter() - start) * 1000, 2)
        if not outcome.says:
            return RunSuccess(run_id=run_id, status="success", duration_ms=took)
        kind, response.status_code = _kind_of(outcome.status)
        logger.error("Run %s: %s", run_id, outcome.says)
        detail = ErrorDetail(type=kind, message=outcome.says)
        return RunFailure(run_id=run_id, status="failure", duration_ms=took, error=detail)

    @app.get("/snapshot", response_model=SnapshotResponse, tags=["inspection"])
    def get_snapshot(response: Response, params: str | None = None) -> Any:
        """The project's pipelines, datasets and settings."""
        if is_project:
            found = kedro["/snapshot"].endpoint(params=params)
        else:
            says = f"A snapshot needs a project, but {project} has no pyproject.toml."
            error = ErrorDetail(type=BorderlineError.__name__, message=says)
            found = SnapshotFailure(status="failure", error=error)
        if found.status == "failure":
            response.status_code = _BAD_INPUT
        return found

    return app, runs


@asynccontextmanager
async def _nothing_to_start(_: FastAPI) -> AsyncGenerator[None]:
    yield


def _kind_of(status: int | None) -> tuple[str, int]:
    """The type of an error and the status of the answer, from the exit status of the command."""
    if status is None:
        return "RuntimeError", _BUG
    if status == GateClosed.exit_status:
        return GateClosed.__name__, _BAD_INPUT
    return ("Stopped", _STOPPED) if status > 128 else (BorderlineError.__name__, _BAD_INPUT)


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    """One sentence about a request that is none."""
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"][1:]) or "body"
    given = reprlib.repr(fault.get("input"))
    message = f"{place} is {given}, but {fault['msg']}: correct the request."
    if isinstance(fault.get("input"), bytes):
        message = "The request has no header `Content-Type: application/json`: add it."
    if fault["type"] == "json_invalid":
        message = "The body of the request is not JSON: correct it."
    if fault["type"] == "extra_forbidden":
        known = list(RunRequest.model_fields)
        message = (
            f"Unknown field {place!r}{did_you_mean(place, known)}: a request has "
            f"{', '.join(known)}. Environment and conf source are options of `kedro server start`."
        )
    return _refusal(message, _BAD_INPUT)


async def _refuse_unread(_: Request, error: Exception) -> JSONResponse:
    """One sentence about a request for another address, or one that is nested too deep."""
    assert isinstance(error, HTTPException)
    return _refusal(f"{error.detail}: correct the request.", error.status_code)


def _refusal(message: str, status: int) -> JSONResponse:
    detail = {"type": BorderlineError.__name__, "message": message}
    return JSONResponse({"status": "failure", "error": detail}, status)
