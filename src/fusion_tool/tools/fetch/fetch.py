"""`fetch_text`: one page over HTTP, with every hop guarded, every byte counted, and all of it under one deadline.

Errors are in the package's own words: a model reads them outside of any fence, and what a server says of itself, down
to the address that it redirects to, is text from outside.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from fusion_tool.config.network import environment_proxy
from fusion_tool.errors import BlockedAddress
from fusion_tool.tools.exclusions import blocked_by
from fusion_tool.tools.extraction.content import Extracted, ExtractionError
from fusion_tool.tools.extraction.kind import HEAD_BYTES, detect_kind
from fusion_tool.tools.fetch.body import ACCEPT_ENCODING, BodyTooLargeError, FetchError, read_body, status_reason
from fusion_tool.tools.fetch.faults import connection_fault, response_fault, status_fault
from fusion_tool.tools.fetch.guard import check_address, guarded_client, to_blocked_address
from fusion_tool.tools.fetch.page import ExcludedDomainError, FetchPolicy, PageText, PageWithheldError

if TYPE_CHECKING:
    from httpx import Cookies

_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; fusion-tool)",
    "Accept": "text/html,application/xhtml+xml,application/pdf,text/plain,application/json;q=0.9,*/*;q=0.5",
    "Accept-Encoding": ACCEPT_ENCODING,
}


@dataclass(frozen=True)
class _Hop:
    """One response on the way to a page.

    Args:
        url: Its address, or the next one where it redirects.
        cookies: The cookies so far.
        cacheable: Whether it may be kept.
        data: Its body, not yet parsed; `None` where it redirects.
        content_type: The header; empty where there was none.
    """

    url: str
    cookies: "Cookies"
    cacheable: bool
    data: bytes | None = None
    content_type: str = ""


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
            page = await _follow(url, policy)
    except TimeoutError as error:
        # One raised by something inside is no expired deadline, and must not be reported as one.
        if clock.expired():
            raise FetchError(f"timed out after {policy.timeout:g} s", "timeout") from error
        raise
    if not page.text.strip():
        raise FetchError("empty page")
    # The whole text is searched, not the window that a seat will read: the fragment may stand beyond it.
    if blocked_by(f"{page.url} {page.title} {page.text}", policy.blocked_fragments):
        raise PageWithheldError("the page contains a blocked fragment")
    return page


async def _follow(url: str, policy: FetchPolicy) -> PageText:
    """Follow the redirects from `url`, those that are written in pages among them, to a page."""
    # By hand and not by httpx, which would connect to the next hop unchecked. Cookies go along, since some sites
    # redirect to themselves until theirs comes back; one `no-store` on the way holds for the page.
    cookies, cacheable = None, True
    for number in range(policy.max_redirects + 1):
        try:
            # Each hop anew: a public page may redirect to an excluded or private one.
            check_address(url, policy)
            hop = await _request(url, policy, cookies)
        except BlockedAddress as error:
            raise _forwarded(error) if number else error from error
        url, cookies, cacheable = hop.url, hop.cookies, cacheable and hop.cacheable
        if hop.data is None:
            continue
        content = await _extract(hop.data, hop.content_type, url)
        if content.forward is None:
            return PageText(url, content.title, content.text, cacheable)
        url = urljoin(url, content.forward)
    raise FetchError(f"more than {policy.max_redirects} redirects")


def _forwarded(error: BlockedAddress) -> BlockedAddress:
    """Return the error of a refused redirect, which does not repeat the address that the server wrote."""
    if isinstance(error, ExcludedDomainError):
        return ExcludedDomainError("the page redirects to an excluded domain")
    return BlockedAddress("the page redirects to what is not a public web address")


async def _request(url: str, policy: FetchPolicy, cookies: "Cookies | None") -> _Hop:
    """Make one request.

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
                return _Hop(str(response.next_request.url), client.cookies, cacheable)
            if not response.is_success:
                raise FetchError(status_fault(response.status_code), status_reason(response.status_code))
            content_type = response.headers.get("content-type", "")
            # By the first bytes, since types are declared wrongly: of a film no more than those is downloaded.
            data = await read_body(response, policy.max_bytes, partial(detect_kind, content_type), HEAD_BYTES)
            return _Hop(url, client.cookies, cacheable, data, content_type)
    except BodyTooLargeError as error:
        raise FetchError(f"{error}, the limit that fetch.max_mb sets") from error
    except ExtractionError as error:
        raise FetchError(str(error)) from error
    except SSRFGuardError as error:
        raise to_blocked_address(error) from error
    except httpx.ConnectError as error:
        raise FetchError(f"cannot connect{connection_fault(error)}{_proxy_hint(url, policy)}", "unreachable") from error
    except httpx.TimeoutException as error:
        raise FetchError(f"timed out after {policy.timeout:g} s", "timeout") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(f"broken response: {response_fault(error)}") from error


async def _extract(data: bytes, content_type: str, url: str) -> Extracted:
    from fusion_tool.tools.extraction.extract import extract

    if not data.strip():
        raise FetchError("empty page")
    try:
        return await extract(data, content_type=content_type, url=url)
    except ExtractionError as error:
        raise FetchError(" ".join(str(error).split())) from error


def _proxy_hint(url: str, policy: FetchPolicy) -> str:
    """Return what may mend a failed connection to `url` behind a proxy; empty where no proxy would be used."""
    if policy.trust_proxy or not environment_proxy(url):
        return ""
    return " (the environment's proxy is not used for pages unless trust_proxy is set)"
