"""``kedro sweep``: its options, what it does in which order, and what it ends with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from borderline.sweeps.plan import Plan
    from borderline.sweeps.state import State

SOMETHING_FAILED = 4
"""The exit status of a sweep that went to its end and had failures."""

OPTIONS = [
    click.Option(["--env", "-e"], help="The environment that every case starts from."),
    click.Option(["--pairs"], help="Pairs of classes: 3v0,5v7."),
    click.Option(["--seeds"], help="Seeds: 0,1,2."),
    click.Option(["--models"], help="Models under test: cnn_4,cnn_8."),
    click.Option(["--generators"], help="Generators: gasten_25,hybrid."),
    click.Option(["--pipelines"], help="The first stages, where not all are wanted."),
    click.Option(["--name"], help="What to call the sweep; its environment, if left out."),
    click.Option(["--again"], is_flag=True, help="Run cases that left something out once more."),
    click.Option(["--runner", "-r"], help="The runner of every case, as for `kedro run`."),
    click.Option(["--runner-params"], help="Its settings, as for `kedro run`."),
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

    What is left out is that of the environment. A pair with a seed is a case, which runs in a
    process of its own; what fails is left out and listed at the end, with exit status 4. Called
    again, a sweep that was stopped goes on.
    """
    # Only here, for every command of Kedro loads this file.
    from borderline.sweeps.case import Apart, run_case
    from borderline.sweeps.plan import Asked, make_plan
    from borderline.sweeps.state import StateFile

    project = Path.cwd()
    plan = make_plan(Asked(params=params, **lists), project)
    options = [*_option("--runner", runner), *_option("--runner-params", runner_params)]
    file, logs = StateFile(plan.folder), plan.folder / "logs"
    with file.alone():
        state = file.read(plan)
        logs.mkdir(exist_ok=True)
        for number, case in enumerate(plan.cases, start=1):
            head = f"[{number}/{len(plan.cases)}] {case.pair}, seed {case.seed}"
            if not state.todo(case, again=again):
                click.echo(f"{head}: finished before.")
                continue
            click.echo(f"{head}: runs, and says more in {logs / case.name}.log")
            start = time.monotonic()
            attempt = Apart(plan, case, project, options, logs / case.name, _say)
            record = run_case(plan, case, attempt, _say)
            state = state.noted(record)
            file.write(state)
            how = record.ended.replace("_", " ")
            click.echo(f"{head}: {how}, after {time.monotonic() - start:.0f} s")
        _conclude(plan, state, logs)


def _say(said: str) -> None:
    click.echo(f"  {said}")


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]


def _conclude(plan: Plan, state: State, logs: Path) -> None:
    """Write the tables, print the small one, list what failed.

    Raises:
        Exit: With a status of its own, when something failed.
    """
    import rich
    from rich.console import Console
    from rich.table import Table

    from borderline.datasets import CSVDataset, MatplotlibDataset
    from borderline.sweeps import tables
    from borderline.sweeps.case import told

    table = tables.gather(plan, state)
    means = tables.over_seeds(table)
    CSVDataset(filepath=str(plan.folder / "results.csv")).save(table)
    CSVDataset(filepath=str(plan.folder / "over_seeds.csv")).save(means)
    if "fd_lenet" in table:
        figure = tables.picture(table)
        MatplotlibDataset(filepath=str(plan.folder / "results.png")).save(figure)
    shown = Table(title="Mean over the seeds ± standard deviation")
    for header in (*means.columns[:4], *tables.SHOWN):
        shown.add_column(header.replace("_", " "), overflow="fold")
    for _, row in means.iterrows():
        cells = [str(row[name]) for name in means.columns[:4]]
        shown.add_row(*cells, *(tables.cell(row, name) for name in tables.SHOWN))
    console = rich.get_console()
    # Logs are no terminal, and 80 letters are too few for the table.
    (console if console.is_terminal else Console(width=120)).print(shown)
    click.echo(f"All figures: {plan.folder}/results.csv, over_seeds.csv and results.png")
    failures = [(r.case, one) for r in state.records.values() for one in r.failures]
    for case, failure in failures:
        click.echo(f"{case.pair}, seed {case.seed}: {told(failure)} See {logs / case.name}.log")
    ended = [record.ended for record in state.records.values()]
    counts = ", ".join(
        f"{ended.count(how)} {words}"
        for how, words in {
            "whole": "whole",
            "in_part": "without what failed",
            "failed": "failed",
        }.items()
        if how in ended
    )
    click.echo(f"{len(ended)} case{'s' * (len(ended) > 1)}: {counts}.")
    if failures:
        raise click.exceptions.Exit(SOMETHING_FAILED)
