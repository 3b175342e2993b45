"""The state of a sweep, in a file that is never half-written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from fsspec.implementations.local import LocalFileSystem
from pydantic import Field

from borderline.datasets import JSONDataset
from borderline.errors import BorderlineError
from borderline.locks import Lock, Locked
from borderline.params import Params
from borderline.sweeps.plan import STATE, Plan, SweepRun


class Failure(Params):
    """A failure in a sweep run, with its reason in one sentence.

    Attributes:
        model: The model that failed; None for everything unfinished.
        generator: Its entry of ``grid.generators`` that failed; None for all of them. Without a
            model, the entry failed in what all models share.
        node: The node that failed; None if it is unknown.
    """

    model: str | None
    generator: str | None
    node: str | None
    says: str


class Record(Params):
    """A finished sweep run.

    Attributes:
        ended: ``whole``: complete. ``in_part``: without the failures. ``failed``: without any
            result, or without a shared one.
        finished: The models with results, each with its entries of ``grid.generators``.
    """

    positive: int | str
    negative: int | str
    seed: int
    ended: Literal["whole", "in_part", "failed"]
    finished: dict[str, tuple[str, ...]]
    failures: tuple[Failure, ...] = ()

    @property
    def sweep_run(self) -> SweepRun:
        """The sweep run."""
        return SweepRun(self.positive, self.negative, self.seed)


class State(Params):
    """All finished sweep runs by name, their common settings by dotted name, and the digests of the
    files that these name, by dataset."""

    settings: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)
    records: dict[str, Record] = Field(default_factory=dict)

    def todo(self, sweep_run: SweepRun, *, again: bool) -> bool:
        """Whether a sweep run has to run; ``again`` runs incomplete ones once more."""
        record = self.records.get(sweep_run.name)
        return record is None or record.ended == "failed" or (again and record.ended == "in_part")

    def noted(self, record: Record) -> State:
        """The state with one more sweep run."""
        records = {**self.records, record.sweep_run.name: record}
        return self.model_copy(update={"records": records})


def check_same_settings(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    finished: str,
    earlier: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Check that finished runs had the present settings, by dotted name.

    ``earlier`` has the values of settings that runs of earlier versions lack.

    Raises:
        BorderlineError: When one differs.
    """
    for name in sorted({*before, *now}):
        former = before.get(name, earlier.get(name))
        if former != now.get(name):
            raise BorderlineError(
                f"{name} is {now.get(name)!r}, but {finished} of this sweep ran with "
                f"{former!r}: set it back, or give the sweep another --name."
            )


class StateFile:
    """The file of a sweep's state."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE
        self._dataset = JSONDataset(filepath=str(self._path), save_args={"indent": 1})

    def read(self, plan: Plan) -> State:
        """The state so far; a new one if every sweep run failed, so that settings may change."""
        new = State(settings=dict(plan.settings), files=dict(plan.files))
        if not self._path.exists():
            return new
        try:
            state = State.model_validate(self._dataset.load())
        except ValueError as error:
            raise BorderlineError(
                f"{self._path} is not the state of a sweep: move it away, or give the sweep "
                "another --name."
            ) from error
        finished = [name for name, record in state.records.items() if record.ended != "failed"]
        if not finished:
            return new
        names = ", ".join(finished)
        check_same_settings(state.settings, plan.settings, names, plan.earlier)
        # Finished runs need no files, and those of earlier versions recorded none.
        both = {**plan.files, **state.files}
        check_same_settings(both, {**both, **plan.files}, names)
        return State(settings=state.settings, files=both, records=state.records)

    def write(self, state: State) -> None:
        """Save the state."""
        self._dataset.save(state.model_dump(mode="json"))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of the sweep."""
        folder = self._path.parent
        try:
            with Lock(LocalFileSystem(), str(folder / ".lock"), str(folder)).held():
                yield
        except Locked as error:
            raise BorderlineError(
                f"The sweep in {folder} is running already: {error} Another --name gives this "
                "sweep a folder of its own."
            ) from error
