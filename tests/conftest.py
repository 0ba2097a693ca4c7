"""Sockets are off; `loopback` opens 127.0.0.1 and ::1 for one test, and nothing beyond."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scripted_server import ScriptedServer
    from tests.scripted_server.web import WebServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand the marker over to pytest-socket, which guards `connect` by host."""
    for item in items:
        if item.get_closest_marker("loopback"):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1"]))


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is withdrawn because an earlier test's server had the same port and said so."""
    if "fusion_tool.models.withdrawn" in sys.modules:
        monkeypatch.setattr("fusion_tool.models.withdrawn._known", {})


@pytest.fixture
def scripted() -> Iterator["ScriptedServer"]:
    """A fresh scripted provider; its test carries `@pytest.mark.loopback`."""
    from tests.scripted_server import ScriptedServer

    with ScriptedServer() as server:
        yield server


@pytest.fixture
def web() -> Iterator["WebServer"]:
    """A fresh scripted web; its test carries `@pytest.mark.loopback`."""
    from tests.scripted_server.web import WebServer

    with WebServer() as server:
        yield server
