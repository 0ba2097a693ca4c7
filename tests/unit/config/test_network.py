"""The environment's addresses, proxies and certificates: a wrong one is told by its variable, before any call."""

import ssl
from pathlib import Path

import pytest

from fusion_tool.config import network
from fusion_tool.config.network import check_network, environment_proxy, proxy_variable, read_address
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import check_models

NO_PROXY_ADDRESS = "expected a proxy's address such as http://proxy.example.org:3128"
WRONG_NETWORK = [
    ("HTTPS_PROXY", "http://proxy:port", NO_PROXY_ADDRESS),
    ("HTTP_PROXY", "ftp://proxy:21", NO_PROXY_ADDRESS),
    ("http_proxy", "http://", NO_PROXY_ADDRESS),
    ("https_proxy", "proxy.corp 3128", NO_PROXY_ADDRESS),
    ("ALL_PROXY", "http://[::1", NO_PROXY_ADDRESS),
    ("ALL_PROXY", "socks5://proxy:1080", "pip install socksio"),
    ("NO_PROXY", "localhost .corp", "expected hosts with commas between them"),
    ("SSL_CERT_FILE", "/nowhere/ca.pem", "cannot read /nowhere/ca.pem: No such file or directory; name a file"),
    ("SSL_CERT_FILE", "/", "cannot read /"),
    ("SSL_CERT_FILE", __file__, "holds no certificates in PEM"),
    ("SSL_CERT_DIR", "/nowhere", "/nowhere is no folder"),
]
"""Variables of the network, wrong values of them, and what is told."""
MODELS = [("panel.0", Panelist(model="openai:gpt-5.5")), ("judge", Panelist(model="openrouter:a/b"))]


@pytest.fixture(autouse=True)
def _keyed(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(name, "sk-0123456789abcdef")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)  # counts before the folder


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        *WRONG_NETWORK,
        ("OPENAI_BASE_URL", "api.corp", "expected an address such as"),
        ("OPENAI_API_BASE", "https://api.corp:port", "expected an address such as"),
        ("OPENROUTER_BASE_URL", "sk-or-v1-0123456789", "expected an address such as"),
        ("OPENROUTER_BASE_URL", "https://me:sk-or-v1-0123456789@api.corp/v1", "a URL must not carry a password"),
        ("OPENAI_BASE_URL", "https://me@api.corp/v1", "a URL must not carry a password"),
    ],
)
def test_a_wrong_value_is_told_before_any_call_by_its_variable(monkeypatch, variable, value, told):
    monkeypatch.setattr(network, "find_spec", lambda _: None)  # other packages may bring a SOCKS client along
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        check_models(MODELS)
    assert caught.value.field == variable
    assert told in caught.value.message
    assert "sk-or" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "proxy"),
        ("HTTPS_PROXY", "proxy:3128"),
        ("HTTP_PROXY", "http://me:secret@proxy.corp:3128/"),
        ("ALL_PROXY", ""),
        ("NO_PROXY", "localhost, 127.0.0.1,.corp,10.0.0.0/8,*"),
        ("SSL_CERT_FILE", ""),
        pytest.param("SSL_CERT_FILE", ssl.get_default_verify_paths().cafile or "", id="SSL_CERT_FILE-a file"),
        ("SSL_CERT_DIR", str(Path(__file__).parent)),
        ("OPENROUTER_BASE_URL", " https://gateway.corp/v1/ "),
    ],
)
def test_what_clients_take_is_taken(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    check_models(MODELS)


def test_an_address_is_read_without_what_stands_around_it(monkeypatch):
    monkeypatch.setenv("SEARXNG_URL", " http://me:word@search.corp/ ")
    assert read_address("SEARXNG_URL") == "http://me:word@search.corp"
    assert read_address("HF_ENDPOINT") == ""


@pytest.mark.parametrize(
    ("entries", "direct", "through"),
    [
        ("", [], ["openrouter.ai"]),
        ("*", ["openrouter.ai", "10.0.0.1"], []),
        ("localhost, *", ["openrouter.ai"], []),
        ("corp.example", ["corp.example", "models.corp.example"], ["othercorp.example", "corp.example.org"]),
        (".corp.example", ["models.corp.example"], ["othercorp.example"]),
        ("*.corp.example,x", ["models.corp.example", "MODELS.CORP.EXAMPLE"], ["corp.example", "othercorp.example"]),
        ("models.corp:8443", ["models.corp:8443"], ["models.corp", "models.corp:443"]),
        ("10.0.0.0/8", ["10.1.2.3", "10.1.2.3:8000"], ["11.0.0.1", "10.example"]),
        ("10.1.2.3", ["10.1.2.3"], ["10.1.2.4"]),
        ("[fd00::]/8, fd01::1", ["[fd01::1]:80"], ["[2001:db8::1]"]),
    ],
)
def test_hosts_that_need_no_proxy_are_named_in_any_form_that_clients_take(monkeypatch, entries, direct, through):
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", entries)
    assert [environment_proxy(f"https://{host}/v1") for host in direct] == [None] * len(direct)
    assert [environment_proxy(f"https://{host}/v1") for host in through] == ["http://proxy:3128"] * len(through)


def test_the_variable_of_a_proxy_is_known_where_one_is_taken(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", ".corp")
    check_network()
    assert proxy_variable("https://openrouter.ai/api/v1") == "HTTPS_PROXY"
    for url in ("https://models.corp/v1", "http://openrouter.ai/", "https://127.0.0.1:8000/v1", "https://[::1", ""):
        assert proxy_variable(url) == ""
