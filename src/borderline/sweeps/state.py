"""What a sweep has done so far, in a file that is never half-written."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from borderline.datasets import JSONDataset
from borderline.errors import BorderlineError
from borderline.params import Params
from borderline.sweeps.plan import Case, Plan


class Failure(Params):
    """What a case had to do without.

    Attributes:
        model: The model; None for all that had not finished.
        generator: The entry of ``grid.generators``; None for all of the model's.
        node: The node that failed; None where that is not known.
        says: Why, in one sentence.
    """

    model: str | None
    generator: str | None
    node: str | None
    says: str


class Record(Params):
    """A case, and how it ended.

    Attributes:
        positive: The positive class.
        negative: The negative class.
        seed: The seed.
        ended: ``whole``; ``in_part``, without what failed; or ``failed``, all of it or what is
            shared.
        finished: The models whose results are there, each with its entries of ``grid.generators``.
        failures: What failed.
    """

    positive: int | str
    negative: int | str
    seed: int
    ended: Literal["whole", "in_part", "failed"]
    finished: dict[str, tuple[str, ...]]
    failures: tuple[Failure, ...] = ()

    @property
    def case(self) -> Case:
        """The case."""
        return Case(self.positive, self.negative, self.seed)


class State(Params):
    """All cases that ended, of this call and those before.

    Attributes:
        settings: What they have in common, by dotted name.
        records: The cases, by name.
    """

    settings: dict[str, Any]
    records: dict[str, Record] = Field(default_factory=dict)

    def todo(self, case: Case, *, again: bool) -> bool:
        """Whether a case is to be run.

        Args:
            case: The case.
            again: Whether those that ended without something are tried again.
        """
        record = self.records.get(case.name)
        return record is None or record.ended == "failed" or (again and record.ended == "in_part")

    def noted(self, record: Record) -> State:
        """The state with one more case."""
        return State(settings=self.settings, records={**self.records, record.case.name: record})


class StateFile:
    """The file of a sweep's state.

    Args:
        folder: Where the sweep is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.json"
        self._dataset = JSONDataset(filepath=str(self._path), save_args={"indent": 1})

    def read(self, plan: Plan) -> State:
        """What was done so far; nothing, where all of it failed and other settings may mend it.

        Raises:
            BorderlineError: When cases ended with other settings than those of the plan.
        """
        new = State(settings=dict(plan.settings))
        if not self._path.exists():
            return new
        try:
            state = State.model_validate(self._dataset.load())
        except (ValidationError, ValueError) as error:
            raise BorderlineError(
                f"{self._path} is not the state of a sweep: move it away, or give the sweep "
                "another --name."
            ) from error
        ended = [name for name, record in state.records.items() if record.ended != "failed"]
        if not ended:
            return new
        for name in sorted({*state.settings, *plan.settings}):
            before, now = state.settings.get(name), plan.settings.get(name)
            if before != now:
                raise BorderlineError(
                    f"{name} is {now!r}, but {', '.join(ended)} of this sweep ran "
                    f"with {before!r}: set it back, or give the sweep another --name."
                )
        return state

    def write(self, state: State) -> None:
        """Keep what was done."""
        self._dataset.save(state.model_dump(mode="json"))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from the same sweep; the system gives it free however this process ends.

        Raises:
            BorderlineError: When another process has it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BorderlineError(
                    f"The sweep in {self._path.parent} is running already: wait for its end, or "
                    "give this one another --name."
                ) from error
            yield
