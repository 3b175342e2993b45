"""What distinguishes a pattern, in words: sentences from the significant rows of a table."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

# The strongest differences from a class.
_MOST = 3


def in_words(table: pd.DataFrame, prototype: int, negative: str, positive: str) -> str:
    """The properties in which a pattern differs from the model's confident images of each class.

    A difference that all patterns share, from both classes, may come from the generator: it stands
    in a sentence of its own.

    Args:
        table: The ``words_table``: a row a pattern, class and property; ``words`` are empty where
            a property does not differ significantly.
        prototype: The number of the pattern.
        negative: The name of the negative class.
        positive: The name of the positive class.
    """
    rows = table[table["prototype"] == prototype]
    if rows.empty:
        return "Too few images to compare their properties with those of confident images."
    shared = _shared(table)
    clauses, alike, missing = [], [], []
    for label, name in (("positive", positive), ("negative", negative)):
        of_class = rows[rows["class"] == label]
        said = of_class[(of_class["words"] != "") & ~of_class["property"].isin(list(shared))]
        strongest = said.iloc[(-said["effect"].abs()).argsort(kind="stable")][:_MOST]["words"]
        if of_class.empty:
            missing.append(_many(name))
        elif strongest.empty:
            alike.append(_many(name))
        else:
            clauses.append(f"{_joined(strongest)} than the model's confident {_many(name)}")
    if alike:
        other = "other measured" if shared else "measured"
        clauses.append(f"no {other} property differs from the confident {' or '.join(alike)}")
    if missing:
        clauses.append(f"too few confident {' and '.join(missing)} to compare")
    text = "; ".join(clauses)
    text = f"{text[0].upper()}{text[1:]}."
    if shared:
        text += f" Like all patterns, {_joined(shared.values())} than confident images of both."
    return text


def _shared(table: pd.DataFrame) -> dict[str, str]:
    """The words for properties in which all patterns differ alike from both classes."""
    sides = table.groupby(["prototype", "class"]).ngroups
    if table["prototype"].nunique() < 2 or table["class"].nunique() < 2:
        return {}
    words = table["words"].str.partition(" (")[0]
    of_property = words[words != ""].groupby(table["property"], sort=False)
    return {
        str(name): str(said.iloc[0])
        for name, said in of_property
        if len(said) == sides and said.nunique() == 1
    }


def _many(name: str) -> str:
    return f"{name}s" if name.isdigit() else f"images of {name}"


def _joined(words: Iterable[str]) -> str:
    *first, last = words
    return " and ".join(filter(None, (", ".join(first), last)))
