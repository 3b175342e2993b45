"""Several suites as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from borderline.errors import BorderlineError
from borderline.suites.folder import digest_of
from borderline.suites.suite import About, Item, Merged, Suite

Kind = tuple[str, str, tuple[int, ...]]
"""The positive class, the negative class, and the shape of an image."""


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
    chosen: dict[str, tuple[int, int]] = {}
    parts, overruled = list(distinct.values()), 0
    for place, (suite, name) in enumerate(parts):
        check_same(_kind(parts[0][0]), parts[0][1], _kind(suite), name)
        for row, item in enumerate(suite.items):
            if item.digest not in chosen:
                chosen[item.digest] = place, row
                continue
            former_place, former_row = chosen[item.digest]
            former, former_name = parts[former_place]
            both = former.items[former_row], item
            _check_agree(*both, former_name, name)
            overruled += both[0].label != both[1].label
            if both[1].is_of_people and not both[0].is_of_people:
                chosen[item.digest] = place, row
    images = torch.stack([parts[place][0].images[row] for place, row in chosen.values()])
    items = tuple(parts[place][0].items[row] for place, row in chosen.values())
    about = _about([suite.about for suite, _ in parts], overruled)
    merged = tuple(
        Merged(digest=digest, images=len(suite.items)) for digest, (suite, _) in distinct.items()
    )
    return Suite(about.model_copy(update={"merged": merged}), items, images)


def _about(abouts: Sequence[About], overruled: int) -> About:
    """The facts about all images of the suites; ``overruled`` counts those of the merge itself."""
    runs = [run for about in abouts for run in about.made_with]
    return abouts[0].model_copy(
        update={
            "dataset": _joined(about.dataset for about in abouts),
            "source": _joined(about.source for about in abouts),
            "made_with": tuple(run for place, run in enumerate(runs) if run not in runs[:place]),
            "overruled": overruled + sum(about.overruled for about in abouts),
        }
    )


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def check_same(first: Kind, name: str, second: Kind, other_name: str) -> None:
    """Check that two suites, by their names in messages, are of the same classes and shape.

    Raises:
        BorderlineError: When not.
    """
    wrong = f"The suites {name} and {other_name} cannot be merged, because"
    if first[:2] != second[:2]:
        raise BorderlineError(
            f"{wrong} the classes of the first are {first[0]!r} (positive) and {first[1]!r} "
            f"(negative), and those of the second are {second[0]!r} and {second[1]!r}: merge "
            "suites of one pair with the same positive class."
        )
    if first[2] != second[2]:
        raise BorderlineError(
            f"{wrong} the images of the first have the shape {first[2]}, and those of the second "
            f"{second[2]}: merge suites of images of one shape."
        )


def _kind(suite: Suite) -> Kind:
    return suite.about.positive, suite.about.negative, suite.about.shape


def _check_agree(first: Item, second: Item, name: str, other_name: str) -> None:
    """Check that two decisions on one image are the same, if people or committees made both."""
    if first.label != second.label and first.is_of_people == second.is_of_people:
        who = "people" if first.is_of_people else "their committees"
        raise BorderlineError(
            f"The suites {name} and {other_name} cannot be merged, because {who} contradict each "
            f"other about the image {first.digest[:16]}: its label is {_said(first)} in the first "
            f"and {_said(second)} in the second; remove one of the suites from suite.merge, or "
            "let people rate the image and freeze a new suite."
        )


def _said(item: Item) -> str:
    return "'ambiguous'" if item.label is None else str(item.label)
