"""``kedro sweep``: its options, its order of work and its closing table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from borderline.commands.project import check_has_settings
from borderline.plain_text import echo
from borderline.printing import harmless, not_shown

if TYPE_CHECKING:
    import pandas as pd

    from borderline.sweeps.plan import Plan, SweepRun
    from borderline.sweeps.process import Outcome
    from borderline.sweeps.state import State

_WORDS = {"whole": "complete", "in_part": "incomplete", "failed": "failed"}
_SHOWN_PAIRS = 45
SOMETHING_FAILED = 4
"""The exit status of a sweep that finished with failures."""

OPTIONS = [
    click.Option(["--env", "-e"], help="The environment, or several: mnist_5v3,fashion_3v0."),
    click.Option(["--pairs"], help="Pairs of classes: 3v0,5v7."),
    click.Option(["--all-pairs"], is_flag=True, help="All pairs of the classes, each once."),
    click.Option(["--classes"], help="The classes of --all-pairs: 0,1,2. Default: all."),
    click.Option(["--seeds"], help="Seeds: 0,1,2."),
    click.Option(["--models"], help="Models under test: cnn_4,cnn_8."),
    click.Option(["--generators"], help="Generators: gasten_25,hybrid."),
    click.Option(["--search"], is_flag=True, help="Search settings of step 2 by NSGA-II."),
    click.Option(["--pipelines"], help="The first stages, if not all: classifier,gasten,metrics."),
    click.Option(["--name"], help="The name of the sweep. Default: its environment."),
    click.Option(["--again"], is_flag=True, help="Run incomplete and damaged sweep runs again."),
    click.Option(["--runner", "-r"], help="The runner of every sweep run, as for `kedro run`."),
    click.Option(["--runner-params"], help="The runner's settings, as for `kedro run`."),
]


def sweep(
    *,
    all_pairs: bool,
    again: bool,
    runner: str | None,
    runner_params: str | None,
    search: bool,
    params: Mapping[str, Any],
    **lists: Any,
) -> None:
    """Run pairs, models, generators and seeds, and gather one table.

    The environment gives what an option leaves out. Each pair with each seed is a sweep run in its
    own process. Several environments have one pair each. A model or generator that fails is left
    out and listed at the end, with exit status 4. The same command continues a sweep that was
    stopped. With --search, the runs are trials of settings of step 2, and a page shows the best of
    them.
    """
    from borderline.sweeps.plan import make_plans
    from borderline.sweeps.state import StateFile

    project = Path.cwd()
    check_has_settings(project, "sweep")
    given = {"--runner": runner, "--runner-params": runner_params}
    options = [w for name, value in given.items() if value is not None for w in (name, value)]
    if search:
        not_for_search(again=again, all_pairs=all_pairs, **lists)
        plan, *others = make_plans(project, params=params, suffix="_search", **lists)
        _check_one_environment(others)
        _search(plan, project, options)
        return
    plans = make_plans(project, params=params, every_pair=all_pairs, **lists)
    failed, number, total = False, 0, sum(len(plan.sweep_runs) for plan in plans)
    with ExitStack() as locks:
        # All environments are checked before the first one starts.
        for plan in plans:
            check_no_search(plan)
            locks.enter_context(StateFile(plan.folder).alone())
        states = [StateFile(plan.folder).read(plan) for plan in plans]
        damaged = [damaged_runs(*both, again=again) for both in zip(plans, states, strict=True)]
        if all_pairs:
            echo(_announced(plans[0]))
        for plan, before, of_plan in zip(plans, states, damaged, strict=True):
            state = before
            for run in plan.sweep_runs:
                number += 1
                environment = f"{plan.env}, " if len(plans) > 1 else ""
                head = f"[{number}/{total}] {environment}{run.pair}, seed {run.seed}"
                if not state.todo(run, again=again) and run.name not in of_plan:
                    echo(f"{head}: finished before.")
                    continue
                state = _run(plan, state, run, project, options, head)
                _save(plan, state)
                _join(plans)
            failed |= _conclude(plan, state, all_pairs=all_pairs)
    if _join(plans):
        echo(f"All environments: {plans[0].folder.parent}/results.csv")
    if failed:
        raise click.exceptions.Exit(SOMETHING_FAILED)


def _run(
    plan: Plan, state: State, run: SweepRun, project: Path, runner: list[str], head: str
) -> State:
    """Run a sweep run; the state with it."""
    from borderline.sweeps.state import StateFile
    from borderline.sweeps.sweep_run import run_without_failures, separate_process

    files = plan.logs / run.name
    plan.logs.mkdir(exist_ok=True)
    echo(f"{head}: running, log in {files}.log")
    start = time.monotonic()
    attempt = separate_process(plan, run, project, runner, files, _show)
    record = run_without_failures(plan, run, attempt, _show)
    state = state.noted(record)
    StateFile(plan.folder).write(state)
    echo(f"{head}: {_WORDS[record.ended]}, after {time.monotonic() - start:.0f} s")
    return state


def _announced(plan: Plan) -> str:
    """The number of sweep runs and the pairs, before the first one starts."""
    runs, pairs = len(plan.sweep_runs), list(plan.labels)
    classes = {label for both in plan.labels.values() for label in both}
    shown = ", ".join(pairs[:_SHOWN_PAIRS])
    more = f" and {len(pairs) - _SHOWN_PAIRS} more" if len(pairs) > _SHOWN_PAIRS else ""
    return (
        f"{runs} sweep run{'s' * (runs > 1)}: {len(pairs)} pairs of {len(classes)} classes, "
        f"{runs // len(pairs)} of each (positive class first: {shown}{more})."
    )


def not_for_search(**options: Any) -> None:
    """Refuse options that a search cannot use."""
    from borderline.errors import BorderlineError

    remedies = {
        "again": "a failed trial fails again",
        "all_pairs": "a search is about one pair (--pairs)",
        "classes": "a search is about one pair (--pairs)",
        "generators": "search.generator names the generator",
        "pipelines": "a search runs its own stages",
    }
    for option, reason in remedies.items():
        if options.get(option):
            name = option.replace("_", "-")
            raise BorderlineError(f"--{name} is not for --search, because {reason}: remove it.")


def check_no_search(plan: Plan) -> None:
    """Check that the folder of a sweep is not that of a search."""
    from borderline.errors import BorderlineError

    if plan.search_file.exists():
        raise BorderlineError(
            f"{plan.folder} is the folder of a search: give the sweep another --name, or add "
            "--search."
        )


def _check_one_environment(others: Sequence[Plan]) -> None:
    from borderline.errors import BorderlineError

    if others:
        raise BorderlineError("--search is about one environment: name one with --env.")


def _search(plan: Plan, project: Path, runner: list[str]) -> None:
    """Run a search, and say where its page is."""
    from borderline.sweeps.search_run import Search, check_plan, run_search
    from borderline.sweeps.state import StateFile
    from borderline.sweeps.sweep_run import run_separately

    check_plan(plan)
    logs = plan.logs

    def run(stages: Sequence[str], settings: Mapping[str, Any], name: str) -> Outcome:
        return run_separately(plan, stages, settings, project, runner, logs / name, _show)

    trials = plan.parameters.search.trials
    echo(f"A search of {trials} trials for {plan.models[0]} and {plan.sweep_runs[0].pair}:")
    with StateFile(plan.folder).alone():
        logs.mkdir(exist_ok=True)
        success = run_search(Search(plan, run, echo))
    echo(f"The front and all trials: {plan.folder}/search.html and trials.csv")
    if not success:
        raise click.exceptions.Exit(SOMETHING_FAILED)


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


def _save(plan: Plan, state: State) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the table of all rows, and that over the seeds."""
    from borderline.datasets import CSVDataset
    from borderline.sweeps import tables

    table = tables.gather(plan, state)
    means = tables.over_seeds(table)
    CSVDataset(filepath=str(plan.folder / "results.csv")).save(table)
    CSVDataset(filepath=str(plan.folder / "over_seeds.csv")).save(means)
    return table, means


