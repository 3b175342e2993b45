"""From templates to one HTML file, with its style, its script and its charts inside."""

from __future__ import annotations

import json
import re
from typing import Any

import jinja2
import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup
from matplotlib.colors import to_hex
from plotly.offline import get_plotlyjs

from borderline.datasets.figures import SHOW_PICTURES
from borderline.findings import FIGURES
from borderline.measures.plots import PROBABILITY_COLOURS, PUSH_COLOURS

_SHARED = "borderline.pages"
_STOPS = 11
_TAGS = re.compile(r"<[^>]+>")


def environment(package: str) -> jinja2.Environment:
    """The templates of a stage, and the shared ones; in HTML all that they are given is escaped.

    Args:
        package: The stage's package, which has a folder ``templates``.
    """
    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader(_SHARED)]
    found = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["as_script"] = _as_script
    found.globals["figures"] = FIGURES
    for name, colours in (("colours", PROBABILITY_COLOURS), ("pushes", PUSH_COLOURS)):
        found.globals[name] = [to_hex(colours(at)) for at in np.linspace(0, 1, _STOPS)]
    return found


def render(package: str, template: str, *, charts: bool = True, **values: Any) -> str:
    """A whole page.

    Args:
        package: The stage's package.
        template: Its template, which extends ``page.html``.
        charts: Whether the page has any; plotly's code is most of its size.
        values: What the template shows.
    """
    templates = environment(package)
    loader = templates.loader
    assert loader is not None
    style, script = (loader.get_source(templates, f"page.{end}")[0] for end in ("css", "js"))
    return templates.get_template(template).render(
        # Our own code, which stands in the page as it is.
        style=Markup(style),
        script=Markup(SHOW_PICTURES + script),
        plotly=Markup(get_plotlyjs() if charts else ""),
        **values,
    )


def chart(figure: go.Figure) -> dict[str, Any]:
    """A figure to interact with, its title as a caption that wraps on any screen.

    Args:
        figure: Any figure of plotly.

    Returns:
        Its ``caption``, and the ``figure`` in JSON's types.
    """
    title = figure.layout.title.text or ""
    drawn = go.Figure(figure).update_layout(title=None)
    caption = " ".join(_TAGS.sub(" ", title).split())
    return {"caption": caption, "figure": json.loads(drawn.to_json())}


def _as_script(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))
