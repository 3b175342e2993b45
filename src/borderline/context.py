"""The project's context: checks every setting and lays out the grid before anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext

from borderline import grid
from borderline.datasets.buckets import with_credentials
from borderline.imported.catalog import imported_files
from borderline.params import CHANGE_NO_RESULT, CallParams, flat
from borderline.preflight.configuration import (
    imported_generators,
    imported_models,
    pair_up,
    taken_apart,
)
from borderline.preflight.reading import check_paths, read_globals, read_parameters


class BorderlineContext(KedroContext):
    """Kedro's context, for the one moment at which configuration is there and pipelines are not.

    A hook would do for ``kedro run``, but ``kedro viz`` leaves hooks out.

    Attributes:
        checked: Every setting, typed, with an entry for each generator of the layout.
        lists: The grid as configured.
        layout: The grid taken apart.
        about: What the run is about, typed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = self._runtime_params or {}
        # Where results go is no setting of the run, but --params may say it, as in the catalog.
        folder = {name: asked[name] for name in ("data_folder",) if name in asked}
        # First, for the parameters are made with them.
        self.about = read_globals({**self.config_loader["globals"], **folder})
        if self.about.credentials is not None:
            self.config_loader["catalog"] = with_credentials(
                self.config_loader["catalog"],
                self.about.credentials,
                self.about.data_folder,
                self._get_config_credentials(),
            )
        parameters = self.config_loader["parameters"]
        self.checked = read_parameters({n: own for n, own in parameters.items() if n not in folder})
        self.lists = self.checked.grid
        check_paths(self.checked, self.about, asked)
        self.layout = grid.lay_out(
            self.checked.grid,
            self.checked.generators,
            trains_gan=self.about.step_1_checkpoints is None,
        )
        self.layout = replace(
            self.layout,
            pairing=pair_up(self.checked),
            imported=tuple(imported_models(self.checked)),
        )
        matters = {name: own for name, own in asked.items() if name not in CHANGE_NO_RESULT}
        call = CallParams(environment=self.env, changed=dict(flat(matters)))
        self.checked = taken_apart(self.checked, self.layout, call)
        # The loader's way to say what Kedro is to take for the parameters from here on.
        self.config_loader["parameters"] = self.checked.model_dump(mode="json")
        self.config_loader["catalog"] = {
            **_at_home(self.config_loader["catalog"]),
            **imported_files(
                imported_models(self.checked), imported_generators(self.layout), self.layout
            ),
        }
        grid.use(self.layout)

    @property
    def params(self) -> dict[str, Any]:
        """The checked settings, as nodes take them: typed.

        Kedro would take the types from the nodes' annotations, which only type checkers import.
        """
        return {name: getattr(self.checked, name) for name in type(self.checked).model_fields}

    def _get_config_credentials(self) -> dict[str, Any]:
        """Those of the environment, and those of ``conf/local`` in any environment.

        Kedro reads ``conf/local`` only where no environment is named, but nobody should have to put
        a key anywhere else.
        """
        loader: Any = self.config_loader
        local = Path(loader.conf_source) / "local"
        own: dict[str, Any] = (
            loader.load_and_merge_dir_config(
                str(local), loader.config_patterns["credentials"], "credentials", set(), True
            )
            if local.is_dir()
            else {}
        )
        return own | super()._get_config_credentials()


def _at_home(catalog: dict[str, Any]) -> dict[str, Any]:
    """The catalog with the place of the images spelt out, where it begins with ``~``."""
    source = catalog["source"]
    path = source.get("path")
    if isinstance(path, str) and path.startswith("~"):
        source = {**source, "path": str(Path(path).expanduser())}
    return {**catalog, "source": source}
