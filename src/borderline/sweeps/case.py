"""One case of a sweep: run again without what fails, until what is left has finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from borderline.pipeline_registry import STAGES
from borderline.sweeps.plan import Case, Plan
from borderline.sweeps.process import Outcome, run_apart
from borderline.sweeps.state import Failure, Record

Say = Callable[[str], None]
Attempt = Callable[[Sequence[str], Sequence[str]], Outcome]
"""Runs a case with these models and these entries of ``grid.generators``."""


def run_case(plan: Plan, case: Case, attempt: Attempt, say: Say) -> Record:
    """Run a case.

    Models that get the same generators are one run, as in a grid. One that fails in a generator
    goes on without it, the others with it; trainings that finished are not done again.

    Args:
        plan: The sweep.
        case: The case.
        attempt: Runs it.
        say: Tells the user what happens.
    """
    wanted = {model: tuple(plan.generators) for model in plan.models}
    finished: dict[str, tuple[str, ...]] = {}
    failures: list[Failure] = []
    shared_failed = False
    while wanted and not shared_failed:
        most = max(wanted.values(), key=len)
        together = [model for model, generators in wanted.items() if generators == most]
        outcome = attempt(together, most)
        if not outcome.says:
            finished |= {model: wanted.pop(model) for model in together}
            continue
        model, generator = plan.blame(outcome.node) if outcome.node else (None, None)
        failures.append(
            Failure(model=model, generator=generator, node=outcome.node, says=outcome.says)
        )
        say(told(failures[-1]))
        if model is None:
            shared_failed = True
        elif generator is None:
            del wanted[model]
        else:
            wanted[model] = plan.without(most, generator)
            if not wanted[model]:
                del wanted[model]
    whole = not failures
    return Record(
        positive=case.positive,
        negative=case.negative,
        seed=case.seed,
        ended="whole" if whole else "in_part" if finished and not shared_failed else "failed",
        finished=finished,
        failures=tuple(failures),
    )


def told(failure: Failure) -> str:
    """A failure in words."""
    who = "All that had not finished"
    if failure.model is not None:
        who = f"{failure.generator} of {failure.model}" if failure.generator else failure.model
    where = f" in {failure.node}" if failure.node else ""
    return f"{who} failed{where}: {failure.says.rstrip('.')}."


@dataclass(frozen=True)
class Apart:
    """Runs a case in processes of its own.

    Attributes:
        plan: The sweep.
        case: The case.
        project: The project's folder.
        runner: The options of ``kedro run`` that name a runner; empty for the usual one.
        files: The start of the names of its files.
        say: Tells the user what happens.
    """

    plan: Plan
    case: Case
    project: Path
    runner: Sequence[str]
    files: Path
    say: Say

    def __call__(self, models: Sequence[str], generators: Sequence[str]) -> Outcome:
        """Run it with these."""
        arguments = ["--env", self.plan.env] if self.plan.env is not None else []
        if self.plan.stages != STAGES:
            arguments += ["--pipelines", ",".join(self.plan.stages)]
        settings = self.plan.settings_of(self.case, models, generators)
        outcome = run_apart([*arguments, *self.runner], settings, self.project, self.files)
        if self.runner and outcome.began and outcome.node is None:
            self.say(f"{outcome.says.rstrip('.')}. In which node, the runner does not say:")
            self.say("the case runs once without it, to see.")
            return run_apart(arguments, settings, self.project, self.files)
        return outcome
