"""The files of an environment that ``kedro new-case`` writes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from borderline.config_loader import escaped
from borderline.datasets.image_kinds import kind_of_images
from borderline.plain_text import in_one_line, visible

CONF = Path("conf")

_OF_SOURCE = (
    *("classes", "levels", "file_column", "label_column", "split_column", "folder"),
    *("group_column", "size", "colour", "range", "fit", "broken"),
)


class _Quoted(str):
    """A text that is quoted, since YAML takes names such as 01, 1e3 or no for something else."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Quoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'")
)


def globals_of(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``globals.yml``; names of classes stay as they are written."""
    source: dict[str, Any] = {"kind": kind_of_images(options["images"])}
    if options["images"] != "mnist_sample":
        source["path"] = options["images"]
    source |= {key: options[key] for key in _OF_SOURCE if options.get(key)}
    pair = {side: options[side] for side in ("positive", "negative")}
    return {"dataset": name, "source": source, "pair": pair}


def write_case(
    name: str, about: Mapping[str, Any], parameters: Mapping[str, Any], comment: str
) -> None:
    """Write the files of the environment; either all or none.

    Args:
        name: The name of the environment.
        about: The content of ``globals.yml``.
        parameters: The content of ``parameters.yml``.
        comment: The first line of ``parameters.yml``.
    """
    pair = {side: _Quoted(text) for side, text in about["pair"].items()}
    source = dict(about["source"])
    if "classes" in source:
        source["classes"] = [_Quoted(text) for text in source["classes"]]
    files = {
        "globals.yml": (
            f"{pair['positive']} (positive) against {pair['negative']}.",
            {**about, "source": source, "pair": pair},
        ),
        "parameters.yml": (comment, parameters),
    }
    CONF.mkdir(exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new_case_", dir=CONF))
    try:
        for file, (line, content) in files.items():
            # A class may have a line break in its name.
            text = f"# {in_one_line(line)}\n{_as_yaml(content)}"
            (beside / file).write_text(text, encoding="utf-8")
        beside.chmod(0o755)
        beside.rename(CONF / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _as_yaml(content: Mapping[str, Any]) -> str:
    """The content as YAML, with letters of all languages unless one of its characters is hidden."""
    form: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "width": 100}
    text: str = yaml.dump(escaped(content), Dumper=_Dumper, allow_unicode=True, **form)
    if visible(text, "\n") != text:
        text = yaml.dump(escaped(content), Dumper=_Dumper, **form)
    return text
