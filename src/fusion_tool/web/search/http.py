"""One JSON request to a provider that the operator configured, with every failure as one safe line.

The endpoint is trusted and may be private, so there is no address guard. Redirects are not followed: httpx
would send a key's header on to wherever they lead. No message quotes the request or an exception, because
httpx puts a malformed header's value, a key, into its own.
"""

import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fusion_tool.web.body import ACCEPT_ENCODING, read_body
from fusion_tool.web.errors import FetchFailed
from fusion_tool.web.search.result import ProviderFailed

_MAX_BYTES = 2_000_000
# 432 and 433 are Tavily's own, for a plan's and a pay-as-you-go limit.
_EXHAUSTED = {402, 432, 433}


def api_key(variable: str) -> str:
    """The key in the environment variable `variable`.

    Raises:
        ProviderFailed: It is not set, or cannot stand in a header.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ProviderFailed(f"no key: set {variable}")
    if not key.isascii() or not key.isprintable():
        raise ProviderFailed(f"the key in {variable} has characters that no key has")
    return key


async def request_json(  # noqa: PLR0913 - one argument for each part of a request
    method: str,
    url: str,
    *,
    timeout: float,  # noqa: ASYNC109 - passed on to httpx
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int] | None = None,
    body: Mapping[str, Any] | None = None,
    refused: str = "access refused",
) -> dict[str, Any]:
    """Send a request and give the JSON object of its answer.

    Args:
        method: `"GET"` or `"POST"`.
        url: The provider's endpoint.
        timeout: Seconds for each step of the request.
        headers: Further headers, a key among them.
        params: The query string.
        body: The JSON body.
        refused: What to say on 401 and 403.

    Raises:
        ProviderFailed: No connection, another status than 2xx, or no JSON object.
    """
    import httpx

    sent = {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING, **(headers or {})}
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, headers=sent) as client,
            client.stream(method, url, params=params, json=body) as response,
        ):
            _check_status(response.status_code, refused)
            return _object(await read_body(response, _MAX_BYTES))
    except httpx.TimeoutException as error:
        raise ProviderFailed(f"timed out after {timeout:g} s", may_be_charged=True) from error
    except httpx.ConnectError as error:
        raise ProviderFailed("cannot connect") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ProviderFailed(f"the request failed ({type(error).__name__})", may_be_charged=True) from error
    except FetchFailed as error:
        raise ProviderFailed(str(error), may_be_charged=True) from error


def rows(answer: Mapping[str, Any], *path: str) -> list[Any]:
    """The list at `path` inside `answer`; empty where a step is missing.

    Raises:
        ProviderFailed: Something else stands there.
    """
    value: Any = answer
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else value
    if value is None:
        return []
    if not isinstance(value, list):
        raise ProviderFailed(f"unexpected JSON: {'.'.join(path)} is not a list", may_be_charged=True)
    return value


def _check_status(code: int, refused: str) -> None:
    if HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
        return
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise ProviderFailed(f"{refused} ({code})")
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        raise ProviderFailed("rate limited (429)")
    if code in _EXHAUSTED:
        raise ProviderFailed(f"the plan's limit is used up ({code})")
    if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        raise ProviderFailed(f"answered with a redirect ({code}): configure the final address")
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "unknown status"
    raise ProviderFailed(f"{code} {phrase}")


def _object(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
        kind = "HTML instead of JSON" if data.lstrip()[:1] == b"<" else "no valid JSON"
        raise ProviderFailed(f"answered {kind}", may_be_charged=True) from error
    if not isinstance(answer, dict):
        raise ProviderFailed("unexpected JSON: not an object", may_be_charged=True)
    return answer
