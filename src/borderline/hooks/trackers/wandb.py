"""Weights & Biases."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borderline.names import plain_name
from borderline.params import TrackingParams

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


def open_wandb(settings: TrackingParams, folder: Path) -> WandbTracker | None:
    """The tracker; None if it is disabled. Its files stay in ``<folder>/wandb``."""
    if os.environ.get("WANDB_MODE", settings.mode) == "disabled":
        return None
    # The tracker's files stay with the results, and it sends no error reports.
    for name, value in (
        ("WANDB_DATA_DIR", str(folder / "wandb" / "data")),
        ("WANDB_CACHE_DIR", str(folder / "wandb" / "cache")),
        ("WANDB_ERROR_REPORTING", "false"),
    ):
        os.environ.setdefault(name, value)
    folder.mkdir(parents=True, exist_ok=True)
    return WandbTracker(importlib.import_module("wandb"), settings, folder)


class WandbTracker:
    """Runs in one group of one project."""

    def __init__(self, wandb: Any, settings: TrackingParams, folder: Path) -> None:
        self._wandb, self._settings, self._folder = wandb, settings, folder

    def start(self, name: str, kind: str, group: str, config: Mapping[str, Any]) -> WandbRun:
        """Start a run, whose job type is its kind."""
        settings, environment = self._settings, os.environ
        options = {
            "WANDB_MODE": ("mode", settings.mode),
            "WANDB_PROJECT": ("project", settings.project),
            "WANDB_ENTITY": ("entity", settings.entity),
            "WANDB_TAGS": ("tags", list(settings.tags)),
            "WANDB_RUN_GROUP": ("group", group),
            "WANDB_DIR": ("dir", str(self._folder)),
        }
        # The tracker prefers arguments to the environment, but the user's environment decides.
        arguments = dict(o for variable, o in options.items() if variable not in environment)
        run = self._wandb.init(
            **arguments,
            name=name,
            job_type=kind,
            config=dict(config),
            reinit="create_new",
            settings=self._wandb.Settings(
                console="off", silent=True, disable_git=True, disable_code=True
            ),
        )
        return WandbRun(self._wandb, run)


class WandbRun:
    """A run; see :class:`borderline.hooks.trackers.TrackedRun`."""

    def __init__(self, wandb: Any, run: Any) -> None:
        self._wandb, self._run = wandb, run
        self._curves: set[str] = set()

    def log_row(self, name: str, row: Mapping[str, float], step: str | None) -> None:
        """Log a point of each curve."""
        if step is not None and name not in self._curves:
            self._curves.add(name)
            self._run.define_metric(f"{name}/*", step_metric=f"{name}/{step}")
        self._run.log({f"{name}/{column}": value for column, value in row.items()})

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Log a table."""
        self._run.log({name: self._wandb.Table(dataframe=table, allow_mixed_types=True)})

    def log_picture(self, name: str, content: bytes) -> None:
        """Log a picture."""
        self._run.log({name: self._image(content, name)})

    def log_samples(self, name: str, pictures: Mapping[str, bytes]) -> None:
        """Log pictures side by side."""
        self._run.log({name: [self._image(pictures[key], key) for key in sorted(pictures)]})

    def log_chart(self, name: str, chart: Figure) -> None:
        """Log a chart."""
        self._run.log({name: self._wandb.Plotly(chart)})

    def summarise(self, scores: Mapping[str, float]) -> None:
        """Add scores to the summary."""
        self._run.summary.update(dict(scores))

    def keep_files(self, name: str, files: Iterable[tuple[str, Path]]) -> None:
        """Keep files as one artifact."""
        # The tracker allows no blanks and no long names here.
        artifact = self._wandb.Artifact(plain_name(name), type="results")
        for file, path in files:
            artifact.add_file(str(path), name=file)
        self._run.log_artifact(artifact)

    def finish(self, exit_code: int) -> None:
        """End the run."""
        self._run.finish(exit_code=exit_code)

    def _image(self, content: bytes, caption: str) -> Any:
        from PIL import Image

        return self._wandb.Image(Image.open(BytesIO(content)), caption=caption)
