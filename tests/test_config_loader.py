"""Presets, and that every setting stands in conf/base."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from borderline.config_loader import PRESET, ConfigLoader
from borderline.datasets import ImageSource
from borderline.errors import BorderlineError
from borderline.names import name_of_pair
from borderline.params import Params
from borderline.preflight.configuration import Globals, Parameters, SourceGlobals
from borderline.preflight.reading import with_kinds
from borderline.preflight.sentences import KINDS_OF
from borderline.settings import CONFIG_LOADER_ARGS
from conftest import ENVIRONMENTS, ROOT, base_settings, loader_of


def test_all_settings_of_the_source_reach_it() -> None:
    catalog = yaml.safe_load((ROOT / "conf/base/catalog_classifier.yml").read_text())
    known = set(inspect.signature(ImageSource.__init__).parameters) - {"self"}
    assert set(catalog["source"]) - {"type"} == known


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """An environment whose preset names another."""
    files: dict[str, dict[str, Any]] = {
        "base/parameters.yml": {"preset": None, "a": 0, "b": 0, "group": {"c": 0, "d": None}},
        "presets/one.yml": {"a": 1, "b": 1, "group": {"c": 1, "d": {"e": 1}}},
        "presets/two.yml": {"preset": "one", "group": {"c": 2}},
        "presets/round.yml": {"preset": "about"},
        "presets/about.yml": {"preset": "round"},
        "mine/parameters.yml": {"preset": "two", "b": 3},
        "plain/parameters.yml": {"b": 3},
        "other/parameters.yml": {"preset": "twos"},
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content))
    return tmp_path


def settings(conf: Path, environment: str, **changed: Any) -> dict[str, Any]:
    return loader_of(conf, environment, **changed)["parameters"]


@pytest.mark.parametrize(
    ("environment", "changed", "expected"),
    [
        ("base", {}, {"a": 0, "b": 0, "group": {"c": 0, "d": None}}),
        ("plain", {}, {"a": 0, "b": 3, "group": {"c": 0, "d": None}}),
        ("mine", {}, {"a": 1, "b": 3, "group": {"c": 2, "d": {"e": 1}}}),
        (
            "mine",
            {"b": 4, "group": {"d": {"e": 4}}},
            {"a": 1, "b": 4, "group": {"c": 2, "d": {"e": 4}}},
        ),
        ("mine", {"preset": "one"}, {"a": 1, "b": 3, "group": {"c": 1, "d": {"e": 1}}}),
        ("base", {"preset": "one", "a": 4}, {"a": 4, "b": 1, "group": {"c": 1, "d": {"e": 1}}}),
        ("mine", {"preset": None}, {"a": 0, "b": 3, "group": {"c": 0, "d": None}}),
    ],
)
def test_preset_comes_between_base_and_environment(
    conf: Path, environment: str, changed: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert settings(conf, environment, **changed) == expected


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("image_folder", {"levels": ["site", "sort"]}, "different names, one of which is class"),
        ("image_folder", {"levels": ["class", "class"]}, "different names, one of which is class"),
        ("image_folder", {"levels": ["class"], "label_column": "y"}, "remove one"),
        ("table", {"levels": ["class"]}, "levels is for image_folder: remove it"),
        ("arrays", {"label_column": "y"}, "label_column is for table and image_folder"),
        ("image_folder", {"split_column": "y"}, "split_column is for table: remove it"),
    ],
)
def test_layouts_that_do_not_fit_the_kind_of_source(
    kind: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        SourceGlobals(kind=kind, path="x", **settings)


def test_class_name_is_one_folder_in_all_paths() -> None:
    pair = {"positive": "../../t-shirt/top", "negative": "a,b"}
    loader = ConfigLoader(str(ROOT / "conf"), runtime_params={"pair": pair}, **CONFIG_LOADER_ARGS)
    path = loader["catalog"]["pair_train"]["filepath"]
    name = f"mnist_sample_{name_of_pair(**pair)}"
    assert path == f"data/03_primary/{name}/pair_train.safetensors"


def test_presets_that_cannot_be(conf: Path) -> None:
    with pytest.raises(BorderlineError, match=r"preset is 'twos' \(did you mean 'two'\?\)"):
        settings(conf, "other")
    with pytest.raises(BorderlineError, match="round -> about -> round"):
        settings(conf, "mine", preset="round")


# Settings that an entry must set itself.
REQUIRED = {"kind", "latent_dim", "outputs", "filters", "name", "of"}


def assert_names(values: Mapping[str, Any], group: type[Params], required: set[str]) -> None:
    assert {*values, *required} == set(group.model_fields), group
    for name, value in values.items():
        inner = group.model_fields[name].annotation
        if isinstance(inner, type) and issubclass(inner, Params):
            assert_names(value, inner, required & set(inner.model_fields))


def test_every_setting_has_its_default_in_base_and_base_has_no_other() -> None:
    base = yaml.safe_load((ROOT / "conf/base/parameters.yml").read_text())
    assert base[PRESET] is None
    groups = {name: values for name, values in base_settings().items() if "_kinds" not in name}
    assert groups["judge"] == {"kind": "lenet"}, "the rest is in judge_kinds"
    assert_names(groups, Parameters, set())
    for group, kinds in KINDS_OF.items():
        defaults = base_settings()[f"{group.removesuffix('s')}_kinds"]
        for kind, model in kinds.items():
            required = REQUIRED & set(model.model_fields)
            assert_names(defaults[kind], model, required)


def test_every_entry_of_globals_is_shown_in_base() -> None:
    text = (ROOT / "conf/base/globals.yml").read_text()
    for name in (*Globals.model_fields, *SourceGlobals.model_fields, "case"):
        assert any(f"{start}{name}:" in text for start in ("\n", "\n  ", "# ")), name


def test_entry_of_a_kind_comes_before_its_defaults() -> None:
    raw = {
        "generators": {
            "one": {"kind": "gasten", "alpha": 3, "early_stopping": {"patience": 2}},
            "two": {"kind": "nosuch"},
            "three": 5,
        },
        "models": {"mine": {"kind": "imported", "input": {"size": 8}}, "cnn": {"kind": "cnn"}},
        "judge": {"kind": "lenet", "epochs": 2},
        "judge_kinds": {"lenet": {"members": 3, "epochs": 10}, "imported": {"columns": None}},
        "generator_kinds": {"gasten": {"alpha": None, "epochs": 7, "early_stopping": None}},
        "model_kinds": {"imported": {"input": {"size": None, "fit": False}}},
    }
    assert with_kinds(raw) == {
        "generators": {
            "one": {"kind": "gasten", "alpha": 3, "epochs": 7, "early_stopping": {"patience": 2}},
            "two": {"kind": "nosuch"},
            "three": 5,
        },
        "models": {
            "mine": {"kind": "imported", "input": {"size": 8, "fit": False}},
            "cnn": {"kind": "cnn"},
        },
        "judge": {"kind": "lenet", "members": 3, "epochs": 2},
    }
    assert with_kinds({"judge": 3}) == {"judge": 3}


def test_pair_environments_are_a_line_each() -> None:
    for name in ENVIRONMENTS:
        if name.startswith(("mnist_", "fashion_")):
            values = yaml.safe_load((ROOT / f"conf/{name}/parameters.yml").read_text())
            assert values == {PRESET: f"paper_{name.partition('_')[0]}"}
