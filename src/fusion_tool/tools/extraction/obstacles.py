"""Pages without a text of their own: those that only forward, those that need JavaScript, and walls.

A wall's few words are no source, and "the page is empty" would be no reason; a page that forwards is one hop of many.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

# Characters of text up to which a page may be nothing but such a message.
_SHORT = 500
_VERY_SHORT = 120
_LONGEST_DELAY = 30.0  # seconds; what refreshes later is a page that is kept up to date

# The header's syntax inside a page (https://html.spec.whatwg.org/#attr-meta-http-equiv-refresh).
_REFRESH = re.compile(
    r"\s*(\d{1,6}(?:\.\d*)?|(?=\.))[\d.]*\s*[;,\s]\s*(?:url\s*=\s*)?[\"']?\s*([^\"'\s][^\"']*)", re.IGNORECASE
)
_NEEDS_SCRIPTS = re.compile(r"java\s?script|^\s*(?:loading|please wait)\b", re.IGNORECASE)
_WALLS = (
    (
        re.compile(
            r"captcha|(?:you are|you're|are you) (?:a |not a )?(?:human|robot)|not a robot|checking your browser"
            r"|just a moment(?:\.\.\.|\u2026)|unusual traffic"
            r"|ddos protection|access (?:is |has been )?denied|cookies to continue$",
            re.IGNORECASE,
        ),
        "a wall: the page wants proof that its reader is human",
    ),
    (
        re.compile(
            r"subscrib\w+ (?:now )?to (?:continue|keep|read|unlock)|(?:only|exclusively) for (?:our )?subscribers"
            r"|subscribers? only"
            r"|subscription (?:is )?required|already a subscriber\?",
            re.IGNORECASE,
        ),
        "a wall: the page is for subscribers (paywall)",
    ),
    (
        re.compile(
            r"(?:log|sign) ?(?:in|on) to (?:continue|view|read|see|access|proceed|your)|please (?:log|sign) ?in"
            r"|(?:be|are not) (?:logged|signed) in"
            r"|login (?:is )?required|members only",
            re.IGNORECASE,
        ),
        "a wall: the page wants a login",
    ),
    (
        re.compile(
            r"(?:accept|allow|enable|agree to)\b[^.]{0,40}\bcookies|before you continue"
            r"|cookies (?:are|must be) (?:dis|en)abled"
            r"|consent to (?:our |the )?(?:use of )?cookies|cookie consent",
            re.IGNORECASE,
        ),
        "a wall: the page wants its cookies accepted",
    ),
)
_LOGIN_WORDS = re.compile(r"\b(?:log|sign) ?(?:in|on)\b|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signs:
    """What a page's markup tells of it besides its text.

    Args:
        forward: The address of a refresh that comes at once or soon; `None` for none.
        has_scripts: Whether the page runs scripts.
        without_scripts: What it tells a reader without scripts.
        wants_password: Whether it has a field for a password.
    """

    forward: str | None
    has_scripts: bool
    without_scripts: str
    wants_password: bool


def read_signs(page: "LexborHTMLParser") -> Signs:
    """Read a page's signs, before anything is taken out of its tree."""
    return Signs(
        forward=_forward(page),
        has_scripts=page.css_first("script") is not None,
        without_scripts=" ".join(node.text()[:_SHORT] for node in page.css("noscript")[:10]),
        wants_password=page.css_first("input[type=password]") is not None,
    )


def _forward(page: "LexborHTMLParser") -> str | None:
    for meta in page.css("meta[http-equiv]"):
        attributes = meta.attributes
        if (attributes.get("http-equiv") or "").strip().lower() != "refresh":
            continue
        if (match := _REFRESH.match(attributes.get("content") or "")) and float(match[1] or 0) <= _LONGEST_DELAY:
            return match[2].strip()
    return None


def is_forward(signs: Signs, text: str) -> bool:
    """Return whether a page with this text only forwards; one that holds a text is read."""
    return signs.forward is not None and len(text) <= _SHORT


def find_obstacle(signs: Signs, title: str, text: str) -> str | None:
    """Return what keeps a reader from the page's text, as an error's line; `None` where nothing does."""
    if len(text) <= _SHORT:
        for sign, obstacle in _WALLS:
            if sign.search(f"{title}\n{text}"):
                return obstacle
    if len(text) > _VERY_SHORT:
        return None
    if signs.wants_password and (not text or _LOGIN_WORDS.search(f"{title}\n{text}")):
        return "a wall: the page wants a login"
    if signs.has_scripts and (not text or _NEEDS_SCRIPTS.search(f"{text}\n{signs.without_scripts}")):
        return "the page needs JavaScript to show its text"
    return None
