"""Settings of the suite: ``parameters_suite.yml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from borderline.names import fault_of_path
from borderline.params import Params, distinct, without_fault


class SuiteParams(Params):
    """The suite of a model under test.

    Attributes:
        images: The number of images, at most, in equal parts of each pattern.
        merge: Folders of other suites, whose images are added.
    """

    images: int = Field(ge=1)
    merge: Annotated[
        tuple[Annotated[str, without_fault(fault_of_path)], ...], AfterValidator(distinct)
    ]
