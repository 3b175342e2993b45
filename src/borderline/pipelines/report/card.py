"""The model card: the findings in the format of model hubs (Mitchell et al. 2019)."""

from __future__ import annotations

import re

from markupsafe import Markup

from borderline.boundary import formula_of_band
from borderline.findings import MEASURES, Findings
from borderline.pages.banners import banners, headed
from borderline.pages.boundaries import threshold_in_words
from borderline.pages.rendering import environment
from borderline.pages.verdicts import verdict_on, verdicts_in_short
from borderline.pipelines.report.advice import (
    in_short,
    limits_of_method,
    limits_of_model,
    repaired_first,
)
from borderline.pipelines.report.page import PACKAGE, Origin
from borderline.pipelines.report.trust import trust_in
from borderline.plain_text import in_one_line

_TASK = "image-classification"


def write_card(name: str, findings: Findings, origin: Origin, license_name: str | None) -> str:
    """The card in Markdown with a YAML head; a license of None is left out."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    # The only measure that hubs know; the text shows the others.
    accuracy = EvalResult(
        task_type=_TASK,
        task_name=in_one_line(f"{findings.positive} or {findings.negative}"),
        dataset_type=re.sub(r"[^a-z0-9]+", "-", findings.source.lower()).strip("-") or "images",
        dataset_name=in_one_line(findings.source),
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
    text = (
        environment(PACKAGE, of_markdown=True)
        .get_template("model_card.md")
        .render(
            card_data=Markup(data.to_yaml()),
            name=name,
            findings=findings,
            banners=banners({name: findings}),
            headed=headed,
            band=formula_of_band(findings.boundary),
            threshold=threshold_in_words(findings),
            short=in_short(name, findings),
            trust=[trust_in(pattern, findings).level for pattern in findings.patterns],
            short_verdict=verdicts_in_short(findings),
            verdicts=[verdict_on(pattern, findings) for pattern in findings.patterns],
            model_limits=limits_of_model(findings),
            method_limits=limits_of_method(findings),
            repaired_first=repaired_first(name, findings),
            origin=origin,
        )
    )
    # Hubs parse the head; a head that cannot be parsed raises here.
    return f"{ModelCard(text)}\n"
