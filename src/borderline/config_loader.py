"""Reads the settings of an environment, with the presets that it names.

Every fault of a file of ``conf`` becomes one sentence with the file and the line.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from borderline.errors import BorderlineError, closest, did_you_mean
from borderline.params import flat, merged
from borderline.quick import QUICK, lowered
from borderline.yaml_text import Fault, Scalar, decoded, fault_in, is_suspicious, scalars

# Kedro's own call.
warnings.filterwarnings("ignore", message=".*register_new_resolver.*")

PRESET = "preset"
"""The entry of ``parameters*.yml`` that names a file of ``conf/presets``."""
PRESETS = "presets"
"""The folder of presets, and the kind of its files."""
_KINDS = ("globals", "parameters", "catalog", "credentials")
_SUFFIXES = (".yml", ".yaml", ".json")


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader of ``conf``, with presets: settings that several environments share.

    A preset is a file of ``conf/presets``, which an environment or another preset names. Settings
    of ``--params`` precede those of the environment, then come the preset and ``conf/base``. In a
    quick run the limits of ``conf/presets/quick.yml`` hold for all but ``--params``.

    Attributes:
        files: The values as written of all files that were read, by kind and path.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.files: dict[str, dict[Path, Any]] = {}
        self._checked: set[str] = set()
        _check_place(str(kwargs.get("conf_source", args[0] if args else "")))
        super().__init__(*args, **kwargs)

    @property
    def is_folder(self) -> bool:
        """Whether the settings are in a folder, and not in an archive or at an address."""
        return bool(self._protocol == "file")

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The configuration of one kind."""
        config: dict[str, Any] = super().__getitem__(key)
        if key != "parameters" or key in self:
            return config
        given = _values_at(config, self.runtime_params or {})
        preset = config.pop(PRESET, None)
        if preset is not None:
            above: dict[str, Any] = {}
            environment = self.env or self.default_run_env
            if environment != self.base_env:
                folder, patterns = self._get_conf_env_path(environment), self.config_patterns[key]
                above = self.load_and_merge_dir_config(folder, patterns, key, set())
            config = merged(merged(merged(config, self._preset(preset)), above), given)
        if _is_quick(config):
            config = merged(lowered(config, self._limits()), given)
        return {name: value for name, value in config.items() if name != PRESET}

    def __setitem__(self, key: str, value: Any) -> None:
        """Replace the configuration of one kind; references to globals follow."""
        if key == "globals":
            # Kedro keeps a copy.
            self._globals_oc = None
        super().__setitem__(key, value)

    def _get_globals_value(self, variable: str, *default: Any) -> Any:
        """The value of ``${globals:<variable>}``; no name in it is a reference any more."""
        if not self._globals_oc:
            self._globals_oc = OmegaConf.create(escaped(self._globals))
        return super()._get_globals_value(variable, *default)

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
        folder = self._get_conf_env_path(PRESETS)
        names = sorted(Path(path).stem for path in self._fs.glob(f"{folder}/*.yml"))
        names = [known for known in names if known != QUICK]
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
        values = self.load_and_merge_dir_config(folder, [f"{name}.yml"], PRESETS, set())
        beneath = values.pop(PRESET, None)
        return merged(self._preset(beneath, (*below, name)), values) if beneath else values

    def _limits(self) -> dict[str, Any]:
        """The limits of a quick run; a step 1 from elsewhere keeps its settings."""
        folder = self._get_conf_env_path(PRESETS)
        limits = self.load_and_merge_dir_config(folder, [f"{QUICK}.yml"], PRESETS, set())
        if not limits:
            raise BorderlineError(f"A quick run needs conf/presets/{QUICK}.yml: restore this file.")
        given = self._globals.get("step_1_checkpoints") is not None
        return {name: value for name, value in limits.items() if not (given and name == "gan")}

    def _read_dir_configs(
        self,
        conf_path: str,
        patterns: Iterable[str],
        key: str,
        processed_files: set[Path],
        read_environment_variables: bool | None = False,
    ) -> dict[Path, DictConfig]:
        """The files of a folder with their values as written.

        Raises:
            BorderlineError: When the folder or a file in it cannot be read.
        """
        has_folder = self._has_folder if self.is_folder else self._has_archived
        if not has_folder(Path(conf_path)):
            return {}
        patterns = list(patterns)
        try:
            configs: dict[Path, DictConfig] = super()._read_dir_configs(
                conf_path, patterns, key, processed_files, read_environment_variables
            )
            for path, config in configs.items():
                # Plain values, because Kedro merges other settings into these objects.
                values = config if key == "catalog" else _as_written(config)
                if is_suspicious(values, deep=key != "catalog"):
                    self._raise_fault(path, key)
                self.files.setdefault(key, {})[path] = values
        except (MissingConfigException, BorderlineError):
            raise
        except Exception as error:
            self._explain(error, conf_path, patterns, key)
            raise
        return configs

    def _has_folder(self, folder: Path) -> bool:
        """Check a folder of files once; False for the one of the default environment if missing."""
        if str(folder) in self._checked:
            return True
        named = self.env and folder == Path(self._get_conf_env_path(self.env))
        if named and (self.env == PRESETS or not folder.is_dir()):
            there = folder.parent.iterdir() if folder.parent.is_dir() else ()
            folders = [path for path in there if path.is_dir()]
            raise BorderlineError(_unknown_environment(folder, folders))
        if folder.name == self.base_env and not folder.is_dir():
            raise BorderlineError(
                f"The settings are in conf/base, but {folder} is not there: go to the folder of "
                "the project, or name an archive of settings with --conf-source."
            )
        if not folder.is_dir():
            return folder.name != self.default_run_env
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise BorderlineError(
                f"{self.shown(folder)} cannot be read ({error.strerror}): fix its permissions."
            ) from error
        for path in entries:
            reason = _not_read(path)
            if reason:
                raise BorderlineError(f"{self.shown(path)} is not read, because {reason}.")
        self._checked.add(str(folder))
        return True

    def _has_archived(self, folder: Path) -> bool:
        """The same for an archive or an address, which has no folder of secrets."""
        if self._fs.isdir(folder.as_posix()):
            return True
        if self.env == folder.name:
            paths = self._fs.ls(folder.parent.as_posix(), detail=False)
            raise BorderlineError(_unknown_environment(folder, [Path(path) for path in paths]))
        return folder.name != self.default_run_env

    def _explain(self, error: Exception, folder: str, patterns: Iterable[str], key: str) -> None:
        """Raise the sentence about an error while files were read, if a file has a fault."""
        found = {
            Path(path) for pattern in patterns for path in self._fs.glob(f"{folder}/{pattern}")
        }
        for path in sorted(found):
            if self._is_valid_config_path(path) and not self._is_hidden(str(path)):
                self._raise_fault(path, key, error)
        if isinstance(error, OmegaConfBaseException):
            # Kedro resolves references of credentials while it reads them.
            raise BorderlineError(self._unresolved(error, key, map(Path, found))) from error
        twice = re.match(r"Duplicate keys found in (.+) and (.+): ([^,\n]+)", str(error))
        if twice:
            files = " and ".join(sorted(self.shown(Path(path)) for path in twice.groups()[:2]))
            raise BorderlineError(
                f"{twice[3]} is set in {files}: remove it from one of these files."
            ) from error

    def _raise_fault(self, path: Path, key: str, error: Exception | None = None) -> None:
        try:
            content = self._fs.cat_file(path.as_posix())
        except OSError as unreadable:
            raise BorderlineError(
                f"{self.shown(path)} cannot be read ({unreadable.strerror or unreadable}): fix "
                "its permissions, or remove it."
            ) from unreadable
        text = decoded(content)
        fault = text if isinstance(text, Fault) else fault_in(text, deep=key != "catalog")
        if fault is not None:
            place = f"{fault.place} of " if fault.place else ""
            raise BorderlineError(
                f"{place[:1].upper()}{place[1:]}{self.shown(path)} cannot be read, because "
                f"{fault.reason}."
            ) from error

    def _merge_and_resolve(
        self, key: str, config_per_file: dict[Path, DictConfig]
    ) -> dict[str, Any]:
        """Merge the files of a folder and resolve their references.

        Raises:
            BorderlineError: When a reference cannot be resolved.
        """
        given = self.runtime_params
        try:
            try:
                values: dict[str, Any] = super()._merge_and_resolve(key, config_per_file)
            except TypeError:
                # A list in --params for a group; the checks of the settings say so.
                self.runtime_params = {}
                values = merged(super()._merge_and_resolve(key, config_per_file), given or {})
        except TypeError as error:
            files = " and ".join(sorted(map(self.shown, config_per_file)))
            raise BorderlineError(
                f"{files} set the same setting, once as a list and once as a group: remove it from "
                "one of these files."
            ) from error
        except (OmegaConfBaseException, RecursionError) as error:
            raise BorderlineError(self._unresolved(error, key, config_per_file)) from error
        finally:
            self.runtime_params = given
        return values

    def _unresolved(self, error: Exception, key: str, files: Iterable[Path]) -> str:
        name, message = str(getattr(error, "full_key", None) or ""), str(error)
        place, shown = f"{key} in conf", ""
        given = dict(flat(self.runtime_params or {})) if key == "parameters" else {}
        if name in given:
            place, shown = f"{name} in --params", f"{given[name]!r}"
        for path in files if name not in given else ():
            scalar = self.written(path, name)
            if scalar is not None:
                place = f"{name} in line {scalar.line} of {self.shown(path)}"
                # A credential is not shown.
                shown = "a reference" if key == "credentials" else repr(scalar.text)
        return f"{place} is {shown or 'a reference'}, but {self._why(message, key)}."

    def _why(self, message: str, key: str) -> str:
        in_globals = re.search(r"Globals key '(.+?)' not found", message)
        if in_globals:
            known = [name for name, _ in flat(self._globals)]
            hint = did_you_mean(in_globals[1], known)
            return (
                f"globals.yml has no entry {in_globals[1]!r}{hint}: correct the name, or add it to "
                "conf/<env>/globals.yml"
            )
        variable = re.search(r"Environment variable '(.+)' not found", message)
        if variable:
            return f"the environment variable {variable[1]} is not set: set it, or correct the name"
        given = re.search(r"Runtime parameter '(.+?)' not found", message)
        if given:
            return (
                f"--params does not set {given[1]!r}: set it, or give the reference a default, "
                f"${{runtime_params:{given[1]}, <value>}}"
            )
        resolver = re.search(r"Unsupported interpolation type (\S+)", message)
        if resolver and (key, resolver[1]) == ("globals", "runtime_params"):
            return "globals.yml cannot refer to --params: write the value itself"
        if resolver:
            return (
                f"{resolver[1]!r} is no kind of reference: use ${{globals:<name>}}, "
                "${runtime_params:<name>} or ${<name>}"
            )
        if "'_globals'" in message:
            return "globals.yml is read first: write ${<name>} for its own entries"
        missing = re.search(r"Interpolation key '(.+?)' not found", message)
        if missing:
            return (
                f"{missing[1]!r} is not in the {key} files of the same folder: correct the name, "
                "or write the value itself"
            )
        if "Recursive" in message or "recursion" in message:
            return "this leads back to itself: write the value itself"
        return f"this cannot be resolved ({message.partition(chr(10))[0]}): correct it"

    def written(self, path: Path, name: str) -> Scalar | None:
        """A value as it is written in a file, by dotted name; None if the file has none."""
        try:
            return scalars(self._fs.cat_file(path.as_posix()).decode("utf-8")).get(name)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return None

    def shown(self, path: Path) -> str:
        """The path of a file as users write it: ``conf/base/globals.yml``."""
        project = Path(self.conf_source).parent
        return str(path.relative_to(project) if path.is_relative_to(project) else path)


