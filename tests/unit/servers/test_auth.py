"""Who is let in, and where a server may listen."""

import httpx
import pytest
from starlette.responses import PlainTextResponse

from fusion_tool import ConfigError
from fusion_tool.servers.auth import AuthMiddleware, check_address
from tests.integration.callers import callers


async def asked(headers, keys=(), path="/v1/models"):
    transport = httpx.ASGITransport(AuthMiddleware(PlainTextResponse("in"), callers(*keys)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("given", ["Bearer one", "Bearer two", "bearer one", "Bearer  one "])
async def test_a_known_key_is_let_in(given):
    assert (await asked({"Authorization": given}, ("one", "two"))).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer three"},
        {"Authorization": "Bearer "},
        {"Authorization": "one"},
        {"Authorization": "Basic one"},
        {"Authorization": "Bearer one,two"},
        {"Authorization": "Bearer öne".encode()},
    ],
)
async def test_no_key_or_a_wrong_one_is_not(headers):
    refused = await asked(headers, ("one", "two"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_with_a_key_the_hosts_name_does_not_matter():
    headers = {"Authorization": "Bearer one", "Host": "fusion.example", "Origin": "https://chat.example"}
    assert (await asked(headers, ("one",))).status_code == 200


async def test_health_needs_no_key():
    assert (await asked({"Host": "probe.example"}, ("one",), "/healthz")).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]:8000", "127.9.9.9"])
async def test_without_keys_this_machine_may_ask(host):
    assert (await asked({"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.rebound.example:8000"},
        {"Host": "10.0.0.1"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
    ],
)
async def test_without_keys_no_web_page_may(headers):
    assert (await asked(headers)).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_keys(host):
    check_address(host, ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "fusion.example", ""])  # noqa: S104 - nothing listens
def test_anywhere_else_does(host):
    with pytest.raises(ConfigError, match="FUSION_SERVER_KEYS"):
        check_address(host, ())
    check_address(host, callers("key"))
