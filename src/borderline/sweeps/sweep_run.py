"""One run of a sweep: it runs again without what fails, until the rest has finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from borderline.pipeline_registry import STAGES
from borderline.sweeps.plan import Plan, SweepRun
from borderline.sweeps.process import Outcome, run_in_process
from borderline.sweeps.state import Failure, Record

Print = Callable[[str], None]
Attempt = Callable[[Sequence[str], Sequence[str]], Outcome]
"""Runs a sweep run with these models and these entries of ``grid.generators``."""


def run_without_failures(plan: Plan, sweep_run: SweepRun, attempt: Attempt, show: Print) -> Record:
    """Run a sweep run; after a failure, run it again without the model or generator that failed.

    Models with the same generators run together, as one grid. If a generator of a model fails, the
    model continues without it and the others with it. If it fails although it is left out, the
    model ends. Finished trainings are not repeated.

    ``show`` prints a line for the user.
    """
    remaining = {model: tuple(plan.generators) for model in plan.models}
    finished: dict[str, tuple[str, ...]] = {}
    failures: list[Failure] = []
    shared_failed = False
    while remaining and not shared_failed:
        most = max(remaining.values(), key=len)
        together = [model for model, generators in remaining.items() if generators == most]
        outcome = attempt(together, most)
        if not outcome.says:
            finished |= {model: remaining.pop(model) for model in together}
            continue
        model, generator = plan.blame(outcome.node) if outcome.node else (None, None)
        failures.append(
            Failure(model=model, generator=generator, node=outcome.node, says=outcome.says)
        )
        show(sentence_of(failures[-1]))
        failed = [model] if model is not None else list(remaining)
        if generator is None:
            left = {name: () if model is not None else remaining[name] for name in failed}
        else:
            left = {name: plan.without(remaining[name], generator) for name in failed}
        if all(left[name] == remaining[name] for name in failed):
            # Nothing is left out, so the next attempt would fail too.
            left = dict.fromkeys(failed, ())
            shared_failed = model is None
        remaining = {n: kept for n, kept in {**remaining, **left}.items() if kept}
    partial = "in_part" if finished and not shared_failed else "failed"
    return Record(
        positive=sweep_run.positive,
        negative=sweep_run.negative,
        seed=sweep_run.seed,
        ended=partial if failures else "whole",
        finished=finished,
        failures=tuple(failures),
    )


def sentence_of(failure: Failure) -> str:
    """A failure in one sentence."""
    subject = "Everything unfinished"
    if failure.model is not None:
        generator = failure.generator
        subject = f"{generator} of {failure.model}" if generator else failure.model
    elif failure.generator is not None:
        subject = f"{failure.generator} of all models"
    node = f" in {failure.node}" if failure.node else ""
    return f"{subject} failed{node}: {failure.says.rstrip('.')}."


def separate_process(
    plan: Plan, sweep_run: SweepRun, project: Path, runner: Sequence[str], files: Path, show: Print
) -> Attempt:
    """Attempts of a sweep run, each in a process of its own.

    ``runner`` has the options of ``kedro run`` for a runner; the names of files begin with
    ``files``.
    """

    def attempt(models: Sequence[str], generators: Sequence[str]) -> Outcome:
        stages = ["--pipelines", ",".join(plan.stages)] if plan.stages != STAGES else []
        settings = plan.settings_of(sweep_run, models, generators)
        return run_separately(plan, stages, settings, project, runner, files, show)

    return attempt


def run_separately(
    plan: Plan,
    stages: Sequence[str],
    settings: Mapping[str, Any],
    project: Path,
    runner: Sequence[str],
    files: Path,
    show: Print,
) -> Outcome:
    """``kedro run`` in the plan's environment, in its own process.

    If the runner does not report the failed node, the run runs once more without that runner.
    """
    environment = ["--env", plan.env] if plan.env is not None else []
    # An attempt before may have finished some nodes.
    arguments = [*environment, *stages, "--only-missing-outputs"]
    outcome = run_in_process([*arguments, *runner], settings, project, files)
    if runner and outcome.began and outcome.node is None:
        show(f"{outcome.says.rstrip('.')}. The runner does not report the failed node:")
        show("the sweep run runs once without it, to find the node.")
        return run_in_process(arguments, settings, project, files)
    return outcome
