"""The images on which people overruled the committee, in suites and in their merge.

Suites of earlier versions have the number of these images, but do not name the images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from borderline.suites.suite import Item, Suite


def known_items(suite: Suite) -> tuple[Item, ...]:
    """The items, with ``overruled`` where the number of the suite tells it.

    It does where people overruled the committee on all images that they decided on, or on none.
    """
    unknown, number = _unknown(suite.items), _number(suite)
    if number not in (0, len(unknown)):
        return suite.items
    update = {"overruled": number > 0}
    return tuple(
        item.model_copy(update=update) if item.digest in unknown else item for item in suite.items
    )


def overruled_of(equal: Sequence[Item], kept: Item) -> bool | None:
    """Whether people overruled a committee on an image, by the items of all suites that have it.

    None where it is unknown, or where people did not decide.
    """
    if not kept.is_of_people:
        return None
    of_people = [item.overruled for item in equal if item.is_of_people]
    if True in of_people or any(item.label != kept.label for item in equal):
        return True
    return None if None in of_people else False


def count_overruled(items: Sequence[Item], suites: Iterable[Suite]) -> int | None:
    """The number of images of a merge on which people overruled a committee.

    None where it is unknown: the number of a suite of an earlier version counts only if all its
    images of people are in the merge by this suite alone.

    Args:
        items: The items of the merge.
        suites: The suites in it.
    """
    open_, count = _unknown(items), sum(item.overruled is True for item in items)
    for suite in suites:
        of_suite, number = _unknown(known_items(suite)), _number(suite)
        if of_suite & _unknown(items):
            if number is None or not of_suite <= open_:
                return None
            open_ -= of_suite
            count += number
    return count


def _unknown(items: Iterable[Item]) -> frozenset[str]:
    """The digests of the images of people of which nobody knows what the committee said."""
    return frozenset(item.digest for item in items if item.is_of_people and item.overruled is None)


def _number(suite: Suite) -> int | None:
    """The number of overruled images among the unknown ones of a suite; None if not known."""
    unknown, total = _unknown(suite.items), suite.about.overruled
    # Earlier versions counted an image of two merged suites twice.
    if total is None or (total and unknown and suite.about.merged):
        return None
    number = total - sum(item.overruled is True for item in suite.items)
    return number if 0 <= number <= len(unknown) else None