def _join(plans: Sequence[Plan]) -> bool:
    """Write one table of several environments, as far as they have run; False for one."""
    from borderline.datasets import CSVDataset
    from borderline.sweeps.tables import joined

    if len(plans) > 1:
        CSVDataset(filepath=str(plans[0].folder.parent / "results.csv")).save(joined(plans))
    return len(plans) > 1


def _conclude(plan: Plan, state: State, *, all_pairs: bool) -> bool:
    """Write the tables, print the means, list the failures; whether there are some."""
    import rich
    from rich.console import Console

    from borderline.datasets import MatplotlibDataset
    from borderline.sweeps import tables
    from borderline.sweeps.sweep_run import sentence_of

    table, means = _save(plan, state)
    if "fd_lenet" in table:
        figure = tables.picture(table)
        MatplotlibDataset(filepath=str(plan.folder / "results.png")).save(figure)
    files = ["results.csv", "over_seeds.csv", "results.png"]
    if all_pairs:
        files += _save_pairs(plan, state, table)
    console = rich.get_console()
    if not console.is_terminal:
        console = Console(width=120)  # A log file has no width.
    with harmless(not_shown):
        console.print(tables.for_console(means, console))
    echo(f"All scores: {plan.folder}/{', '.join(files[:-1])} and {files[-1]}")
    if "note" in table and table["note"].dropna().ne("").any():
        echo("The column note of results.csv has notes, such as why a generator made no images.")
    failures = [(r.sweep_run, failure) for r in state.records.values() for failure in r.failures]
    for run, failure in failures:
        log = plan.logs / f"{run.name}.log"
        echo(f"{run.pair}, seed {run.seed}: {sentence_of(failure)} See {log}")
    ends = [record.ended for record in state.records.values()]
    counts = ", ".join(f"{ends.count(end)} {word}" for end, word in _WORDS.items() if end in ends)
    echo(f"{len(ends)} sweep run{'s' * (len(ends) > 1)}: {counts}.")
    return bool(failures)


def _save_pairs(plan: Plan, state: State, table: pd.DataFrame) -> list[str]:
    """Write the table of the pairs and a figure for each model; the names of the files."""
    from borderline.datasets import CSVDataset, MatplotlibDataset
    from borderline.sweeps import matrix

    pairs = matrix.pair_table(plan, state, table)
    CSVDataset(filepath=str(plan.folder / "pairs.csv")).save(pairs)
    files = ["pairs.csv", *(f"pairs_{model}.png" for model in plan.models)]
    for model, file in zip(plan.models, files[1:], strict=True):
        figure = matrix.draw_matrix(plan, pairs, model)
        MatplotlibDataset(filepath=str(plan.folder / file)).save(figure)
    return files
