"""A page that was read, one window of its text at a time."""

from dataclasses import dataclass

from fusion_tool.web.errors import FetchFailed

_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Page:
    """One window of a page.

    Args:
        url: The address after redirects.
        title: The page's title; empty where it has none.
        text: This window's text, with a closing note where more follows.
        next_offset: Where to read on, in characters of the whole text; `None` at the end.
        total_chars: Length of the whole text.
        cacheable: False where a response on the way said `Cache-Control: no-store`.
    """

    url: str
    title: str
    text: str
    next_offset: int | None
    total_chars: int
    cacheable: bool


@dataclass(frozen=True)
class PageText:
    """A whole page.

    Args:
        url: The address after redirects.
        title: The page's title; empty where it has none.
        text: All of it.
        cacheable: False where a response on the way said `Cache-Control: no-store`.
    """

    url: str
    title: str
    text: str
    cacheable: bool

    def page(self, offset: int, *, tokens: int) -> Page:
        """The window from `offset` on, at most `tokens` long.

        Raises:
            FetchFailed: `offset` is not inside the text.
        """
        part, next_offset = window(self.text, offset=offset, tokens=tokens)
        return Page(self.url, self.title, part, next_offset, len(self.text), self.cacheable)


def window(text: str, *, offset: int, tokens: int) -> tuple[str, int | None]:
    """The part of `text` from `offset` on that fits `tokens`, and the offset at which to read on.

    A cut falls on white space where the window's last fifth has any, so that no word is lost.

    Raises:
        FetchFailed: `offset` is not inside the text.
    """
    if not 0 <= offset < len(text):
        raise FetchFailed(f"offset {offset} is outside the page's {len(text)} characters")
    size = max(1, tokens * _CHARACTERS_PER_TOKEN)
    end = offset + size
    if end >= len(text):
        return text[offset:], None
    soft = max(text.rfind(mark, end - size // 5, end) for mark in ("\n", " "))
    end = soft + 1 if soft >= 0 else end
    note = f"[cut at character {end} of {len(text)}; read on with offset={end}]"
    return f"{text[offset:end].rstrip()}\n\n{note}", end
