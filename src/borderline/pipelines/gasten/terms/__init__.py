"""The confusion terms: one file each, found by its name.

A term's file has a class ``Term``, a
:class:`~borderline.pipelines.gasten.confusion_term.ConfusionTerm`.
docs/generators.md shows how to add one.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Annotated

from pydantic import AfterValidator

from borderline.errors import did_you_mean
from borderline.pipelines.gasten.confusion_term import ConfusionTerm

TERMS: dict[str, type[ConfusionTerm]] = {
    module.name: import_module(f"{__name__}.{module.name}").Term
    for module in pkgutil.iter_modules(__path__)
}


def _known(name: str) -> str:
    if name not in TERMS:
        raise ValueError(f"it must be one of {', '.join(TERMS)}{did_you_mean(name, TERMS)}")
    return name


TermName = Annotated[str, AfterValidator(_known)]
"""The name of a term, as a setting."""
