"""A page: a template, looks, scripts and data, put into one file of HTML that loads nothing from anywhere."""

import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

# What any page can draw with: elements, scales and charts, wirings, tips.
BASE = ("base.js", "scales.js", "wiring.js", "tip.js")
# What runs a trained network, and shows it.
PLAYER = ("forward.js", "stage.js", "tape.js", "said.js", "play.js")
STYLES = ("page.css", "play.css")


def page(title: str, data: dict[str, Any], template: str, scripts: Sequence[str], **texts: str) -> str:
    """The HTML of a page.

    template: a file of `web/` with the marks <!--TITLE-->, <!--CSS-->, <!--DATA--> and <!--JS-->; scripts: files there,
    joined in this order into one script. data: plain, its numbers finite. texts: further marks, in capitals, and the text to put
    there; none of it is read as HTML.
    """
    here = files("wiring_search.report") / "web"
    parts = {
        "TITLE": html.escape(title),
        "CSS": "\n".join((here / name).read_text(encoding="utf-8") for name in STYLES),
        "JS": "\n".join((here / name).read_text(encoding="utf-8") for name in scripts),
        "DATA": as_json(data),
        **{name: html.escape(text) for name, text in texts.items()},
    }
    text = (here / template).read_text(encoding="utf-8")
    # In pieces, so that nothing that was put in is searched for marks.
    pieces = text.split("<!--")
    return pieces[0] + "".join(_filled(piece, parts) for piece in pieces[1:])


def as_json(data: Any) -> str:
    """Compact JSON that may stand in a script element.

    `<` is escaped, because "</script" ends the element and "<!--<script" keeps it from ending; so is everything beyond ASCII,
    U+2028 and U+2029 included, which end lines in older scripts.

    Raises:
        ValueError: a number is not finite, which JSON does not know.
    """
    return json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _filled(piece: str, parts: dict[str, str]) -> str:
    name, end, rest = piece.partition("-->")
    return parts[name] + rest if end and name in parts else f"<!--{piece}"
