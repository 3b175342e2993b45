"""``kedro sweep``: its options, its order of work and its closing table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from borderline.commands.project import check_has_settings
from borderline.plain_text import echo
from borderline.printing import harmless, not_shown

if TYPE_CHECKING:
    from borderline.sweeps.plan import Plan
    from borderline.sweeps.state import State

_WORDS = {"whole": "complete", "in_part": "incomplete", "failed": "failed"}
SOMETHING_FAILED = 4
"""The exit status of a sweep that finished with failures."""

OPTIONS = [
    click.Option(["--env", "-e"], help="The environment of every sweep run."),
    click.Option(["--pairs"], help="Pairs of classes: 3v0,5v7."),
    click.Option(["--seeds"], help="Seeds: 0,1,2."),
    click.Option(["--models"], help="Models under test: cnn_4,cnn_8."),
    click.Option(["--generators"], help="Generators: gasten_25,hybrid."),
    click.Option(["--pipelines"], help="The first stages, if not all: classifier,gasten,metrics."),
    click.Option(["--name"], help="The name of the sweep. Default: its environment."),
    click.Option(["--again"], is_flag=True, help="Run incomplete and damaged sweep runs again."),
    click.Option(["--runner", "-r"], help="The runner of every sweep run, as for `kedro run`."),
    click.Option(["--runner-params"], help="The runner's settings, as for `kedro run`."),
]


def sweep(
    *,
    again: bool,
    runner: str | None,
    runner_params: str | None,
    params: Mapping[str, Any],
    **lists: str | None,
) -> None:
    """Run pairs, models, generators and seeds, and gather one table.

    The environment gives what an option leaves out. Each pair with each seed is a sweep run in its
    own process. A model or generator that fails is left out and listed at the end, with exit status
    4. The same command continues a sweep that was stopped.
    """
    from borderline.sweeps.plan import make_plan
    from borderline.sweeps.state import StateFile
    from borderline.sweeps.sweep_run import run_without_failures, separate_process

    project = Path.cwd()
    check_has_settings(project, "sweep")
    plan = make_plan(project, params=params, **lists)
    given = {"--runner": runner, "--runner-params": runner_params}
    options = [w for name, value in given.items() if value is not None for w in (name, value)]
    file, logs = StateFile(plan.folder), plan.folder / "logs"
    with file.alone():
        state = file.read(plan)
        damaged = damaged_runs(plan, state, again=again)
        logs.mkdir(exist_ok=True)
        for number, run in enumerate(plan.sweep_runs, start=1):
            head = f"[{number}/{len(plan.sweep_runs)}] {run.pair}, seed {run.seed}"
            if not state.todo(run, again=again) and run.name not in damaged:
                echo(f"{head}: finished before.")
                continue
            echo(f"{head}: running, log in {logs / run.name}.log")
            start = time.monotonic()
            attempt = separate_process(plan, run, project, options, logs / run.name, _show)
            record = run_without_failures(plan, run, attempt, _show)
            state = state.noted(record)
            file.write(state)
            echo(f"{head}: {_WORDS[record.ended]}, after {time.monotonic() - start:.0f} s")
        _conclude(plan, state, logs)


def damaged_runs(plan: Plan, state: State, *, again: bool) -> set[str]:
    """The finished sweep runs whose tables are damaged; they stop the sweep unless ``again``."""
    from borderline.errors import BorderlineError
    from borderline.sweeps.tables import changed_table

    found = {name: changed_table(plan, record) for name, record in state.records.items()}
    changed = {name: file for name, file in found.items() if file is not None}
    for name, file in () if again else changed.items():
        raise BorderlineError(
            f"{file} was changed or damaged after {name} finished: put the original back, or run "
            "the sweep with --again, which runs that sweep run again."
        )
    return set(changed)


def _show(line: str) -> None:
    echo(f"  {line}")


def _conclude(plan: Plan, state: State, logs: Path) -> None:
    """Write the tables, print the means, list the failures."""
    import rich
    from rich.console import Console

    from borderline.datasets import CSVDataset, MatplotlibDataset
    from borderline.sweeps import tables
    from borderline.sweeps.sweep_run import sentence_of

    table = tables.gather(plan, state)
    means = tables.over_seeds(table)
    CSVDataset(filepath=str(plan.folder / "results.csv")).save(table)
    CSVDataset(filepath=str(plan.folder / "over_seeds.csv")).save(means)
    if "fd_lenet" in table:
        figure = tables.picture(table)
        MatplotlibDataset(filepath=str(plan.folder / "results.png")).save(figure)
    console = rich.get_console()
    if not console.is_terminal:
        console = Console(width=120)  # A log file has no width.
    with harmless(not_shown):
        console.print(tables.for_console(means, console))
    echo(f"All scores: {plan.folder}/results.csv, over_seeds.csv and results.png")
    failures = [(r.sweep_run, failure) for r in state.records.values() for failure in r.failures]
    for run, failure in failures:
        log = logs / f"{run.name}.log"
        echo(f"{run.pair}, seed {run.seed}: {sentence_of(failure)} See {log}")
    ends = [record.ended for record in state.records.values()]
    counts = ", ".join(f"{ends.count(end)} {word}" for end, word in _WORDS.items() if end in ends)
    echo(f"{len(ends)} sweep run{'s' * (len(ends) > 1)}: {counts}.")
    if failures:
        raise click.exceptions.Exit(SOMETHING_FAILED)
