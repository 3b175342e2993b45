"""Sentences at the top of a page that say how far to trust all of it."""

from __future__ import annotations

from collections.abc import Mapping

from borderline.findings import Findings

QUICK = "Quick look: reduced settings. Do not act on these figures."


def banners(models: Mapping[str, Findings]) -> list[str]:
    """The banners of a page about these models, by name; empty where there is nothing to warn of.

    A quick look has a banner, and so has each model whose images a baseline made.
    """
    sentences = [QUICK] if any(findings.quick for findings in models.values()) else []
    for name, findings in models.items():
        if findings.baseline:
            sentences.append(
                f"The images of {name} are {findings.baseline}. Its generator, "
                f"{findings.generator}, is a baseline: the images show where the model is "
                "undecided, not which realistic images it is unsure of."
            )
    return sentences


def headed(title: str, *models: Findings) -> str:
    """A title, with what the images are where a baseline made those of all models.

    Example:
        >>> headed("Where is the model unsure?")
        'Where is the model unsure?'
    """
    baselines = dict.fromkeys(findings.baseline for findings in models)
    if not baselines or "" in baselines:
        return title
    words = ", ".join(baselines)
    return f"{title} {words[0].upper()}{words[1:]}" if title.endswith("?") else f"{title}: {words}"
