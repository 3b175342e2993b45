"""What ``--runner-params`` may say to the Dask runner."""

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
        scheduler: The address of a running scheduler, ``tcp://host:8786``; None for workers of its
            own on this machine.
        max_workers: How many workers this machine gets; None for one a core.
        min_workers: How many of them stay where there is little to do; None for all.
        threads: How many threads each worker computes with. None shares the cores of this machine
            out, or is ``OMP_NUM_THREADS``; workers of a scheduler then keep their own number.
        memory_limit: Of each worker on this machine, in bytes or as ``4GiB``; one that needs more
            is started anew. ``auto`` shares the memory out.
        resources: What a node that trains asks of its worker, as ``resources.GPU=1``; each worker
            on this machine offers as much.
        retries: How often a node that failed runs again. One whose worker died does so anyway.
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
        here = self.model_fields_set & {"max_workers", "min_workers", "memory_limit"}
        if self.scheduler and here:
            raise ValueError(
                f"{min(here)} is for workers on this machine, and scheduler names others: leave "
                "one of them out"
            )
        if (self.min_workers or 0) > self.workers:
            raise ValueError(f"min_workers {self.min_workers} is more than {self.workers} workers")
        return self

    @property
    def workers(self) -> int:
        """How many workers this machine gets at most."""
        return self.max_workers or os.cpu_count() or 1

    @property
    def threads_here(self) -> int:
        """How many threads each worker on this machine computes with."""
        outside = os.environ.get(VARIABLE, "")
        shared = max(1, (os.cpu_count() or 1) // self.workers)
        return self.threads or (int(outside) if outside.isdecimal() else shared)


def read_params(raw: Mapping[str, Any]) -> DaskParams:
    """Check what ``--runner-params`` says.

    Raises:
        BorderlineError: When a setting is misspelt or impossible.
    """
    try:
        return DaskParams.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors()[0]
        name, value = ".".join(str(part) for part in first["loc"]), first["input"]
        known = sorted(DaskParams.model_fields)
        if first["type"] == "extra_forbidden":
            meant = did_you_mean(name, known)
            raise BorderlineError(
                f"{name} is no setting of DaskRunner{meant}: correct it in --runner-params; known "
                f"are {', '.join(known)}."
            ) from error
        said = first["msg"].removeprefix("Value error, ").replace("Input should", "it must")
        what = f"{name} is {value!r}, but " if name else ""
        raise BorderlineError(f"--runner-params: {what}{said}.") from error
