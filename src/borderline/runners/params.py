"""The settings of the Dask runner in ``--runner-params``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from borderline.errors import BorderlineError, did_you_mean
from borderline.params import Params
from borderline.threads import VARIABLE


class DaskParams(Params):
    """Settings of the Dask runner.

    Attributes:
        scheduler: The address of a running scheduler, ``tcp://host:8786``; None starts workers on
            this machine.
        max_workers: The number of workers on this machine; None is one per core.
        min_workers: The number of workers that stay when there is little to do; None is all.
        threads: The number of threads of each worker. None is ``OMP_NUM_THREADS``, or else an equal
            share of this machine's cores; workers of a scheduler then keep their own number.
        memory_limit: The memory of each worker on this machine, in bytes or as ``4GiB``; Dask
            restarts a worker that needs more. ``auto`` is an equal share.
        resources: The resources that a node that trains requires of its worker, as
            ``resources.GPU=1``; each worker on this machine offers them.
        retries: How often a failed node runs again. A node whose worker died always runs again.
    """

    scheduler: str | None = Field(default=None, pattern=r"^[a-z]+://.+:\d+$")
    max_workers: int | None = Field(default=None, ge=1)
    min_workers: int | None = Field(default=None, ge=0)
    threads: int | None = Field(default=None, ge=1)
    memory_limit: str = "auto"
    resources: dict[str, float] = Field(default_factory=dict)
    retries: int = Field(default=0, ge=0)

    @field_validator("memory_limit", mode="before")
    @classmethod
    def _in_bytes(cls, limit: Any) -> str:
        from dask.utils import parse_bytes

        if limit != "auto":
            try:
                parse_bytes(limit)
            except (ValueError, TypeError, AttributeError):
                raise ValueError("it must be 'auto', or bytes such as 4GiB") from None
        return str(limit)

    @model_validator(mode="after")
    def _either(self) -> Self:
        local = self.model_fields_set & {"max_workers", "min_workers", "memory_limit"}
        if self.scheduler and local:
            raise ValueError(
                f"{min(local)} is for workers on this machine, and scheduler names others: leave "
                "one of them out"
            )
        if (self.min_workers or 0) > self.workers:
            raise ValueError(f"min_workers {self.min_workers} is more than {self.workers} workers")
        return self

    @property
    def workers(self) -> int:
        """The largest number of workers on this machine."""
        return self.max_workers or os.cpu_count() or 1

    @property
    def threads_here(self) -> int:
        """The number of threads of each worker on this machine."""
        variable = os.environ.get(VARIABLE, "")
        share = max(1, (os.cpu_count() or 1) // self.workers)
        return self.threads or (int(variable) if variable.isdecimal() else share)


def read_params(raw: Mapping[str, Any]) -> DaskParams:
    """Check the settings of ``--runner-params``."""
    try:
        return DaskParams.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors()[0]
        name, value = ".".join(str(part) for part in first["loc"]), first["input"]
        known = sorted(DaskParams.model_fields)
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(name, known)
            raise BorderlineError(
                f"{name} is no setting of DaskRunner{hint}: correct it in --runner-params; its "
                f"settings are {', '.join(known)}."
            ) from error
        message = first["msg"].removeprefix("Value error, ").replace("Input should", "it must")
        setting = f"{name} is {value!r}, but " if name else ""
        raise BorderlineError(f"--runner-params: {setting}{message}.") from error
