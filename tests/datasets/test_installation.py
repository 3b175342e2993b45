from __future__ import annotations

import platform
import re
from datetime import date
from importlib.metadata import version

import pytest
from kedro.io import DatasetError

from borderline.datasets import Installation


def test_versions_are_those_of_what_the_project_asks_for() -> None:
    found = Installation().load()
    assert found["python"] == platform.python_version()
    assert found["packages"]["torch"] == version("torch")
    assert found["packages"]["borderline"] == version("borderline")
    assert {"kedro", "plotly", "umap-learn"} <= set(found["packages"])
    assert not {"pytest", "wandb", "ruff"} & set(found["packages"]), "those of extras are no part"
    assert date.fromisoformat(found["date"])


def test_nothing_tells_whose_machine_it_was() -> None:
    said = str(Installation().load())
    assert (platform.node() or "a machine without a name") not in said
    assert not re.search(r"/home|/root|/Users", said)


def test_installation_is_only_read() -> None:
    assert Installation().exists()
    with pytest.raises(DatasetError, match="only read"):
        Installation().save({})
