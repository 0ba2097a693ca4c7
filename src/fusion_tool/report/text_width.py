"""The width of text in a picture: SVG does not wrap, and there is no font here to measure it with."""

from unicodedata import combining, east_asian_width

_THIN, _BROAD = frozenset("ijltfrI.,:;!|'()[]- "), frozenset("mwMWQO@%")
_THIN_WIDTH, _USUAL_WIDTH, _BROAD_WIDTH = 5.5, 8.7, 13.0
"""Of letters in bold type of 12 pixels, in the broadest of the fonts that systems show pages in."""
REGULAR = 0.88
"""The width of regular type in that of bold."""


def text_width(text: str) -> float:
    """Return the pixels that bold text of 12 pixels takes at most."""
    return sum(map(_letter_width, text))


def cut_to_width(text: str, pixels: float) -> str:
    """Return the text where it fits into so many pixels, else its beginning and an ellipsis."""
    if text_width(text) <= pixels:
        return text
    room = pixels - _BROAD_WIDTH  # of the ellipsis
    for place, letter in enumerate(text):
        room -= _letter_width(letter)
        if room < 0:
            return f"{text[:place]}…"
    return text


def _letter_width(letter: str) -> float:
    if combining(letter):
        return 0.0
    if letter in _BROAD or east_asian_width(letter) in ("W", "F"):
        return _BROAD_WIDTH
    return _THIN_WIDTH if letter in _THIN else _USUAL_WIDTH
