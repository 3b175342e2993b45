"""The card of a suite, in the format of dataset cards (Gebru et al. 2021)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from borderline.boundary import formula_of_band
from borderline.findings import NONE, VERDICTS, written
from borderline.pages.rendering import environment
from borderline.plain_text import in_one_line
from borderline.suites.suite import About, Item, MadeWith, Suite

_PACKAGE = "borderline.suites"
_TASK = "image-classification"
_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_SOURCES = {"people": "people", "committee": "the committee", None: "the committee"}


def write_card(suite: Suite) -> str:
    """The card in Markdown with a YAML head; the same for the same suite."""
    from huggingface_hub import DatasetCard, DatasetCardData

    about = suite.about
    licenses = {run.license for run in about.made_with}
    data = DatasetCardData(
        pretty_name=in_one_line(f"Borderline images: {about.positive} or {about.negative}"),
        license=next(iter(licenses)) if len(licenses) == 1 else None,
        task_categories=[_TASK],
        size_categories=[_size(len(suite.items))],
        tags=[_TASK, "decision-boundary", "borderline", "synthetic"],
    )
    text = (
        environment(_PACKAGE, of_markdown=True)
        .get_template("suite_card.md")
        .render(
            card_data=Markup(data.to_yaml()),
            about=about,
            origin=_origin(about),
            runs=max(_numbers(about)),
            images=len(suite.items),
            of_people=sum(item.is_of_people for item in suite.items),
            counts=_counts(suite),
            boundaries=_boundaries(suite),
            patterns=_patterns(suite),
            licenses=sorted(license_name or "not set" for license_name in licenses),
        )
    )
    # Hubs parse the head; a head that cannot be parsed raises here.
    return f"{DatasetCard(text)}\n"


def _numbers(about: About) -> list[int]:
    """The number of the run of each entry of ``made_with``, from 1.

    A merged suite can hold several suites of one run.
    """
    origins = list(dict.fromkeys(run.origin for run in about.made_with))
    return [origins.index(run.origin) + 1 for run in about.made_with]


def _run_of(item: Item, about: About) -> tuple[float, str]:
    """The number of an item's run, for the order, and its name in tables; unknown ones are last."""
    place = about.run_of(item)
    if place is None:
        return math.inf, "unknown"
    number = _numbers(about)[place]
    return number, f"{number} (seed {about.made_with[place].seed})"


def _origin(about: About) -> list[tuple[int, MadeWith, str]]:
    """Each run with its number, and with the images that its suite left out, as text."""
    numbers = _numbers(about)
    return [
        (number, run, _listed(run.left_out))
        for number, run in zip(numbers, about.made_with, strict=True)
    ]


def _listed(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason.lower()}" for reason, count in left_out.items())


def _size(images: int) -> str:
    """The category of a number of images, as hubs name it."""
    names = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"]
    return names[sum(images >= size for size in _SIZES)]


def _counts(suite: Suite) -> list[tuple[str, str, str, int]]:
    """The number of images of each verdict, label and source: a row each."""
    names = {1: suite.about.positive, 0: suite.about.negative, None: "none"}
    counts = Counter(
        (item.verdict, item.label, _SOURCES[item.label_source]) for item in suite.items
    )
    order = sorted(counts, key=lambda key: (key[0] != "weakness", -(key[1] or 0), key[2]))
    return [(VERDICTS[key[0]], names[key[1]], key[2], counts[key]) for key in order]


def _boundaries(suite: Suite) -> list[dict[str, Any]]:
    """Each model of each run with its threshold, its band and its number of images."""
    keys = [
        (item.model, _run_of(item, suite.about), *item.boundary.values()) for item in suite.items
    ]
    counts, by_key = Counter(keys), dict(zip(keys, suite.items, strict=True))
    return [
        {
            "model": item.model,
            "run": _run_of(item, suite.about)[1],
            "threshold": f"{item.threshold:.4g}",
            "band": formula_of_band(item.boundary),
            "images": counts[key],
        }
        for key, item in by_key.items()
    ]


def _patterns(suite: Suite) -> list[dict[str, Any]]:
    """Each pattern of each model of each run, with its images of each verdict and its words.

    The pattern 0 of a model in one run is another one than its pattern 0 in another run.
    """
    found: dict[tuple[str, tuple[float, str], int | None, str], list[Item]] = {}
    for item in suite.items:
        key = item.model, _run_of(item, suite.about), item.pattern, item.words
        found.setdefault(key, []).append(item)
    rows = []
    order = sorted(found, key=lambda key: (key[0], key[1], key[2] is None, key[2] or 0))
    for key in order:
        (model, (_, run), pattern, words), items = key, found[key]
        weaknesses = sum(item.verdict == "weakness" for item in items)
        shares = [item.committee_p for item in items if item.committee_p is not None]
        rows.append(
            {
                "model": model,
                "run": run,
                "pattern": "none" if pattern is None else pattern,
                "weaknesses": weaknesses,
                "ambiguous": len(items) - weaknesses,
                "committee_p": written("{:.0%}", sum(shares) / len(shares)) if shares else NONE,
                "words": words,
            }
        )
    return rows
