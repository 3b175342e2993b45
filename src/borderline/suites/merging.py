"""Several suites as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from borderline.errors import BorderlineError
from borderline.suites.folder import digest_of
from borderline.suites.overruled import count_overruled, known_items, overruled_of
from borderline.suites.suite import About, Item, MadeWith, Merged, Suite

if TYPE_CHECKING:
    from torch import Tensor


def merge(suites: Sequence[Suite], names: Sequence[str] = ()) -> Suite:
    """One suite with the images of all, each image once, in the order of the suites.

    Of equal images, that with a decision of people counts, otherwise the first.

    Args:
        suites: At least one.
        names: Their names in messages, such as their folders; by default their places.

    Raises:
        BorderlineError: When the suites have other classes or shapes, or when two of them
            contradict each other about an image, both by people or both by a committee.
    """
    import torch

    said = list(names) or [f"number {place}" for place in range(1, len(suites) + 1)]
    distinct = {digest_of(suite): (suite, name) for suite, name in zip(suites, said, strict=True)}
    if len(distinct) == 1:
        return suites[0]
    parts = list(distinct.values())
    runs = _runs(suite.about for suite, _ in parts)
    images: dict[str, list[tuple[Item, Tensor, str]]] = {}
    for suite, name in parts:
        _check_same(parts[0][0].about, parts[0][1], suite.about, name)
        for item, image in zip(_items(suite, runs), suite.images, strict=True):
            images.setdefault(item.digest, []).append((item, image, name))
    items, tensors = zip(*map(_decided, images.values()), strict=True)
    facts = {
        "made_with": runs,
        "overruled": count_overruled(items, (suite for suite, _ in parts)),
        "merged": tuple(
            Merged(digest=digest, images=len(suite.items))
            for digest, (suite, _) in distinct.items()
        ),
    }
    about = _about([suite.about for suite, _ in parts]).model_copy(update=facts)
    return Suite(about, items, torch.stack(tensors))


def _runs(abouts: Iterable[About]) -> tuple[MadeWith, ...]:
    """The runs of all suites, each once."""
    runs = [run for about in abouts for run in about.made_with]
    return tuple(run for place, run in enumerate(runs) if run not in runs[:place])


def _items(suite: Suite, runs: Sequence[MadeWith]) -> list[Item]:
    """The items of a suite, with their places among the runs of the merge if these are several."""
    items = []
    for item in known_items(suite):
        place = suite.about.run_of(item) if len(runs) > 1 else None
        run = None if place is None else runs.index(suite.about.made_with[place])
        items.append(item.model_copy(update={"run": run}))
    return items


def _decided(equal: Sequence[tuple[Item, Tensor, str]]) -> tuple[Item, Tensor]:
    """The item and the pixels that count, of an image by the suites that have it.

    Raises:
        BorderlineError: When two decisions differ, both by people, or both by a committee where
            people did not decide.
    """
    counting = [one for one in equal if one[0].is_of_people] or equal
    (first, image, name), *others = counting
    for other, _, other_name in others:
        if other.label != first.label:
            raise _contradiction(first, other, name, other_name)
    overruled = overruled_of([item for item, *_ in equal], first)
    return first.model_copy(update={"overruled": overruled}), image


def _about(abouts: Sequence[About]) -> About:
    """The names of the images of the suites, with the classes and the shape of the first one."""
    return abouts[0].model_copy(
        update={
            "dataset": _joined(about.dataset for about in abouts),
            "source": _joined(about.source for about in abouts),
        }
    )


def _joined(names: Iterable[str]) -> str:
    """The names, each once; those of a merged suite are several."""
    return ", ".join(dict.fromkeys(one for name in names for one in name.split(", ")))


def _check_same(first: About, name: str, second: About, other_name: str) -> None:
    """Check that two suites, by their names in messages, are of the same classes and shape."""
    wrong = f"The suites {name} and {other_name} cannot be merged, because"
    if (first.positive, first.negative) != (second.positive, second.negative):
        raise BorderlineError(
            f"{wrong} the classes of the first are {first.positive!r} (positive) and "
            f"{first.negative!r} (negative), and those of the second are {second.positive!r} and "
            f"{second.negative!r}: merge suites of one pair with the same positive class."
        )
    if first.shape != second.shape:
        raise BorderlineError(
            f"{wrong} the images of the first have the shape {first.shape}, and those of the "
            f"second {second.shape}: merge suites of images of one shape."
        )


def _contradiction(first: Item, second: Item, name: str, other_name: str) -> BorderlineError:
    who = "people" if first.is_of_people else "their committees"
    return BorderlineError(
        f"The suites {name} and {other_name} cannot be merged, because {who} contradict each "
        f"other about the image {first.digest[:16]}: its label is {_said(first)} in the first "
        f"and {_said(second)} in the second; remove one of the suites from suite.merge, or "
        "let people rate the image and freeze a new suite."
    )


def _said(item: Item) -> str:
    return "'ambiguous'" if item.label is None else str(item.label)
