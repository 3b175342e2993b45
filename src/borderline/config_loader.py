"""Reads the settings of an environment, with the presets that it names."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from borderline.errors import BorderlineError, did_you_mean
from borderline.params import merged

# Kedro's own call.
warnings.filterwarnings("ignore", message=".*register_new_resolver.*")

PRESET = "preset"
"""The entry of ``parameters*.yml`` that names a file of ``conf/presets``."""


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader of ``conf``, with presets: settings that several environments share.

    A preset is a file of ``conf/presets``, which an environment or another preset names. Settings
    of ``--params`` precede those of the environment, then come the preset and ``conf/base``.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of one kind."""
        config: dict[str, Any] = super().__getitem__(key)
        preset = config.pop(PRESET, None) if key == "parameters" else None
        if preset is None:
            return config
        above: dict[str, Any] = self.runtime_params or {}
        environment = self.env or self.default_run_env
        if environment != self.base_env:
            folder, patterns = self._get_conf_env_path(environment), self.config_patterns[key]
            values = self.load_and_merge_dir_config(folder, patterns, key, set())
            above = merged(values, above)
        settings = merged(merged(config, self._preset(preset)), above)
        return {name: value for name, value in settings.items() if name != PRESET}

    @staticmethod
    def _soft_merge(
        config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None
    ) -> dict[str, Any]:
        """Merge the settings of an environment into those of ``conf/base``.

        Both are plain and resolved here. Kedro's own merge converts them to OmegaConf and back,
        which takes a tenth of a second.
        """
        return merged(config, env_config)

    def _preset(self, name: str, below: tuple[str, ...] = ()) -> dict[str, Any]:
        """The settings of a preset and of the preset that it names; ``below`` named this one."""
        folder = self._get_conf_env_path("presets")
        names = sorted(Path(path).stem for path in self._fs.glob(f"{folder}/*.yml"))
        if name not in names:
            raise BorderlineError(
                f"preset is {name!r}{did_you_mean(str(name), names)}: choose one of "
                f"{', '.join(names)} (conf/presets), or remove it."
            )
        if name in below:
            raise BorderlineError(
                f"preset is {name!r}, which names itself in conf/presets "
                f"({' -> '.join([*below, name])}): remove preset from one of these files."
            )
        values = self.load_and_merge_dir_config(folder, [f"{name}.yml"], "presets", set())
        beneath = values.pop(PRESET, None)
        return merged(self._preset(beneath, (*below, name)), values) if beneath else values


def base_parameters(conf: Path) -> dict[str, Any]:
    """The settings of ``conf/base`` alone."""
    return ConfigLoader(str(conf), base_env="base", default_run_env="base")["parameters"]