def escaped(value: Any) -> Any:
    """A value as a file of ``conf`` must hold it, so that ``${`` in a text is no reference."""
    if isinstance(value, Mapping):
        return {name: escaped(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(entry) for entry in value]
    if not isinstance(value, str):
        return value
    return type(value)(re.sub(r"(\\*)\$\{", r"\1\1\\${", value))


def _check_place(conf: str) -> None:
    pattern = re.search(r"[*?\[\]]|::", conf)
    if pattern:
        raise BorderlineError(
            f"The settings are in {conf}, but Kedro reads {pattern[0]!r} there as a pattern: "
            "rename that folder, or move the project."
        )


def _is_quick(config: Mapping[str, Any]) -> bool:
    run = config.get("run")
    return isinstance(run, Mapping) and run.get("quick") is True


def _values_at(config: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a configuration at the places that the second one names."""
    return {
        name: _values_at(config[name], value)
        if isinstance(value, Mapping) and isinstance(config[name], Mapping)
        else config[name]
        for name, value in named.items()
        if name in config
    }


def _as_written(config: Any) -> Any:
    """The values of a file with their references."""
    return OmegaConf.to_container(config, resolve=False)


def _not_read(path: Path) -> str:
    """The reason why Kedro would pass over a file in silence; empty for no reason."""
    if path.suffix not in _SUFFIXES or path.name.startswith("."):
        return ""
    if path.is_dir():
        return "it is a folder: put its files into the folder above, or rename it"
    if not path.exists():
        return "it is a link to a file that is not there: correct the link, or remove it"
    if path.name == "globals.yml" or path.name.startswith(_KINDS[1:]):
        return ""
    kind = closest(path.stem.lower(), _KINDS, cutoff=0.7)
    if kind is None:
        return ""
    name = "globals.yml" if kind == "globals" else f"{kind}{path.suffix}"
    return f"settings stand in globals.yml, parameters*.yml and catalog*.yml: rename it to {name}"


def _unknown_environment(folder: Path, folders: Iterable[Path]) -> str:
    known = sorted(
        path.name
        for path in folders
        if not path.suffix and path.name not in (PRESETS, "local") and path.name[0] not in "._"
    )
    return (
        f"--env is {folder.name!r}{did_you_mean(folder.name, known)}: choose one of "
        f"{', '.join(known)} (folders of {folder.parent.name}), or write one with `kedro new-case`."
    )


def base_settings(conf: Path, kind: str = "parameters") -> dict[str, Any]:
    """The settings of ``conf/base`` alone, of one kind."""
    return ConfigLoader(str(conf), base_env="base", default_run_env="base")[kind]
