"""A page's text and its windows, the policy of a fetch, and the errors of an excluded and of a withheld page."""

from dataclasses import dataclass

from fusion_tool.errors import BlockedAddress
from fusion_tool.tools.fetch.body import FetchError


class ExcludedDomainError(BlockedAddress):
    """The address, or one that it redirects to, belongs to a domain that the caller excluded."""


class PageWithheldError(FetchError):
    """A page was read and dropped, since it contains one of the caller's blocked fragments."""


# An estimate for English: each model has a tokenizer of its own, and a window only has to be of about the right size.
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Page:
    """One window of a page.

    Args:
        url: The address after redirects.
        title: The page's title; empty where it has none.
        text: This window's text, with a closing note where more follows.
        next_offset: Where to read on, in characters of the whole text; `None` at the end.
        cacheable: False where a response on the way said `Cache-Control: no-store`.
    """

    url: str
    title: str
    text: str
    next_offset: int | None
    cacheable: bool


@dataclass(frozen=True)
class PageText:
    """A whole page.

    Args:
        url: The address after redirects.
        title: The page's title; empty where it has none.
        text: The page's whole text.
        cacheable: False where a response on the way said `Cache-Control: no-store`.
    """

    url: str
    title: str
    text: str
    cacheable: bool

    def page(self, offset: int, *, tokens: int) -> Page:
        """Return the window from `offset` on.

        Args:
            offset: In characters of the whole text.
            tokens: The window's length, at about four characters a token.

        Raises:
            FetchError: `offset` is not inside the text.
        """
        part, next_offset = text_window(self.text, offset=offset, tokens=tokens)
        return Page(self.url, self.title, part, next_offset, self.cacheable)


def text_window(text: str, *, offset: int, tokens: int) -> tuple[str, int | None]:
    """Return the part of `text` from `offset` on that fits `tokens`, and the offset at which to read on.

    A cut falls on white space where the window's last fifth has any, so that no word is lost.

    Args:
        text: The whole text.
        offset: In characters.
        tokens: The window's length, at about four characters a token.

    Raises:
        FetchError: `offset` is not inside the text.
    """
    if not 0 <= offset < len(text):
        raise FetchError(f"offset {offset} is outside the page's {len(text)} characters", None)
    size = max(1, tokens * _CHARACTERS_PER_TOKEN)
    end = offset + size
    if end >= len(text):
        return text[offset:], None
    soft = max(text.rfind(mark, end - size // 5, end) for mark in ("\n", " "))
    end = soft + 1 if soft >= 0 else end
    # In the text, since a model sees nothing else of the window.
    note = f"[cut at character {end} of {len(text)}; read on with offset={end}]"
    return f"{text[offset:end].rstrip()}\n\n{note}", end


@dataclass(frozen=True)
class FetchPolicy:
    """The limits of one fetch.

    Args:
        excluded_domains: Domains that are never fetched, subdomains and redirect hops included.
        blocked_fragments: A page whose text contains one of these is withheld.
        allowed_private_hosts: Hosts (`"host"`, any port, or `"host:port"`) that may be loopback or private.
        max_bytes: The most bytes of a body, as sent and as decompressed.
        timeout: Seconds for everything: name resolution, redirects, body, extraction.
        max_redirects: The most hops after the first address.
        page_tokens: Length of one window of text, at about four characters a token.
        trust_proxy: Whether pages go through the proxies of the environment (`HTTPS_PROXY`, ...). A proxy
            looks names up itself, so that pinning the checked address is then the proxy's job: off unless
            the operator says so.
    """

    excluded_domains: tuple[str, ...] = ()
    blocked_fragments: tuple[str, ...] = ()
    allowed_private_hosts: tuple[str, ...] = ()
    max_bytes: int = 5_000_000
    timeout: float = 20.0
    max_redirects: int = 5
    page_tokens: int = 4000
    trust_proxy: bool = False
