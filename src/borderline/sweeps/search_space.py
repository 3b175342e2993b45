"""The space of a search: the settings of a trial, and their check before any work."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from borderline.errors import BorderlineError
from borderline.params import flat, merged
from borderline.pipelines.gasten.gan_params import GanParams
from borderline.pipelines.gasten.kinds.gasten import Settings
from borderline.pipelines.gasten.params import GeneratorContext
from borderline.pipelines.gasten.search_params import Range, SearchParams
from borderline.pipelines.gasten.terms import TERMS
from borderline.preflight.configuration import Parameters
from borderline.preflight.sentences import check_names

if TYPE_CHECKING:
    from optuna.trial import Trial

Point = dict[str, Any]
"""The searched settings of a trial: ``term``, ``alpha``, ``start`` and ``gan.<name>``."""

_OF_STEP_1 = {"latent_dim", "filters", "blocks"}
_DIGITS = 3


@dataclass(frozen=True)
class Space:
    """The space of a search.

    Attributes:
        terms: The terms.
        alpha: The range of the weight of each term that has one.
        starts: The epochs of step 1 to start from, ascending; empty if not searched.
        gan: The ranges of settings of ``gan``, by dotted name with ``gan.``.
    """

    terms: tuple[str, ...]
    alpha: Mapping[str, Range]
    starts: tuple[int, ...]
    gan: Mapping[str, Range]

    def suggest(self, trial: Trial) -> Point:
        """The settings of a trial of Optuna, with three digits, as the page shows them.

        All trials have the same parameters, because NSGA-II inherits only these: the weight is a
        place in the range of the term, the start a place in the list of epochs.
        """
        point: Point = {"term": trial.suggest_categorical("term", self.terms)}
        place = trial.suggest_float("alpha", 0, 1)
        point["alpha"] = None
        if TERMS[point["term"]].weight is not None:
            low, high = self.alpha[point["term"]]
            point["alpha"] = _rounded(low * (high / low) ** place, low, high)
        if self.starts:
            point["start"] = self.starts[trial.suggest_int("start", 0, len(self.starts) - 1)]
        for name, (low, high) in self.gan.items():
            if isinstance(low, int) and isinstance(high, int):
                point[name] = trial.suggest_int(name, low, high, log=True)
            else:
                point[name] = _rounded(trial.suggest_float(name, low, high, log=True), low, high)
        return point


def space_of(search: SearchParams, checkpoints: Collection[int], epochs: int) -> Space:
    """The space for the checkpoints of a step 1.

    Args:
        search: The settings of the search.
        checkpoints: The epochs of step 1 that have a checkpoint.
        epochs: ``gan.epochs``: later checkpoints do not count.

    Raises:
        BorderlineError: When no checkpoint is in the range of ``search.start``.
    """
    starts: tuple[int, ...] = ()
    if search.start is not None:
        first, last = search.start
        last = epochs if last is None else min(last, epochs)
        starts = tuple(sorted(epoch for epoch in checkpoints if first <= epoch <= last))
        if not starts:
            raise BorderlineError(
                f"search.start is {list(search.start)}, but step 1 has checkpoints of the epochs "
                f"{', '.join(map(str, sorted(checkpoints)))} only: choose a range with one of them."
            )
    return Space(search.term, search.alpha, starts, _ranges(search))


def settings_of_trial(name: str, point: Point, parameters: Parameters) -> dict[str, Any]:
    """The settings of a trial's run, nested: its generator, and ``gan`` for step 2."""
    base = parameters.generators[parameters.search.generator].plain()
    searched = {
        setting: point[setting] for setting in ("term", "alpha", "start") if setting in point
    }
    settings: dict[str, Any] = {"generators": {name: base | searched}}
    for setting, value in point.items():
        if "." in setting:
            settings = merged(settings, _nested(setting, value))
    return settings


def check_search(parameters: Parameters) -> None:
    """Check that the space fits the other settings, before any work.

    Raises:
        BorderlineError: When a setting of ``search`` cannot be searched.
    """
    search = parameters.search
    names = [search.generator]
    check_names("search.generator", names, parameters.generators, "generators")
    base = parameters.generators[search.generator]
    if not isinstance(base, Settings):
        raise BorderlineError(
            f"search.generator is {search.generator!r} of the kind {base.kind!r}, but the search "
            "is for settings of step 2: name an entry of generators of the kind 'gasten'."
        )
    gan = parameters.gan
    epochs = range(1, gan.epochs + 1)
    kept = [n for n in epochs if n % gan.checkpoint_every == 0 or n == gan.epochs]
    space_of(search, kept, gan.epochs)
    for name, ends in _ranges(search).items():
        _check_range(name, ends, base, parameters)
    _check_steps(base, parameters)
    for term in search.term:
        _check_term(term, base, parameters)


def _check_range(name: str, ends: Range, base: Settings, parameters: Parameters) -> None:
    """Check that step 2 can take both ends of a range of ``gan``, and depends on them."""
    gan, generator = parameters.gan, parameters.search.generator
    if name.rpartition(".")[2] in _OF_STEP_1:
        raise BorderlineError(
            f"search.{name} is set, but all trials share the networks of step 1, which {name} "
            "shapes: remove it."
        )
    try:
        low, high = (
            GanParams.model_validate(merged(gan.plain(), _nested(name, end)["gan"])) for end in ends
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BorderlineError(
            f"search.{name} is {list(ends)}, but {name} cannot have these values ({reason}): "
            "correct or remove it."
        ) from error
    trained = [base.step_2(end).fingerprint("gan") for end in (low, high)]
    if ends[0] != ends[1] and trained[0] == trained[1]:
        raise BorderlineError(
            f"search.{name} is {list(ends)}, but no training depends on {name} with the other "
            f"settings of gan and of generators.{generator}: remove it."
        )


def _check_steps(base: Settings, parameters: Parameters) -> None:
    """Check that an epoch of each trial has a step of the generator."""
    ranges, gan = _ranges(parameters.search), parameters.gan
    most = base.disc_iters or ranges.get("gan.disc_iters", (gan.disc_iters,))[-1]
    fewest = ranges.get("gan.steps_per_epoch", (gan.steps_per_epoch,))[0]
    if fewest is not None and most > fewest:
        raise BorderlineError(
            f"search.gan gives trials up to {most} discriminator steps per generator step "
            f"(gan.disc_iters) in epochs of {fewest} steps (gan.steps_per_epoch): change the range "
            "of one of them."
        )


def _check_term(term: str, base: Settings, parameters: Parameters) -> None:
    """Check a trial with this term."""
    values: dict[str, Any] = {"term": term, "alpha": None}
    if TERMS[term].weight is not None:
        values["alpha"] = parameters.search.alpha[term][0]
    name = parameters.search.generator
    try:
        settings = type(base).model_validate(base.plain() | values)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BorderlineError(
            f"search.term names {term!r}, which does not fit generators.{name} ({reason}): remove "
            "the term, or correct that generator."
        ) from error
    context = GeneratorContext(
        gan=parameters.gan, confusion=parameters.confusion, spaces={}, members=0
    )
    settings.check(name, context)


def _ranges(search: SearchParams) -> dict[str, Range]:
    return {f"gan.{name}": ends for name, ends in flat(search.gan) if ends is not None}


def _nested(name: str, value: Any) -> dict[str, Any]:
    """A setting by dotted name, nested."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def _rounded(value: float, low: float, high: float) -> float:
    return min(max(float(f"{value:.{_DIGITS}g}"), low), high)
