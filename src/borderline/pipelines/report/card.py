"""The model card: the findings in the format of model hubs (Mitchell et al. 2019)."""

from __future__ import annotations

import re

from borderline.findings import MEASURES, Findings
from borderline.pages.banners import banners, headed
from borderline.pages.rendering import environment
from borderline.pages.verdicts import verdict_on, verdicts_in_short
from borderline.pipelines.report.advice import in_short, limits_of_method, limits_of_model
from borderline.pipelines.report.page import PACKAGE, Origin
from borderline.pipelines.report.trust import trust_in

_TASK = "image-classification"
# Characters that Markdown would read as markup in the name of a class.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|&~$]")


def write_card(name: str, findings: Findings, origin: Origin, license_name: str | None) -> str:
    """The card in Markdown with a YAML head; a license of None is left out."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    # The only measure that hubs know; the text shows the others.
    accuracy = EvalResult(
        task_type=_TASK,
        task_name=f"{findings.positive} or {findings.negative}",
        dataset_type=re.sub(r"[^a-z0-9]+", "-", findings.source.lower()).strip("-") or "images",
        dataset_name=findings.source,
        dataset_split="test",
        metric_type="accuracy",
        metric_name=MEASURES["accuracy"].title,
        metric_value=findings.measures["accuracy"].value,
    )
    data = ModelCardData(
        model_name=name,
        library_name="pytorch",
        license=license_name,
        pipeline_tag=_TASK,
        tags=[_TASK, "decision-boundary", "borderline"],
        metrics=["accuracy"],
        eval_results=[accuracy],
    )
    escaped = _escaped(findings)
    text = (
        environment(PACKAGE)
        .get_template("model_card.md")
        .render(
            card_data=data.to_yaml(),
            name=name,
            findings=escaped,
            banners=banners({name: escaped}),
            headed=headed,
            short=in_short(name, escaped),
            trust=[trust_in(pattern, escaped).level for pattern in escaped.patterns],
            short_verdict=verdicts_in_short(escaped),
            verdicts=[verdict_on(pattern, escaped) for pattern in escaped.patterns],
            model_limits=limits_of_model(escaped),
            method_limits=limits_of_method(escaped),
            origin=origin,
        )
    )
    # Hubs parse the head; a head that cannot be parsed raises here.
    return f"{ModelCard(text)}\n"


def _escaped(findings: Findings) -> Findings:
    """The findings with names of classes that Markdown does not read as markup."""

    def plain(text: str) -> str:
        return _MARKUP.sub(r"\\\g<0>", text)

    names = {field: plain(getattr(findings, field)) for field in ("source", "positive", "negative")}
    patterns = tuple(
        pattern.model_copy(update={"words": plain(pattern.words)}) for pattern in findings.patterns
    )
    rating = findings.rating
    if rating is not None:
        rated = {
            number: pattern.model_copy(update={"says": plain(pattern.says)})
            for number, pattern in rating.patterns.items()
        }
        says = tuple(map(plain, rating.says))
        rating = rating.model_copy(update={"says": says, "patterns": rated})
    return findings.model_copy(update={**names, "patterns": patterns, "rating": rating})
