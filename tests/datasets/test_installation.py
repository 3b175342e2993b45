from __future__ import annotations

import platform
import re
from datetime import date
from importlib.metadata import version

import pytest
from kedro.io import DatasetError

from borderline.datasets import Installation


def test_versions_are_those_of_what_the_project_asks_for() -> None:
    loaded = Installation().load()
    assert loaded["python"] == platform.python_version()
    assert loaded["packages"]["torch"] == version("torch")
    assert loaded["packages"]["borderline"] == version("borderline")
    assert {"kedro", "plotly", "umap-learn"} <= set(loaded["packages"])
    assert not {"pytest", "wandb", "ruff"} & set(loaded["packages"]), "those of extras are no part"
    assert date.fromisoformat(loaded["date"])


def test_nothing_tells_whose_machine_it_was() -> None:
    text = str(Installation().load())
    assert (platform.node() or "a machine without a name") not in text
    assert not re.search(r"/home|/root|/Users", text)


def test_installation_is_only_read() -> None:
    assert Installation().exists()
    with pytest.raises(DatasetError, match="only read"):
        Installation().save({})
