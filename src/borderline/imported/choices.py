"""Chooses columns and a contract for a model; what the images do not decide is a question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch

from borderline.boundary import Boundary
from borderline.errors import BorderlineError
from borderline.imported.columns import Assignment, Pair, assignments, fitting_columns
from borderline.imported.contracts import Fit, Trial, fits_of
from borderline.imported.evidence import SMALLEST_DIFFERENCE, difference, is_as_good
from borderline.imported.outputs import Outputs, hint_at_one_sign
from borderline.measures.confusion import borderline_yield
from borderline.measures.guessing import better_than_guessing, threshold_to_test

# Other columns than those of the usual orders are a question where they make the labels e times as
# probable. A weak model confuses some classes, and so has other columns that are slightly better.
_FAR_BETTER = 1.0


class Question(NamedTuple):
    """A choice that the images do not decide.

    Attributes:
        text: The question.
        options: The answers, the best first.
        refusal: The sentence for a user who cannot be asked; it names the option that decides.
        offer: Whether the question is whether to take the first of two options.
    """

    text: str
    options: list[str]
    refusal: str
    offer: bool = False


Ask = Callable[[Question], int]
"""Asks the user; returns the position of the chosen option."""


class ColumnsChoice(NamedTuple):
    """The chosen columns.

    Attributes:
        fits: All contracts with these columns, the most likely first.
        runner_up: The best other columns with their best contract; None for one possibility.
    """

    fits: list[Fit]
    runner_up: Fit | None


def choose_columns(
    trials: Sequence[Trial],
    kind: Outputs,
    pair: Pair,
    columns: Sequence[int],
    ask: Ask,
    allow_chance: bool = False,
) -> ColumnsChoice:
    """Choose the columns of the two classes by the likelihood of all trial images.

    Args:
        columns: Those that the user names; empty for unknown ones.
        ask: Asks where the columns seem exchanged, where two fit about equally well, and where
            columns of no usual order fit far better.
        allow_chance: Whether the model may be no more accurate than guessing.

    Raises:
        BorderlineError: When the columns are unknown or wrong, or when the model guesses.
    """
    width = trials[0].outputs.shape[1]
    _check_width(width, trials, kind, pair, columns)
    usual = [
        fits_of(trials, kind, assignment)
        for assignment in assignments(width, pair, columns, others=bool(columns))
    ]
    if columns:
        return _named(usual, columns, allow_chance)
    chosen, *rest = _by_likelihood(usual)
    best = _best(chosen)
    if not _beats_guessing(best):
        if not allow_chance:
            raise BorderlineError(_no_better(best))
        return ColumnsChoice(usual[0], _best(rest[0]))
    if best.assignment.exchanged and width <= 2:
        return _offer_exchange(usual, chosen, ask)
    rivals = [fits for fits in rest if _is_rival(_best(fits), best)]
    fitting = [fits_of(trials, kind, other) for other in _fitting(best)]
    options = [*fitting, chosen, *rivals]
    if len(options) > 1 or best.assignment.exchanged:
        options = [options[ask(_which_columns([_best(fits) for fits in options]))]]
    others = [fits for fits in (chosen, *fitting, *rest) if fits is not options[0]]
    return ColumnsChoice(options[0], _best(others[0]) if others else None)


def choose_contract(
    fits: Sequence[Fit], order: Iterable[str], boundary: Boundary | None, ask: Ask
) -> Fit:
    """Choose a contract by the likelihood of the trial images.

    Within a standard error of the best, the most usual contract is preferred. The images' own mean
    and standard deviation are no usual contract, since a training may have measured other images;
    but where they fit better, the user is asked.

    Args:
        fits: All contracts with the chosen columns, the most likely first.
        order: Their names, the most usual first.
        boundary: The decision boundary; None if its threshold is not known yet.
        ask: Asks where another contract is as good but gives other probabilities.
    """
    names = list(order)
    usual = [fit for fit in fits if not fit.is_of_images] or list(fits)
    by_use = sorted(usual, key=lambda fit: names.index(fit.name))
    chosen = next(fit for fit in by_use if _is_within_error(fit, usual[0]))
    labels = chosen.trial.labels
    rivals = [
        fit
        for fit in fits
        if fit is not chosen
        and is_as_good(fit.logits, chosen.logits, labels)
        and (not fit.is_of_images or difference(fit.likelihoods, chosen.likelihoods).is_clear)
    ]
    if not rivals:
        return chosen
    options = sorted([chosen, *rivals], key=lambda fit: not fit.is_of_images)
    rival = difference(chosen.likelihoods, rivals[0].likelihoods)
    question = Question(
        "The images do not decide between these inputs of the model:",
        [described(fit) + _borderline(fit, boundary) for fit in options],
        f"--input-range is missing, but the images do not decide between {_listed(options)} (mean "
        f"log-likelihood of {chosen.name} minus that of {rivals[0].name}: {rival}): name the input "
        "of the model with --input-range, and with --mean and --std if it is normalised.",
    )
    return options[ask(question)]


def described(fit: Fit) -> str:
    """A contract with its figures."""
    likelihood = float(fit.likelihoods.mean())
    return (
        f"mean log-likelihood {likelihood:.3f}, {fit.right} of {fit.images} images correct with "
        f"{fit.name}"
    )


def described_columns(fit: Fit) -> str:
    """Columns with their figures."""
    likelihood = float(fit.likelihoods_of_all.mean())
    among = " among all columns" if fit.trial.outputs.shape[1] > 2 else ""
    return (
        f"{fit.assignment}: {fit.right} of {fit.images} images correct, mean log-likelihood"
        f"{among} {likelihood:.3f}"
    )


def _check_width(
    width: int, trials: Sequence[Trial], kind: Outputs, pair: Pair, columns: Sequence[int]
) -> None:
    if columns and (min(columns) < 0 or len({*columns}) < len(columns)):
        raise BorderlineError(
            f"columns is {list(columns)}, but it needs two different columns from 0 on, of the "
            "positive and the negative class: correct it."
        )
    if max(columns, default=0) >= width:
        raise BorderlineError(
            f"columns is {list(columns)}, but the model gives columns 0 to {width - 1}: correct it."
        )
    if columns and width == 1:
        raise BorderlineError(
            f"columns is {list(columns)}, but the model gives one number per image: remove it."
        )
    if columns or width in (1, 2, len(pair.classes)):
        return
    candidates = [fitting_columns(t.outputs, kind, t.labels, pair) for t in trials]
    fits = [fits_of(trials, kind, candidate)[:1] for candidate in candidates if candidate]
    best = _by_likelihood(fits)
    beats = best and _beats_guessing(best[0][0])
    hint = f" (those that fit best are {described_columns(best[0][0])})" if beats else ""
    raise BorderlineError(
        f"columns is missing, but the model gives {width} classes and the images have "
        f"{len(pair.classes)}: name the columns of the positive and the negative class, from 0, "
        f"with --columns{hint}."
    )


def _named(usual: list[list[Fit]], columns: Sequence[int], allow_chance: bool) -> ColumnsChoice:
    """The columns that the user names; an error if they do not tell the classes apart."""
    named = next(fits for fits in usual if fits[0].assignment.columns == tuple(columns))
    fit, rest = _best(named), _by_likelihood(fits for fits in usual if fits is not named)
    exchanged = _exchanged(fit)
    if better_than_guessing(exchanged, fit.images):
        first, second = columns
        raise BorderlineError(
            f"columns is [{first}, {second}], with which the model classifies {fit.right} of "
            f"{fit.images} real images of the pair correctly, no better than guessing; exchanged: "
            f"{exchanged} of {fit.images} correct: name --columns {second},{first}."
        )
    if not allow_chance and not _beats_guessing(fit):
        raise BorderlineError(_no_better(fit))
    return ColumnsChoice(named, _best(rest[0]))


def _exchanged(fit: Fit) -> int:
    return fit.right_with(-fit.logits)


def _no_better(fit: Fit) -> str:
    p, t = torch.sigmoid(fit.logits), fit.trial.threshold
    middle = threshold_to_test(None, p)
    right = int(((p > middle) == (fit.trial.labels == 1)).sum())
    hint = hint_at_one_sign(fit.kind, fit.logits)
    if not hint and t is not None and better_than_guessing(right, fit.images):
        hint = (
            f" at a threshold of {t:g} (with one of {middle:.3g}, {right}): name --threshold if "
            "the model decides elsewhere, or"
        )
    else:
        hint += ":"
    return (
        f"model classifies {fit.right} of {fit.images} real images of the pair correctly with "
        f"{fit.name}, no better than guessing{hint} name its input with --input-size, "
        "--input-range, --mean and --std, correct --positive, --negative, --classes or --columns, "
        "or train it (--allow-chance lets it pass)."
    )


def _offer_exchange(usual: list[list[Fit]], chosen: list[Fit], ask: Ask) -> ColumnsChoice:
    """Offer to exchange two columns; a single output cannot be exchanged by a setting."""
    fit, straight = _best(chosen), _best(usual[0])
    text = f"exchanged: {fit.right} of {fit.images} correct, and {straight.right} as they are"
    if fit.assignment.columns is None:
        classes, positive, negative = fit.assignment.pair
        raise BorderlineError(
            f"positive is {classes[positive]!r}, but the output of the model is high for "
            f"{classes[negative]!r} ({text}): exchange --positive and --negative."
        )
    first, second = fit.assignment.columns
    question = Question(
        "The two columns seem to be the wrong way round:",
        [f"exchanged: {described_columns(fit)}", f"as they are: {described_columns(straight)}"],
        f"columns is missing, but the two columns seem to be the wrong way round ({text}; "
        f"{fit.assignment}): confirm them with --columns {first},{second}.",
        offer=True,
    )
    if ask(question) == 1:
        raise BorderlineError(_no_better(straight))
    return ColumnsChoice(chosen, straight)


def _which_columns(fits: list[Fit]) -> Question:
    lines = [_label(fit) + described_columns(fit) for fit in fits]
    both = [",".join(map(str, fit.assignment.columns or ())) for fit in fits]
    return Question(
        "The images do not decide which columns are meant:",
        lines,
        f"columns is missing, but the order of the classes is not clear ({'; '.join(lines)}): name "
        f"the columns of the two classes with --columns, such as --columns {both[0]}.",
    )


def _label(fit: Fit) -> str:
    if fit.assignment.elsewhere:
        return "in no usual order of the classes, "
    return "exchanged, " if fit.assignment.exchanged else ""


def _fitting(best: Fit) -> list[Assignment]:
    """The columns of no usual order that fit far better than the best ones, if there are some."""
    trial, kind, assignment = best
    other = fitting_columns(trial.outputs, kind, trial.labels, assignment.pair)
    if other is None or other.columns == assignment.columns:
        return []
    gain = difference(Fit(trial, kind, other).likelihoods_of_all, best.likelihoods_of_all)
    return [other] if gain.is_clear and gain.mean > _FAR_BETTER else []


def _by_likelihood(candidates: Iterable[list[Fit]]) -> list[list[Fit]]:
    """Fits of several assignments, the most likely assignment first, those that guess last."""
    bests = [(_best(fits), fits) for fits in candidates]
    bests.sort(key=lambda pair: (not _beats_guessing(pair[0]), -_mean_of_all(pair[0])))
    return [fits for _, fits in bests]


def _best(fits: Sequence[Fit]) -> Fit:
    return max(fits, key=_mean_of_all)


def _mean_of_all(fit: Fit) -> float:
    return float(fit.likelihoods_of_all.mean())


def _beats_guessing(fit: Fit) -> bool:
    return better_than_guessing(fit.right, fit.images)


def _is_rival(fit: Fit, best: Fit) -> bool:
    gap = difference(best.likelihoods_of_all, fit.likelihoods_of_all)
    return not gap.is_clear and _beats_guessing(fit)


def _is_within_error(fit: Fit, best: Fit) -> bool:
    gap = difference(best.likelihoods, fit.likelihoods)
    return gap.mean <= max(gap.error, SMALLEST_DIFFERENCE)


def _listed(fits: list[Fit]) -> str:
    # The names have commas and "and" of their own.
    return " / ".join(fit.name for fit in fits)


def _borderline(fit: Fit, boundary: Boundary | None) -> str:
    if boundary is None:
        return ""
    return f", {borderline_yield(fit.logits.sigmoid(), boundary):.1%} borderline"
