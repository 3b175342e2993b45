"""The ways to the boundary: one file each, found by its name.

Every command imports a kind's file, so it imports its science inside the nodes, and the science
never imports the kind. docs/generators.md shows how to add one.
"""

from __future__ import annotations

import pkgutil
from functools import reduce
from importlib import import_module
from operator import or_
from typing import TYPE_CHECKING, Annotated, Protocol

from kedro.pipeline import Pipeline
from pydantic import Field

from borderline.params import GeneratorParams


class Kind(Protocol):
    """The content of a kind's file; the ``kind`` of its settings is the name of the file."""

    Settings: type[GeneratorParams]

    def create_pipeline(self, settings: GeneratorParams) -> Pipeline:
        """The nodes that make ``sampler``; docs/generators.md lists their possible inputs."""

    def create_shared_pipeline(self, settings: GeneratorParams) -> Pipeline:
        """The nodes that all models share; only of a kind with ``trains_once``."""


KINDS: dict[str, Kind] = {
    module.name: import_module(f"{__name__}.{module.name}")
    for module in pkgutil.iter_modules(__path__)
}

if TYPE_CHECKING:
    AnyGenerator = GeneratorParams
else:
    _settings = [kind.Settings for kind in KINDS.values()]
    AnyGenerator = Annotated[reduce(or_, _settings), Field(discriminator="kind")]
