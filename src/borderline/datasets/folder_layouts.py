"""The roles of the folders of a source: splits, classes, and other levels such as sites."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from borderline.datasets.class_names import in_order
from borderline.datasets.folders import holds_image, listing
from borderline.datasets.splits import split_of, splits_among
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

CLASS = "class"
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class Place(NamedTuple):
    """A folder with images of one class, and the values of its other levels by their names."""

    folder: str
    columns: Mapping[str, str]


def find_splits(fs: Any, root: str, path: str, classes: Collection[str] | None) -> dict[str, str]:
    """The folder of each split; only ``train``, which is the root, where nothing is split.

    A folder called ``train`` can also be a class. The folders in it and beside it decide.

    Raises:
        BorderlineError: When they do not decide.
    """
    there = listing(fs, root)
    folders = there.folders
    others = [name for name in folders if split_of(name) is None]
    whole = {"train": root}
    if not any(split_of(name) == "train" for name in folders):
        if len(folders) > 1 and not others:
            _refuse_without_train(fs, folders, path, classes)
        return whole
    train = next(name for name in folders if split_of(name) == "train")
    inside = listing(fs, folders[train])
    if classes and (set(classes) <= {*folders}) != (set(classes) <= {*inside.folders}):
        split = set(classes) <= {*inside.folders}
    else:
        # A table can hold the labels of images that are in no folders of classes.
        labelled = any(name in {**there.files, **inside.files} for name in METADATA)
        split = (labelled and not others) or _is_split(fs, folders, train, others, path)
    if not split:
        return whole
    splits = splits_among(folders, f"source.path is {path!r}, which")
    if others:
        logger.warning("Not read, because they are beside %s: %s in %s", train, others, path)
    return {split: folders[name] for split, name in splits.items()}


def _is_split(fs: Any, folders: dict[str, str], train: str, others: list[str], path: str) -> bool:
    """Whether the folder ``train`` is a split, and not a class beside ``others``."""
    inside = listing(fs, folders[train])
    beside = [name for name in folders if split_of(name) in ("validation", "test")]
    if not inside.folders:
        if not others and any(holds_image(fs, file) for file in inside.files.values()):
            raise BorderlineError(
                f"source.path is {path!r}, whose folders {', '.join(folders)} hold images but no "
                "folders of classes: put the images of each class into a folder of its name, or "
                "list these folders in source.classes if they are the classes."
            )
        return not others
    if not others:
        return True
    if any(set(inside.folders) & set(listing(fs, folders[name]).folders) for name in beside):
        return True
    raise BorderlineError(
        f"source.path is {path!r}, whose folder {train!r} may be a class like {others[0]!r}, or "
        f"may hold the classes {', '.join(list(inside.folders)[:4])}: list the classes in "
        "source.classes, or move the folders that are not meant."
    )


def _refuse_without_train(
    fs: Any, folders: dict[str, str], path: str, classes: Collection[str] | None
) -> None:
    inside = [set(listing(fs, folder).folders) for folder in folders.values()]
    if not set(classes or ()) >= {*folders} and set.intersection(*inside):
        raise BorderlineError(
            f"source.path is {path!r}, which holds {', '.join(folders)}, but no 'train': rename a "
            "folder, or list these folders in source.classes if they are the classes."
        )


def find_levels(
    fs: Any, folder: str, path: str, classes: Collection[str] | None
) -> tuple[str, ...]:
    """The levels of folders, outer first: ``("class",)`` or ``("site", "class")``.

    Raises:
        BorderlineError: When all folders hold folders of the same names, and ``classes`` names
            neither.
    """
    outer = listing(fs, folder).folders
    inside = [listing(fs, place) for place in outer.values()]
    inner = [set(there.folders) for there in inside]
    same = len(outer) > 1 and len(inner[0]) > 1 and all(names == inner[0] for names in inner)
    if not same or any(holds_image(fs, file) for there in inside for file in there.files.values()):
        return (CLASS,)
    names = in_order(outer), in_order(inner[0])
    shown = [", ".join(level[:4]) + (", ..." if len(level) > 4 else "") for level in names]
    if any(split_of(name) == "train" for name in inner[0]):
        raise BorderlineError(
            f"source.path is {path!r}, whose folders {shown[0]} all hold {shown[1]}: put the "
            f"splits outside, such as train/{names[0][0]}, or set source.levels to [class] to mix "
            "them."
        )
    named = set(classes or ())
    if named and (named <= {*outer}) != (named <= inner[0]):
        return (CLASS,) if named <= {*outer} else ("site", CLASS)
    raise BorderlineError(
        f"source.path is {path!r}, whose folders {shown[0]} all hold the folders {shown[1]}, and "
        "either may be the classes: set source.levels to [class] if the outer folders are the "
        "classes, to [site, class] if the inner ones are, or to [class, site] to compare both."
    )


def class_folders(
    fs: Any, folder: str, levels: tuple[str, ...], path: str, *, any_classes: bool
) -> dict[str, list[Place]]:
    """The folders of each class of a split, in the order of the names.

    Args:
        any_classes: Whether places may lack classes that others have.

    Raises:
        BorderlineError: When the classes differ between places, such as sites.
    """
    places: dict[tuple[str, ...], Place] = {(): Place(folder, {})}
    stray = 0
    for _ in levels:
        inner: dict[tuple[str, ...], Place] = {}
        for names, place in places.items():
            there = listing(fs, place.folder)
            stray += sum(holds_image(fs, file) for file in there.files.values())
            inner |= {(*names, name): Place(p, {}) for name, p in there.folders.items()}
        places = inner
    if stray:
        logger.warning("Not read, because they are in no class: %d images in %s", stray, folder)
    depth = levels.index(CLASS)
    classes: dict[str, list[Place]] = {}
    seen: dict[tuple[str, ...], set[str]] = {}
    for names, place in places.items():
        columns = {level: name for level, name in zip(levels, names, strict=True) if level != CLASS}
        classes.setdefault(names[depth], []).append(Place(place.folder, columns))
        seen.setdefault(names[:depth], set()).add(names[depth])
    for outer, named in seen.items():
        if named != {*classes} and not any_classes:
            of_all = ", ".join(in_order(classes))
            raise BorderlineError(
                f"source.levels is {list(levels)}, but {'/'.join(outer)} in {path} holds the "
                f"classes {', '.join(in_order(named))} and all together hold {of_all}: "
                "correct the folders' names, or list the classes in source.classes."
            )
    return {name: classes[name] for name in in_order(classes)}
