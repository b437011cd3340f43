"""A page: template, style sheets, scripts and data in one file of HTML that loads nothing."""

import html
import json
import re
from typing import Any

from wiring_search.report.scripts import WEB, linked
from wiring_search.wirings.palette import DARK, LIGHT

_MARK = re.compile(
    r"<!--(?P<text>[A-Z]+)-->"
    r'|<link rel="stylesheet" href="(?P<style>\w+\.css)">'
    r'|<script type="module" src="(?P<script>\w+\.js)"></script>'
)


def page(title: str, data: dict[str, Any], template: str, **texts: str) -> str:
    """Return the HTML of a page.

    Args:
        title: Plain text.
        data: Plain data, its numbers finite.
        template: A file of `web/`. Its style sheets and modules are put in place, each module after
            those that it imports. Title, data and colours replace the marks `<!--TITLE-->`,
            `<!--DATA-->` and `<!--COLOURS-->`.
        texts: Further marks, in capitals, and the plain text that replaces each.
    """
    parts = {"TITLE": html.escape(title), "DATA": as_json(data), "COLOURS": colours_css()}
    parts |= {name: html.escape(text) for name, text in texts.items()}
    present: set[str] = set()

    def filled(match: re.Match[str]) -> str:
        if match["style"]:
            return f"<style>\n{(WEB / match['style']).read_text(encoding='utf-8')}</style>"
        if match["script"]:
            return "".join(
                f"<script>\n{text}</script>\n" for text in linked(match["script"], present)
            )
        return parts.get(match["text"], match[0])

    # In one pass, so that nothing that was put in is searched for marks.
    return _MARK.sub(filled, (WEB / template).read_text(encoding="utf-8"))


def colours_css() -> str:
    """Return the colours of both schemes as variables of CSS."""

    def root(colours: dict[str, str]) -> str:
        return (
            ":root { " + " ".join(f"--{name}: {value};" for name, value in colours.items()) + " }"
        )

    return f"{root(LIGHT)}\n@media (prefers-color-scheme: dark) {{ {root(DARK)} }}"


def as_json(data: Any) -> str:
    """Return compact JSON that may stand in a script element.

    `<` is escaped, because "</script" ends the element and "<!--<script" keeps it from ending. So
    is everything beyond ASCII, U+2028 and U+2029 included, which end lines in older scripts.

    Raises:
        ValueError: A number is not finite, which JSON does not know.
    """
    return json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
