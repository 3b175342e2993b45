"""Gives the examples in docstrings a folder of their own, ``tmp_path``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _folder_of_examples(doctest_namespace: dict[str, Any], tmp_path: Path) -> None:
    doctest_namespace["tmp_path"] = tmp_path
