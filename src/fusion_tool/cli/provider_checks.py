"""OpenRouter's checks: is its endpoint reached, and does it take the key?

Protocol: OpenRouter's API reference, "Get current API key" (`GET /key`) and "List models" (`GET /models`).
"""

import os
from http import HTTPStatus

from fusion_tool.cli.checks import Check
from fusion_tool.models.endpoints import OPENROUTER_URL
from fusion_tool.settings import DEFAULT_KEY

_KEYS_PAGE = "https://openrouter.ai/keys"
_PATIENCE = 3.0
"""Seconds until an endpoint that does not answer counts as out of reach."""

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


async def openrouter() -> list[Check]:
    """The network, as far as OpenRouter needs it, and the key. Being offline is told, and is no fault of the key."""
    url = (os.environ.get("OPENROUTER_BASE_URL") or OPENROUTER_URL).rstrip("/")
    key = os.environ.get(DEFAULT_KEY)
    status = await _status(f"{url}/key" if key else f"{url}/models", key)
    return [_key(key, status), _network(url, status)]


def _key(key: str | None, status: int | str) -> Check:
    name, new = "OpenRouter", f"export {DEFAULT_KEY}=...  # from {_KEYS_PAGE}"
    if not key:
        return Check(name, ok=False, detail=f"{DEFAULT_KEY} is not set", cure=new)
    if status in _REFUSED:
        return Check(name, ok=False, detail=f"{DEFAULT_KEY} is set, and refused ({status})", cure=new)
    tried = "and accepted" if status == HTTPStatus.OK else "not tried"
    return Check(name, ok=True, detail=f"{DEFAULT_KEY} is set, {tried}", runs=True)


def _network(url: str, status: int | str) -> Check:
    if isinstance(status, str):
        detail = f"offline: {url} is out of reach ({status}) - behind a proxy, set HTTPS_PROXY"
        return Check("network", ok=False, detail=detail)
    return Check("network", ok=True, detail=f"{url} answers")


async def _status(url: str, key: str | None) -> int | str:
    """The HTTP status, or what kept it away."""
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE) as client:
            return (await client.get(url, headers=headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return type(error).__name__
