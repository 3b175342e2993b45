"""The model card: the findings in the format that model hubs use (Mitchell et al. 2019)."""

from __future__ import annotations

import re

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from borderline.findings import FIGURES, Findings
from borderline.pages.rendering import environment
from borderline.pipelines.report.advice import in_short, limits_of_method, limits_of_model
from borderline.pipelines.report.page import PACKAGE, Origin

_TASK = "image-classification"
# Of Markdown, what may stand in the name of a class.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|]")
# What hubs know; the other figures are ours, and stand in the text.
_KNOWN_TO_HUBS = {"accuracy": "accuracy"}


def write_card(name: str, found: Findings, origin: Origin, license_name: str | None) -> str:
    """Markdown with a YAML head, to be put beside the model.

    Args:
        name: Of the model.
        found: The findings about it.
        origin: Where these come from.
        license_name: Of the model, by the name that hubs know; None for no word of it.
    """
    results = [
        EvalResult(
            task_type=_TASK,
            task_name=f"{found.positive} or {found.negative}",
            dataset_type=re.sub(r"[^a-z0-9]+", "-", found.source.lower()).strip("-") or "images",
            dataset_name=found.source,
            dataset_split="test",
            metric_type=metric,
            metric_name=FIGURES[key].title,
            metric_value=found.figures[key].value,
        )
        for key, metric in _KNOWN_TO_HUBS.items()
    ]
    escaped = {
        name: _MARKUP.sub(r"\\\g<0>", getattr(found, name))
        for name in ("source", "positive", "negative")
    }
    data = ModelCardData(
        model_name=name,
        library_name="pytorch",
        license=license_name,
        pipeline_tag=_TASK,
        tags=[_TASK, "decision-boundary", "borderline"],
        metrics=list(_KNOWN_TO_HUBS.values()),
        eval_results=results,
    )
    said = found.model_copy(update=escaped)
    text = (
        environment(PACKAGE)
        .get_template("model_card.md")
        .render(
            card_data=data.to_yaml(),
            name=name,
            found=said,
            short=in_short(name, said),
            model_limits=limits_of_model(said),
            method_limits=limits_of_method(said),
            origin=origin,
        )
    )
    # Read once, as a hub would: a head that it could not read is an error here.
    return f"{ModelCard(text)}\n"
