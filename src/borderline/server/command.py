"""``kedro server start``: Kedro's options, and the server of this project."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click
from kedro.framework.cli.server import server_start
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from borderline.commands.run import PlainSpokenCommand
from borderline.config_loader import ConfigLoader
from borderline.errors import BorderlineError


def start(*, host: str, port: int, reload: bool, env: str | None, conf_source: str | None) -> None:
    """Start the HTTP server: POST /run runs pipelines, as `kedro run` does.

    Anyone who can reach the port can run code under your account: keep the default host, or put
    a login in front of the server.
    """
    if reload:
        raise BorderlineError("--reload is for changes of Kedro's own server: remove it.")
    try:
        import fastapi  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        raise BorderlineError(
            f"kedro server start needs {error.name}: run `pip install 'borderline[server]'`."
        ) from error
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    # An environment that is not there ends the server now, and not each request.
    conf = conf_source or str(project / settings.CONF_SOURCE)
    ConfigLoader(conf, env=env, **settings.CONFIG_LOADER_ARGS)["globals"]
    from borderline.server.app import create_app

    app, runs = create_app(project, env, conf_source, host)

    class Server(uvicorn.Server):
        """Ends the runs before it waits for their answers."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            runs.stop()
            super().handle_exit(signal.Signals(sig), frame)

    Server(uvicorn.Config(app, host=host, port=port, log_level="info")).run()


@click.group("server")
def server() -> None:
    """Run pipelines on request, by HTTP."""


server.add_command(
    PlainSpokenCommand(
        name="start", callback=start, params=list(server_start.params), help=start.__doc__
    )
)
