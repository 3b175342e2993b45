"""From templates to one HTML file that contains its style, its script and its charts."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from borderline.findings import MEASURES, written
from borderline.plain_text import fenced, markdown, visible

if TYPE_CHECKING:
    import jinja2
    import plotly.graph_objects as go

_SHARED = "borderline.pages"
_STOPS = 11
_TAGS = re.compile(r"<[^>]+>")


def environment(package: str, *, of_markdown: bool = False) -> jinja2.Environment:
    """The templates of a stage's package and the shared ones; they escape all values.

    A template of Markdown escapes for Markdown, one of HTML for HTML. ``Markup`` stays as it is.
    """
    import jinja2

    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader(_SHARED)]
    templates = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=not of_markdown,
        finalize=_as_markdown if of_markdown else _as_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["fenced"] = fenced
    templates.filters["as_script"] = _as_script
    templates.filters["percent"] = _percent
    templates.globals["measures"] = MEASURES
    return templates


def render(package: str, template: str, *, charts: bool = True, **values: Any) -> str:
    """A whole page from a stage's template; without charts it is smaller, as plotly stays out."""
    import numpy as np
    from matplotlib.colors import to_hex
    from plotly.offline import get_plotlyjs

    from borderline.datasets.figures import SHOW_PICTURES
    from borderline.measures.plots import CHANGE_COLOURS, PROBABILITY_COLOURS, PUSH_COLOURS

    templates = environment(package)
    scales = {"colours": PROBABILITY_COLOURS, "pushes": PUSH_COLOURS, "shifts": CHANGE_COLOURS}
    for name, colours in scales.items():
        templates.globals[name] = [to_hex(colours(at)) for at in np.linspace(0, 1, _STOPS)]
    loader = templates.loader
    assert loader is not None
    style, script = (loader.get_source(templates, f"page.{end}")[0] for end in ("css", "js"))
    return templates.get_template(template).render(
        # Our own code needs no escaping.
        style=Markup(style),
        script=Markup(SHOW_PICTURES + script),
        plotly=Markup(get_plotlyjs() if charts else ""),
        **values,
    )


def chart(figure: go.Figure) -> dict[str, Any]:
    """A ``figure`` in JSON's types; its title is the ``caption``, which wraps on any screen."""
    import plotly.graph_objects as go

    title = figure.layout.title.text or ""
    drawn = go.Figure(figure).update_layout(title=None)
    caption = html.unescape(" ".join(_TAGS.sub(" ", title).split()))
    return {"caption": caption, "figure": json.loads(drawn.to_json())}


def _as_html(value: Any) -> Any:
    """A value without invisible characters, which Jinja then escapes."""
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return visible(value, "\n\t") if is_text else value


def _as_markdown(value: Any) -> Any:
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return markdown(value) if is_text else value


def _percent(share: float) -> str:
    return written("{:.0%}", share).replace(" ", "\N{NO-BREAK SPACE}")


def _as_script(value: Any) -> Markup:
    """JSON that cannot end the script element around it."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))
