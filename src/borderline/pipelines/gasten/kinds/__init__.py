"""The ways to the boundary: one file each, found by its name.

A kind's file has ``Settings``, a :class:`~borderline.params.GeneratorParams` whose ``kind`` is the
name of the file, and ``create_pipeline(settings)``, the nodes that make its
:class:`~borderline.sampling.Sampler`. Every command imports it, so it imports its science inside
the nodes. docs/generators.md shows how to add one.
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
    """The content of a kind's file."""

    Settings: type[GeneratorParams]

    def create_pipeline(self, settings: GeneratorParams) -> Pipeline:
        """The nodes that make ``sampler``.

        They may take ``pair_train``, ``test_noise``, ``judge``, ``real_features``, ``classifier``,
        ``real_view``, ``gan.checkpoints``, ``<name>.generator`` and ``<name>.discriminator`` of
        another generator, ``checkpoints_so_far``, ``imported_file``, and the settings,
        ``params:generator``.
        """


KINDS: dict[str, Kind] = {
    module.name: import_module(f"{__name__}.{module.name}")
    for module in pkgutil.iter_modules(__path__)
}

if TYPE_CHECKING:
    AnyGenerator = GeneratorParams
else:
    _settings = [kind.Settings for kind in KINDS.values()]
    AnyGenerator = Annotated[reduce(or_, _settings), Field(discriminator="kind")]
