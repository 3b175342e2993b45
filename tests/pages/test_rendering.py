from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest
from jinja2 import UndefinedError

from borderline.pages.rendering import chart, environment

PACKAGE = "borderline.pipelines.report"


def test_title_becomes_a_caption_without_markup() -> None:
    figure = go.Figure(go.Scatter(x=[1, None], y=[float("nan"), 2]))
    figure.update_layout(title="<b>Two</b> lines<br><sup>and a note</sup>")
    drawn = chart(figure)
    assert drawn["caption"] == "Two lines and a note"
    assert not drawn["figure"]["layout"]["title"]
    assert figure.layout.title.text is not None, "the figure itself stays"
    assert "NaN" not in json.dumps(drawn), "which no browser reads"


def test_what_comes_from_outside_is_escaped() -> None:
    template = environment(PACKAGE).from_string(
        "{% autoescape true %}{{ name }} {{ data | as_script }}{% endautoescape %}"
    )
    page = template.render(name="<b>7</b>", data={"x": "</script><b>"})
    assert "&lt;b&gt;7" in page
    assert "</script>" not in page
    assert json.loads(page.split(" ", 1)[1]) == {"x": "</script><b>"}


def test_misspelt_names_in_templates_are_errors() -> None:
    with pytest.raises(UndefinedError):
        environment(PACKAGE).from_string("{{ nothing }}").render()
