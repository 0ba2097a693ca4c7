"""What a reader of a page sees: text that is not shown or struck out goes, mathematics becomes text."""

import re
from typing import TYPE_CHECKING

from fusion_tool.tools.extraction.mathml import math_line

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_NOT_SHOWN_STYLE = re.compile(r"(?:^|[;\s{])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE)
_STRUCK_STYLE = re.compile(r"text-decoration(?:-line)?\s*:[^;]*line-through", re.IGNORECASE)
_STRUCK = "del, s, strike"
# Rules of a page's own style sheets that hide whole classes; a longer selector may depend on a state.
_HIDING_RULE = re.compile(r"(?:^|[},/])\s*([.#][\w-]{1,60}(?:\s*,\s*[.#][\w-]{1,60}){0,20})\s*\{([^{}]{0,300})\}")
_MAX_STYLE = 100_000
# Holders of text, as opposed to icons and doubles: an open dialog hides the whole page behind it with `aria-hidden`.
_TEXT_BLOCKS = "p, article, section, main, li, table, h1, h2, h3"
_HIDDEN_MATH = re.compile(r"mwe-math-mathml|katex-mathml|MJX_Assistive|mjx-assistive")
# Pictures and scripts of the same mathematics.
_MATH_DOUBLES = "img.mwe-math-fallback-image-inline, img.mwe-math-fallback-image-display, .MathJax_Preview, .katex-html"


def flatten_mathematics(page: "LexborHTMLParser") -> None:
    """Replace every `<math>` by its line of text; to be called before what is not shown goes.

    Wikipedia, KaTeX and MathJax hide the MathML, for screen readers alone, and show a picture of it.
    """
    maths = page.css("math")
    if maths:
        for double in reversed(page.css(_MATH_DOUBLES)):
            double.decompose()
    for math in reversed(maths):
        line = math_line(math)
        holder = math
        for _ in range(3):
            parent = holder.parent
            if parent is None or not _HIDDEN_MATH.search(f"{parent.tag} {parent.attributes.get('class') or ''}"):
                break
            holder = parent
        holder.replace_with(line)


def remove_unshown(page: "LexborHTMLParser") -> None:
    """Remove what a reader does not see or sees struck out; inserted text stays."""
    # Backwards, here and above: a removed node takes its descendants along, which stand behind it in the list.
    for node in reversed(page.css("[hidden]")):
        if node.attributes.get("hidden") != "until-found":
            node.decompose()
    for node in reversed(page.css("[style]")):
        style = node.attributes.get("style") or ""
        if _NOT_SHOWN_STYLE.search(style) or _STRUCK_STYLE.search(style):
            _remove(node)
    for selector in _hiding_selectors(page):
        for node in reversed(page.css(selector)):
            _remove(node)
    for node in reversed(page.css(_STRUCK)):
        _remove(node)
    for node in reversed(page.css("[aria-hidden=true]")):
        if node.css_first(_TEXT_BLOCKS) is None:
            _remove(node)


def _remove(node: "LexborNode") -> None:
    # A page that hides its body until its scripts have run is shown with them.
    if node.tag not in {"html", "body", "head"}:
        node.decompose()


def _hiding_selectors(page: "LexborHTMLParser") -> list[str]:
    """Return the classes and ids that the page's own style sheets hide whatever happens."""
    selectors: list[str] = []
    for style in page.css("style"):
        text = re.sub(r"/\*.{0,5000}?\*/", "", style.text()[:_MAX_STYLE], flags=re.DOTALL)
        # Rules inside `@media` hold for some screens only.
        rules = _HIDING_RULE.finditer(_outside_at_rules(text))
        selectors += [rule[1] for rule in rules if _NOT_SHOWN_STYLE.search(rule[2])]
    return selectors[:50]


def _outside_at_rules(text: str) -> str:
    kept: list[str] = []
    depth, start, is_at_rule = 0, 0, False
    for brace in re.finditer(r"[{}]", text):
        if brace[0] == "{":
            if depth == 0:
                is_at_rule = "@" in text[start : brace.start()]
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                if not is_at_rule:
                    kept.append(text[start : brace.end()])
                start = brace.end()
    return "".join(kept)
