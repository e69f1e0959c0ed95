"""The page: content in its template, closed to everything that does not come from this package.

Jinja escapes all text. The pictures are put in as they are: ``svg.page_svg`` has written them as XML out of the same
text. What the script reads is JSON without a sign that could end it. The browser itself is told to load nothing and to
run and apply only the one script and the one style whose hashes the page names (Content Security Policy, level 2).
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mteb_hybrid.html_report.content import Form, Picture, Report, Value, name_to_show, shown
from mteb_hybrid.html_report.svg import page_svg
from mteb_hybrid.reporting.tables import Column

if TYPE_CHECKING:
    from markupsafe import Markup

    from mteb_hybrid.html_report.explorer import Explorer
    from mteb_hybrid.reporting.figures import Cell

_ESCAPED = {sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
_ARROW = {"higher": "higher is better", "lower": "lower is better", None: ""}


def render(report: Report) -> str:
    """Return the page; the same text for the same report."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "shown": shown,
        "full": _full,
        "number": _number,
        "margin": _margin,
        "direction": _direction,
    }
    style, script = _asset("style.css"), _asset("script.js")
    places = {picture.name: place for place, picture in enumerate(report.pictures)}

    def svg(picture: Picture) -> Markup:
        return Markup(page_svg(picture, f"p{places[picture.name]}"))

    matrices = {each.name: _matrix(each) for each in report.pictures if each.data.is_large}
    explorers = {part.anchor: _explorer(part.explorer) for part in report.parts if part.explorer}
    return environment.from_string(_asset("template.html")).render(
        report=report,
        svg=svg,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        explorers=Markup(script_json(explorers)),
        matrices=Markup(script_json(matrices)) if matrices else "",
    )


def _matrix(picture: Picture) -> dict[str, Any]:
    """The figures behind a picture, out of which the script makes a table, and says what is under the pointer."""
    names = [name for name, _ in picture.data.columns]
    form = picture.data.columns[-1][1]
    return {"columns": names, "form": form, "rows": picture.data.rows}


def script_json(value: Any) -> str:
    """Return JSON that can stand in a script element: nothing in it ends the element or a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return "".join(_ESCAPED.get(sign, sign) for sign in text)


def _asset(name: str) -> str:
    text = files("mteb_hybrid.html_report").joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _full(value: Value) -> str:
    """A value unrounded, as downloads hold it."""
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _number(cell: Cell, column: Column) -> str:
    return shown(cell.value, _form(column))


def _margin(cell: Cell, column: Column) -> str:
    return "" if cell.margin is None else f"±{shown(cell.margin, _form(column))}"


def _form(column: Column) -> Form:
    forms: dict[str, Form] = {"distance": "distance", "share": "share"}
    return forms.get(column.measure.form, "score")


def _direction(column: Column) -> str:
    return _ARROW[column.measure.better]


def _explorer(explorer: Explorer) -> dict[str, Any]:
    """What the script needs, in few letters: there are hundreds of questions."""
    return {
        "models": explorer.models,
        "languages": [name_to_show(tag, 24) for tag in explorer.languages],
        "depth": explorer.depth,
        "answers": explorer.answers,
        "questions": [
            {
                "language": name_to_show(question.language, 24),
                "id": question.id,
                "group": question.group,
                "text": question.text,
                "scores": [score and [score.precision, score.distance, score.ranks] for score in question.scores],
            }
            for question in explorer.questions
        ],
    }
