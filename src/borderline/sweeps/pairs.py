"""The pairs of a sweep: those of ``--pairs``, or all pairs of the classes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from borderline.config_loader import PRESETS, ConfigLoader
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.pipelines.classifier.pairs import check_counts, check_distinct, labels_of_pair
from borderline.preflight.configuration import Parameters
from borderline.preflight.inputs import check_source

Pair = tuple[int | str, int | str]
"""The positive and the negative class, as settings name them."""

_AT_LEAST = 2


def checked_pairs(words: list[str], source: SourceImages, parameters: Parameters) -> list[Pair]:
    """The pairs of ``--pairs``; the environment's pair without any.

    Raises:
        BorderlineError: When a class is unknown or has too few images, or when a pair is named
            twice.
    """
    default = (parameters.pair.positive, parameters.pair.negative)
    pairs = [pair_of(word, source) for word in words] or [default]
    labels: list[tuple[int, int]] = []
    for pair in pairs:
        labels.append(_checked(pair, source, parameters))
        if labels[-1] in labels[:-1]:
            raise BorderlineError(
                f"--pairs names {pair[0]}v{pair[1]} twice, once in another spelling: remove one."
            )
    return pairs


def all_pairs(
    words: list[str], source: SourceImages, parameters: Parameters, known: Mapping[str, Pair]
) -> list[Pair]:
    """Each pair of the classes once.

    The positive class is that of the environment's pair and of ``known``, the pairs of other
    environments with these images. Otherwise, and where these disagree, it is the class with the
    higher label.

    Args:
        words: The classes of ``--classes``, by number or name; empty for all with images.
        source: The images.
        parameters: All settings of the environment.
        known: The pairs of environments, by name.

    Raises:
        BorderlineError: When a class is unknown, is named twice or has too few images.
    """
    there = sorted(set(source.train["labels"].tolist()))
    labels = [source.label_of(_as_written(word), "--classes") for word in words] or there
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise BorderlineError(f"--classes names {source.classes[twice[0]]!r} twice: remove one.")
    if len(labels) < _AT_LEAST:
        raise BorderlineError(
            f"--classes names {len(labels)} class, but a pair has two: name at least two."
        )
    # It is about all classes of the source, so --classes cannot help.
    check_counts(source)
    names = {label: _name_of(label, source) for label in labels}
    for first, second in itertools.pairwise([*sorted(labels), min(labels)]):
        try:
            _checked((names[first], names[second]), source, parameters)
        except BorderlineError as error:
            both = f"{source.classes[first]!r} and {source.classes[second]!r}"
            raise BorderlineError(
                f"--all-pairs: the pair of {both} cannot be run, so leave a class out with "
                f"--classes, or correct this: {error}"
            ) from error
    own = (parameters.pair.positive, parameters.pair.negative)
    ordered = [_labels_or_none(pair, source) for pair in known.values()]
    pairs: dict[tuple[int, int], Pair] = {}
    for low, high in itertools.combinations(sorted(labels), 2):
        reversed_ = (low, high) in ordered and (high, low) not in ordered
        positive, negative = (low, high) if reversed_ else (high, low)
        pairs[low, high] = names[positive], names[negative]
    of_own = _labels_or_none(own, source)
    if of_own is not None and (min(of_own), max(of_own)) in pairs:
        pairs[min(of_own), max(of_own)] = own
    return list(pairs.values())


def pairs_of_environments(conf: Path, dataset: str) -> dict[str, Pair]:
    """The pairs of the environments in ``conf`` whose images have this name, by environment."""
    pairs = {}
    for file in sorted(conf.glob("*/globals.yml")):
        if file.parent.name == PRESETS:
            continue
        loader = ConfigLoader(str(conf), base_env="base", default_run_env=file.parent.name)
        about = loader["globals"]
        if about.get("dataset") == dataset and isinstance(about.get("pair"), dict):
            pairs[file.parent.name] = (about["pair"]["positive"], about["pair"]["negative"])
    return pairs


def pair_of(word: str, source: SourceImages) -> Pair:
    """The two classes of a pair: by number, or by a name that a folder can have."""
    numbers = re.fullmatch(r"(\d+)v(\d+)", word)
    if numbers:
        return _as_written(numbers[1]), _as_written(numbers[2])
    known = {name for name in source.classes if re.fullmatch(r"[A-Za-z0-9_.-]+", name)}
    known |= {str(number) for number in range(len(source.classes))}
    matches = [split for split in _splits(word) if known.issuperset(split)]
    if len(matches) != 1:
        raise BorderlineError(
            f"--pairs has {word!r}, but a pair is <positive>v<negative>, such as 3v0: "
            f"name both classes of {source.name} by their numbers ({_numbered(source.classes)})."
        )
    first, second = map(_as_written, matches[0])
    return first, second


def _splits(word: str) -> Iterator[tuple[str, str]]:
    """The two sides of each ``v``."""
    return ((word[:i], word[i + 1 :]) for i, letter in enumerate(word) if letter == "v")


def _numbered(classes: Sequence[str]) -> str:
    return ", ".join(
        str(i) if name == str(i) else f"{i} is {name!r}" for i, name in enumerate(classes)
    )


def _as_written(name: str) -> int | str:
    """The name of a class; a number only where no digit is lost, so that 01 stays a text."""
    return int(name) if name.isdecimal() and name == str(int(name)) else name


def _checked(pair: Pair, source: SourceImages, parameters: Parameters) -> tuple[int, int]:
    """The labels of a pair with enough different images."""
    positive, negative = pair
    settings = parameters.pair.model_copy(update={"positive": positive, "negative": negative})
    check_source(source, parameters.model_copy(update={"pair": settings}))
    check_distinct(source, settings)
    return labels_of_pair(source, settings)


def _name_of(label: int, source: SourceImages) -> int | str:
    """The number of a class; its name where a number would mean a class of that name."""
    name = source.classes[label]
    try:
        if source.label_of(label, "") == label:
            return label
    except BorderlineError:
        pass
    return _as_written(name)


def _labels_or_none(pair: Pair, source: SourceImages) -> tuple[int, int] | None:
    """The labels of another environment's pair; None where these images lack a class."""
    try:
        return source.label_of(pair[0], ""), source.label_of(pair[1], "")
    except BorderlineError:
        return None
