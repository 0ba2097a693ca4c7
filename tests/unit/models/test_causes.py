"""Where an address does not answer, the line names the address, the system's reason and what sets the address."""

import os
import socket
import ssl

import httpx
import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.models.causes import explain_fault
from fusion_tool.models.faults import ProviderReplyError, to_fault
from fusion_tool.models.wire.errors import ErrorCause

REFUSED = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9)")
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
PLAIN = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
PLAIN.reason = "WRONG_VERSION_NUMBER"
UNTRUSTED = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] (_ssl.c:1006)")
UNTRUSTED.reason, UNTRUSTED.verify_message = "CERTIFICATE_VERIFY_FAILED", "self-signed certificate"
OWN = Panelist("m", base_url="http://127.0.0.1:9/v1")


def unconnected(root):
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = root
    return error


@pytest.mark.parametrize(
    ("panelist", "address", "root", "told"),
    [
        (OWN, {}, REFUSED, ("http://127.0.0.1:9/v1", os.strerror(111), "start the server there", "base_url")),
        (
            Panelist("m", base_url="https://127.0.0.1:9/v1"),
            {},
            PLAIN,
            ("TLS failed: wrong version", "http://", "base_url"),
        ),
        (Panelist("m", base_url="https://a.org/v1"), {}, UNTRUSTED, ("TLS failed: self-signed", "correct base_url")),
        (
            Panelist("m", base_url="http://no.invalid/v1"),
            {},
            UNKNOWN,
            ("http://no.invalid/v1", "not known", "base_url"),
        ),
        (Panelist("ollama:m"), {"OLLAMA_HOST": "127.0.0.1:9"}, REFUSED, ("127.0.0.1:9", "ollama serve", "OLLAMA_HOST")),
        (Panelist("openai:m"), {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, REFUSED, (":9/v1", "in OPENAI_BASE_URL")),
        (Panelist("openrouter:a/m"), {"OPENROUTER_BASE_URL": "http://127.0.0.1:9"}, REFUSED, ("OPENROUTER_BASE_URL",)),
        (Panelist("openrouter:a/m"), {}, UNKNOWN, ("https://openrouter.ai", "check the network", "HTTPS_PROXY")),
    ],
)
def test_no_connection(monkeypatch, panelist, address, root, told):
    for variable, value in address.items():
        monkeypatch.setenv(variable, value)
    error = unconnected(root)
    message = explain_fault(to_fault(error), error, panelist).message
    assert all(part in message for part in told), message
    assert "Errno" not in message
    assert "_ssl" not in message


class NotFoundError(Exception):
    """As a provider's client raises it."""

    status_code = 404

    def __init__(self, sentence):
        super().__init__(sentence)
        self.body = {"message": sentence}
        self.request = httpx.Request("POST", "http://gate.corp/v1/responses?key=s")


@pytest.mark.parametrize(
    ("panelist", "error", "told"),
    [
        (Panelist("openai:m"), TypeError("'NoneType' object"), "http://gate.corp/v1 gives no answer in the form of"),
        (Panelist("openai:m"), NotFoundError("Not Found"), "nothing is served at http://gate.corp/v1/responses: the"),
        (Panelist("openai:m"), NotFoundError("no model 'm'"), "no model 'm'"),
        (
            Panelist("m", base_url="http://h:1"),
            ProviderReplyError(ErrorCause("no answer in the form of X, but a web page: nginx")),
            "a web page: nginx; correct base_url, which mostly ends in /v1",
        ),
    ],
)
def test_an_address_that_serves_another_api_is_named_with_its_variable(monkeypatch, panelist, error, told):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gate.corp/v1")
    message = explain_fault(to_fault(error), error, panelist).message
    assert told in message
    assert "NoneType" not in message
    names_variable = message.endswith("the address is that in OPENAI_BASE_URL")
    assert names_variable == (panelist.base_url is None and "no model" not in message)


def test_a_proxy_on_the_way_is_named(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.corp:3128")
    error = httpx.ConnectError("Connection refused")
    message = explain_fault(to_fault(error), error, Panelist("openrouter:a/m")).message
    assert message.endswith("; check the proxy in HTTPS_PROXY")
    monkeypatch.setenv("OPENROUTER_BASE_URL", "https://gate.corp/v1")
    message = explain_fault(to_fault(error), error, Panelist("openrouter:a/m")).message
    assert message.endswith("; the address is that in OPENROUTER_BASE_URL; the way there is the proxy in HTTPS_PROXY")
    own = Panelist(model="m", base_url="http://127.0.0.1:8000/v1")
    assert "proxy" not in explain_fault(to_fault(error), error, own).message
