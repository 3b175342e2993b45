"""The differences of a pattern in words: sentences from the significant rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

# The strongest differences from a class.
_MOST = 3


def in_words(table: pd.DataFrame, prototype: int, negative: str, positive: str) -> str:
    """The properties in which a pattern differs from the model's confident images of each class.

    A difference that all patterns share, from both classes, may come from the generator: it stands
    in a sentence of its own. The last sentence is about the real images near the pattern, where the
    source has columns beside its images.

    Args:
        table: The ``words_table``: a row a pattern, class and property; ``words`` are empty where
            a property does not differ significantly.
        prototype: The number of the pattern.
        negative: The name of the negative class.
        positive: The name of the positive class.
    """
    classes = {"positive": _many(positive), "negative": _many(negative)}
    generated = table[table["compared"] == "pattern"]
    of_pattern = generated[generated["prototype"] == prototype]
    real = table[(table["compared"] == "real") & (table["prototype"] == prototype)]
    sentences, shared = [], _shared(generated)
    if of_pattern.empty:
        few = "too few, of this pattern or of those that the model is confident of"
        sentences.append(f"Its images are not compared: there are {few}")
    else:
        sentences.append(_in_properties(of_pattern, classes, shared))
    if shared and len(of_pattern):
        said = _joined(shared.values())
        sentences.append(f"Like all others, {said} than the confident images")
    if len(real):
        sentences.append(_in_columns(real, classes))
    return f"{'. '.join(sentences)}."


def reproducibility_in_words(levels: pd.DataFrame, many: str) -> str:
    """Where the prototypes or exemplars are found again, from the ``reproducibility_table``."""
    by = {
        verdict: [str(words) for words in rows["words"]]
        for verdict, rows in levels.groupby(levels["reproducible"].astype(str))
    }
    sentences = []
    if "yes" in by:
        sentences.append(f"The {many} are found again {_joined(by['yes'])}")
    if "no" in by:
        start = "They" if sentences else f"The {many}"
        sentences.append(f"{start} are not found again {_joined(by['no'])}")
    sentences += [
        f"Not compared {row['words']}: {row['note']}"
        for _, row in levels[levels["reproducible"].astype(str) == ""].iterrows()
    ]
    if "yes" in by or "no" in by:
        sentences.append(f"Found again means: {levels['rule'].iloc[0]}")
    return " ".join(f"{sentence}." for sentence in sentences)


def _in_properties(
    rows: pd.DataFrame, classes: Mapping[str, str], shared: Mapping[str, str]
) -> str:
    clauses, alike, missing = [], [], []
    for label, many in classes.items():
        of_class = rows[rows["class"] == label]
        said = _strongest(of_class[~of_class["property"].isin(list(shared))])
        if of_class.empty:
            missing.append(many)
        elif said:
            clauses.append(f"{_joined(said)} than the model's confident {many}")
        else:
            alike.append(many)
    if alike:
        other = "other measured" if shared else "measured"
        clauses.append(f"no {other} property differs from the confident {' or '.join(alike)}")
    if missing:
        clauses.append(f"too few confident {' and '.join(missing)} to compare")
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}"


def _in_columns(rows: pd.DataFrame, classes: Mapping[str, str]) -> str:
    clauses = [
        f"the real {many} near it have {_joined(said)} than the others"
        for label, many in classes.items()
        if (said := _strongest(rows[rows["class"] == label]))
    ]
    text = "; ".join(clauses) or "the real images near it do not differ in the columns beside them"
    return f"{text[0].upper()}{text[1:]}"


def _strongest(rows: pd.DataFrame) -> list[str]:
    said = rows[rows["words"] != ""]
    return list(said.iloc[(-said["effect"].abs()).argsort(kind="stable")][:_MOST]["words"])


def _shared(table: pd.DataFrame) -> dict[str, str]:
    """The words for properties in which all patterns, two or more, differ alike from both classes.

    A class without rows, for lack of confident images, does not count.
    """
    sides = table.groupby(["prototype", "class"]).ngroups
    if table["prototype"].nunique() < 2:
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
