"""The project's context: it checks the settings and lays out the grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import settings

from borderline import grid
from borderline.config_loader import PRESETS
from borderline.datasets.buckets import located, with_credentials
from borderline.datasets.keys import FILE, with_key
from borderline.errors import BorderlineError
from borderline.imported.catalog import imported_files, pretrained_files
from borderline.params import CallParams, Mark, flat
from borderline.pipelines.compare.folder import name_of_comparison
from borderline.pipelines.explain_images.entries import name_of_results, own_images_entry
from borderline.pipelines.gasten.noise_file import noise_entry
from borderline.pipelines.gate.suites import suites_entry
from borderline.pipelines.suite.merged import merged_entry
from borderline.preflight.configuration import (
    Derived,
    Globals,
    Parameters,
    imported_generators,
    imported_judge,
    imported_models,
    laid_out,
    pair_up,
    pretrained_models,
    repaired_models,
    trained_members,
)
from borderline.preflight.reading import check_paths, read_globals, read_parameters
from borderline.preflight.written import check_files, check_names_as_written
from borderline.quick import quick_name


class BorderlineContext(KedroContext):
    """Kedro's context, made after the configuration is read and before pipelines are built.

    This is not a hook, because ``kedro viz`` runs without hooks.

    Attributes:
        checked: All settings, with an entry for each generator of the layout.
        derived: Values that derive from them.
        lists: The grid as configured.
        layout: All models and generators of the grid.
        about: ``globals.yml``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        changed = self._runtime_params or {}
        # These entries of globals.yml are no parameters, but --params can change them.
        names = ("data_folder", "trust_data_folder", "step_1_checkpoints")
        folder = {name: changed[name] for name in names if name in changed}
        loader: Any = self.config_loader
        # First, because parameters contain globals.
        about = loader["globals"]
        check_files(loader, ("globals",), Globals)
        self.about = _located(read_globals({**about, **folder}), self.project_path)
        parameters = loader["parameters"]
        check_files(loader, ("parameters", PRESETS), Parameters)
        check_names_as_written(changed, Parameters)
        checked = read_parameters({n: v for n, v in parameters.items() if n not in folder})
        if checked.run.quick:
            # Before the catalog, whose paths contain the name of the images.
            self.about = self.about.model_copy(update={"dataset": quick_name(self.about.dataset)})
        pairing = pair_up(checked)
        folders = {
            "images": name_of_results(checked.images, self.project_path),
            "comparison": name_of_comparison(pairing, checked.other_run, self.project_path),
        }
        loader["globals"] = {**about, **self.about.names(), **folders}
        if self.about.credentials is not None:
            self.config_loader["catalog"] = with_credentials(
                self.config_loader["catalog"],
                self.about.credentials,
                self.about.data_folder,
                self._get_config_credentials(),
            )
        self.lists = checked.grid
        check_paths(checked, self.about, changed)
        trains_gan = self.about.step_1_checkpoints is None
        self.layout = replace(
            grid.lay_out(checked.grid, checked.generators, trains_gan=trains_gan),
            pairing=pairing,
            imported=tuple(imported_models(checked)),
            pretrained=tuple(pretrained_models(checked)),
            repaired=repaired_models(checked),
            members=tuple(trained_members(checked)),
            also=bool(checked.clustering.also),
            alone=checked.clustering.alone,
            epoch_judges=checked.metrics.epoch_judges,
            epoch_reference=checked.metrics.epoch_reference,
            front=checked.metrics.front,
            noise_file=checked.generation.noise_file is not None,
            limits=checked.gate.has_limits,
            suites=bool(checked.gate.suites),
        )
        self.checked = laid_out(checked, self.layout)
        beside = Parameters.marked(Mark.BESIDE) | Globals.marked(Mark.BESIDE)
        self.derived = Derived(
            runs=grid.seeds(checked.grid, checked.run),
            gans=self.layout.gans(),
            members=trained_members(checked),
            call=CallParams(
                environment=self.env,
                changed=dict(flat({n: v for n, v in changed.items() if n not in beside})),
                listed=tuple(name for name in Parameters.model_fields if name not in beside),
            ),
            pairing=pairing,
        )
        # From now on Kedro takes these parameters.
        self.config_loader["parameters"] = {**self.checked.plain(), **self.derived.plain()}
        imported = imported_files(
            imported_models(self.checked),
            imported_generators(self.layout),
            imported_judge(self.checked),
            self.layout,
        )
        catalog = {
            **self.config_loader["catalog"],
            **imported,
            **pretrained_files(pretrained_models(self.checked)),
            **noise_entry(checked.generation),
            **suites_entry(checked.gate, self.project_path),
            **merged_entry(checked.suite, self.project_path),
            **own_images_entry(checked.images, dict(self.about.source), self.project_path),
        }
        self.config_loader["catalog"] = with_key(
            _at_home(catalog, self.project_path),
            str(self.local / FILE),
            trust=self.about.trust_data_folder,
            trust_other=self.checked.other_run.trust,
        )
        grid.use(self.layout)

    @property
    def params(self) -> dict[str, Any]:
        """The checked settings, as nodes take them: typed.

        Kedro would take the types from the nodes' annotations, which only type checkers import.
        """
        # Settings that nodes take without the group, and the name of the images in paths.
        single = {
            "metrics.epoch_reference": self.checked.metrics.epoch_reference,
            "generation.noise_file": self.checked.generation.noise_file,
            "dataset": self.about.dataset,
        }
        return {**dict(self.checked), **dict(self.derived), **single}

    @property
    def local(self) -> Path:
        """The folder of secrets; an archive of settings has none, so it is the project's then."""
        loader: Any = self.config_loader
        folder: str = loader.conf_source if loader.is_folder else settings.CONF_SOURCE
        return self.project_path / folder / "local"

    def _get_config_credentials(self) -> dict[str, Any]:
        """The credentials of the environment and of ``conf/local``.

        Kedro reads ``conf/local`` only if no environment is named.
        """
        local = self.local
        own: Any = self.config_loader
        loader = own if own.is_folder else type(own)(str(local.parent))
        credentials: dict[str, Any] = (
            loader.load_and_merge_dir_config(
                str(local), loader.config_patterns["credentials"], "credentials", set(), True
            )
            if local.is_dir()
            else {}
        )
        return credentials | super()._get_config_credentials()


def _at_home(catalog: dict[str, Any], project: Path) -> dict[str, Any]:
    """The catalog with whole paths, in which every character stands for itself."""
    for name, entry in catalog.items():
        if not isinstance(entry, dict):
            raise BorderlineError(
                f"The entry {name!r} of the catalog is {entry!r}, but it must be a group of "
                "settings with a type: correct it in conf/<env>/catalog*.yml."
            )
    return {name: _with_whole_paths(entry, project) for name, entry in catalog.items()}


def _with_whole_paths(entry: dict[str, Any], project: Path) -> dict[str, Any]:
    """An entry of the catalog with whole paths, which Kedro reads only in one way."""
    whole = dict(entry)
    for name, value in entry.items():
        if isinstance(value, dict):
            whole[name] = _with_whole_paths(value, project)
        elif name in ("filepath", "path", "folder") and isinstance(value, str):
            whole[name] = located(value, project)
    return whole


def _located(about: Globals, project: Path) -> Globals:
    return about.model_copy(update={"data_folder": located(about.data_folder, project)})
