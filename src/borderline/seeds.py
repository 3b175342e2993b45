"""The seeds of repetitions: those of the settings, or derived ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from borderline.params import RunParams


class GivenSeed(RunParams):
    """The run settings of a repetition with a seed of ``grid`` in place of the usual one."""


def named_seeds(
    runs: int, seeds: Sequence[int] | None, step_2_seeds: Sequence[int] | None
) -> dict[str, int | None]:
    """The seeds of repetitions with run settings of their own, by name; None for a derived one.

    ``run_2`` and so on, from ``run_1`` if ``seeds`` are given; ``step_2_run_1`` and so on if
    ``step_2_seeds`` are.
    """
    given: Sequence[int | None] = seeds or [None] * runs
    named = {f"run_{n}": given[n - 1] for n in range(1, runs + 1) if n > 1 or seeds}
    return named | {f"step_2_run_{n}": seed for n, seed in enumerate(step_2_seeds or (), start=1)}


def with_seeds(named: dict[str, int | None], run: RunParams) -> dict[str, RunParams]:
    """The run settings of repetitions by the names of ``named_seeds``."""
    settings = {}
    for name, seed in named.items():
        repetition = int(name.rpartition("_")[2])
        usual = run.seed if repetition == 1 else run.seed_for("repetition", repetition)
        values = run.model_dump() | {"seed": usual if seed is None else seed}
        kind = RunParams if values["seed"] == usual else GivenSeed
        settings[name] = kind(**values)
    return settings


def run_of(names: Collection[str], repetition: int, *, step_2: bool) -> str | None:
    """The name of a repetition's run settings among these; None for those of the whole run."""
    wanted = [f"step_2_run_{repetition}"] * step_2 + [f"run_{repetition}"]
    return next((name for name in wanted if name in names), None)
