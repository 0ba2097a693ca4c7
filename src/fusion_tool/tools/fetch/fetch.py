"""`fetch_text`: one page over HTTP, with every hop guarded, every byte counted, and all of it under one deadline."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_tool.events import plain_line
from fusion_tool.tools.exclusions import blocked_by
from fusion_tool.tools.fetch.body import (
    ACCEPT_ENCODING,
    FetchError,
    check_content_type,
    read_body,
    sniff_content_type,
)
from fusion_tool.tools.fetch.guard import check_address, environment_proxy, guarded_client, to_blocked_address
from fusion_tool.tools.fetch.page import FetchPolicy, PageText, PageWithheldError

if TYPE_CHECKING:
    from httpx import Cookies, Response

_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; fusion-tool)",
    "Accept": "text/html,application/xhtml+xml,application/pdf,text/plain,application/json;q=0.9,*/*;q=0.5",
    "Accept-Encoding": ACCEPT_ENCODING,
}


@dataclass(frozen=True)
class _Download:
    """A body as it was received, not yet parsed."""

    url: str
    data: bytes
    content_type: str
    cacheable: bool


@dataclass(frozen=True)
class _Redirect:
    """A hop whose response names the next one."""

    url: str
    cookies: "Cookies"
    cacheable: bool


async def fetch_text(url: str, *, policy: FetchPolicy) -> PageText:
    """Fetch `url` and return its whole text.

    The name is resolved once, every address it has must be public, and the connection goes to the address
    that was checked; each redirect hop is held to the same rules. The environment's proxies are not used
    unless `policy.trust_proxy` is set, because a proxy resolves names itself and so takes the check out of
    this process; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured either way.

    Args:
        url: An http or https address.
        policy: Which addresses may be reached, and the limits of time and size.

    Raises:
        BlockedAddress: The address, or a hop's, must not be fetched (`ExcludedDomainError` where the caller
            excluded it).
        FetchError: The page cannot be read (`PageWithheldError` where it holds a blocked fragment); one line.
    """
    try:
        async with asyncio.timeout(policy.timeout) as clock:
            download = await _follow(url, policy)
            title, text = await _extract(download)
    except TimeoutError as error:
        # One raised by something inside is no expired deadline, and must not be reported as one.
        if clock.expired():
            raise FetchError(f"timed out after {policy.timeout:g} s") from error
        raise
    if not text.strip():
        raise FetchError("empty page")
    # The whole text is searched, not the window that a seat will read: the fragment may stand beyond it.
    if blocked_by(f"{download.url} {title} {text}", policy.blocked_fragments):
        raise PageWithheldError("the page contains a blocked fragment")
    return PageText(download.url, title, text, download.cacheable)


async def _follow(url: str, policy: FetchPolicy) -> _Download:
    """Follow the redirects from `url` to a body."""
    # By hand and not by httpx, which would connect to the next hop unchecked. Cookies go along, since some sites
    # redirect to themselves until theirs comes back; one `no-store` on the way holds for the page.
    cookies, cacheable = None, True
    for _ in range(policy.max_redirects + 1):
        # Each hop anew: a public page may redirect to an excluded or private one.
        check_address(url, policy)
        hop = await _hop(url, policy, cookies)
        cacheable = cacheable and hop.cacheable
        if isinstance(hop, _Download):
            return _Download(hop.url, hop.data, hop.content_type, cacheable)
        url, cookies = hop.url, hop.cookies
    raise FetchError(f"more than {policy.max_redirects} redirects")


async def _hop(url: str, policy: FetchPolicy, cookies: "Cookies | None") -> _Download | _Redirect:
    """Make one request; return its redirect or its body.

    Raises:
        BlockedAddress: The address that the name resolved to must not be reached.
        FetchError: No connection, no success, or a body that cannot be read.
    """
    import httpx
    from ssrfguard import SSRFGuardError

    try:
        async with (
            guarded_client(url, policy, cookies=cookies, headers=_HEADERS) as client,
            client.stream("GET", url) as response,
        ):
            # The only directive that forbids keeping a page at all (RFC 9111, 5.2.2.5); how long, the operator has set.
            cacheable = "no-store" not in response.headers.get("cache-control", "").lower()
            if response.next_request is not None:
                return _Redirect(str(response.next_request.url), client.cookies, cacheable)
            # Judged by its headers first: of an error page or a film nothing is downloaded.
            content_type = _accepted_type(response)
            data = await read_body(response, policy.max_bytes)
            return _Download(url, data, sniff_content_type(content_type, data), cacheable)
    except SSRFGuardError as error:
        raise to_blocked_address(error) from error
    except httpx.ConnectError as error:
        raise FetchError(plain_line(f"cannot connect: {error}{_proxy_hint(url, policy)}")) from error
    except httpx.TimeoutException as error:
        raise FetchError(f"timed out after {policy.timeout:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(plain_line(f"broken response: {error or type(error).__name__}")) from error


def _accepted_type(response: "Response") -> str:
    """Return the content type of a response that is worth reading.

    Raises:
        FetchError: Its status is no success, or no text can be made of its type.
    """
    if not response.is_success:
        from http import HTTPStatus

        # The phrase is ours: the server's own is free text for a model to read.
        is_standard = response.status_code in set(HTTPStatus)
        phrase = f" {HTTPStatus(response.status_code).phrase}" if is_standard else ""
        raise FetchError(f"{response.status_code}{phrase}")
    return check_content_type(response.headers.get("content-type", ""))


async def _extract(download: _Download) -> tuple[str, str]:
    """Return the title and the text of a download."""
    from fusion_tool.tools.extraction.content import ExtractionError
    from fusion_tool.tools.extraction.extract import extract

    if not download.data.strip():
        raise FetchError("empty page")
    try:
        content = await extract(download.data, content_type=download.content_type, url=download.url)
    except ExtractionError as error:
        raise FetchError(plain_line(str(error))) from error
    return content.title or "", content.text


def _proxy_hint(url: str, policy: FetchPolicy) -> str:
    """Return what may mend a failed connection to `url` behind a proxy; empty where no proxy would be used."""
    if policy.trust_proxy or not environment_proxy(url):
        return ""
    return " (the environment's proxy is not used for pages unless trust_proxy is set)"
