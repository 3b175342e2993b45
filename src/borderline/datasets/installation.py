"""The versions and processors that a run uses, for the report."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import requires, version
from typing import Any

from borderline.datasets.atomic import ReadOnlyDataset

_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Installation(ReadOnlyDataset[dict[str, Any]]):
    """Versions of Python, of Borderline and of the packages it requires, and the machine's kind.

    It loads as ``python``, ``platform``, ``cores``, ``threads``, ``packages`` (versions by name)
    and ``date``. It leaves out the machine's name, because reports are passed on.

    Example:
        >>> sorted(Installation().load())
        ['cores', 'date', 'packages', 'platform', 'python', 'threads']
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """The versions and the machine at this moment."""
        import torch

        lines = [line for line in requires("borderline") or [] if "extra ==" not in line]
        required = (name.group().lower() for name in map(_NAME.match, lines) if name)
        names = ["borderline", *sorted(required)]
        return {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "date": datetime.now(UTC).date().isoformat(),
            "packages": {name: version(name) for name in names},
        }

    def _describe(self) -> dict[str, Any]:
        return {}
