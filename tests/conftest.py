"""Sockets are off; `loopback` opens 127.0.0.1 and ::1 for one test, and nothing beyond.

The user's folders are temporary ones, into which the local models' weights are linked, and nothing beside them.
"""

# ruff: noqa: E402 - what follows is imported as well

import sys

# Where it is not kept, each of the many processes that tests start compiles all that it imports: half of its time.
sys.dont_write_bytecode = False

import asyncio
import atexit
import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from fusion_tool.config.schema import Panelist
    from fusion_tool.routing.profiles import Profile
    from tests.postgres import Postgres
    from tests.scripted_server import ScriptedServer
    from tests.scripted_server.web import WebServer

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """Move the user's folders, for this process and those that it starts, until it has ended."""
    from platformdirs import user_data_path

    # MCP's package leaves its own streams open where a connection ends early, in its versions before this one.
    if tuple(map(int, version("mcp").split(".")[:2])) < (1, 30):
        config.addinivalue_line("filterwarnings", "ignore:Unclosed <MemoryObject:ResourceWarning")

    weights = user_data_path("fusion-tool") / "models"
    folder = Path(tempfile.mkdtemp(prefix="fusion-tool-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for kind in ("DATA", "CACHE", "CONFIG", "STATE"):
        os.environ[f"XDG_{kind}_HOME"] = str(folder / kind.lower())
    if weights.is_dir() and (moved := user_data_path("fusion-tool") / "models") != weights:
        moved.mkdir(parents=True)
        for file in weights.glob("*.gguf"):
            (moved / file.name).symlink_to(file)
    # Asked for the loop where none was ever set, as pytest-asyncio does, asyncio makes one, which nobody closes: its
    # end would fail the test that happens to run then.
    asyncio.set_event_loop(None)
    os.environ.pop("FUSION_DATABASE_URL", None)
    os.environ["SSL_CERT_FILE"] = str(_one_authority(folder))
    _rest_on_profiles_of_march()


def _one_authority(folder: Path) -> Path:
    """A bundle of one CA. Reading them all takes an HTTP client a tenth of a second, and nothing here speaks TLS."""
    end = "-----END CERTIFICATE-----\n"
    first = Path(certifi.where()).read_text("utf-8").partition(end)
    bundle = folder / "ca.pem"
    bundle.write_text(first[0] + first[1], "utf-8")
    return bundle


def _rest_on_profiles_of_march() -> None:
    """Let the router know the models of `data/profiles.toml`, on a day on which they are no old ones."""
    from datetime import date

    from fusion_tool.routing import decide, profiles

    decide._today = lambda: date(2026, 4, 1)
    profiles.SHIPPED_FILE = Path(__file__).parent / "data" / "profiles.toml"


@pytest.fixture
def shipped_profiles(monkeypatch: pytest.MonkeyPatch) -> "Mapping[str, Profile]":
    """The profiles that the package brings, for a test of the data themselves."""
    from fusion_tool.routing import profiles

    monkeypatch.setattr(profiles, "SHIPPED_FILE", Path(profiles.__file__).with_name("profiles.toml"))
    return profiles.shipped_profiles()


# Its clock is the wall's: on a machine that is busy with something else an example takes ten times as long.
settings.register_profile("suite", deadline=None, max_examples=50)  # others in each run
settings.load_profile("suite")
gc.set_threshold(100_000)  # thousands of tests, millions of objects: a tenth of the time went into looking for garbage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand the marker over to pytest-socket, which guards `connect` by host."""
    for item in items:
        if item.get_closest_marker("loopback"):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1"]))


def _is_served_by_us(panelist: "Panelist") -> bool:
    return panelist.base_url is None and panelist.model_name.startswith("local:")


@pytest.fixture(autouse=True)
def scripted_providers_are_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scripted provider stands for one that is elsewhere, may charge, and needs no trial, whatever its address."""
    from fusion_tool.budget import pricing
    from fusion_tool.models import identity

    # By object: to find a module by a text takes longer than most tests.
    monkeypatch.setattr(pricing, "is_loopback", lambda _host: False)
    monkeypatch.setattr(identity, "has_own_server", _is_served_by_us)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is withdrawn or set aside because an earlier test's server had the same name and said so."""
    if filters := sys.modules.get("fusion_tool.models.reasoning_filters"):
        monkeypatch.setattr(filters, "_begins_inside", {})
    if refusals := sys.modules.get("fusion_tool.models.refusals"):
        monkeypatch.setattr(refusals, "_refused", set())
    if health := sys.modules.get("fusion_tool.models.health"):
        from fusion_tool.models.breaker import Breaker

        monkeypatch.setattr(health, "_withdrawn", {})
        monkeypatch.setattr(health.TRACKER, "_breaker", Breaker())
        health.TRACKER._recorder._waiting.clear()


@pytest.fixture(autouse=True)
def _log_restored() -> Iterator[None]:
    """A command that ran in this process sends the package's records to stderr, away from `caplog`."""
    logger = logging.getLogger("fusion_tool")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate, logger.level = before


@pytest.fixture
def user_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder of the user's, empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "fusion-tool"
    folder.mkdir()
    return folder


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


@pytest.fixture
def in_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is a seat of another run."""
    monkeypatch.setattr("fusion_tool.graph.preflight._inside_seat", ContextVar("inside_seat", default=True))


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A private PostgreSQL that all tests of a process share; skipped where its programs are absent."""
    from tests.postgres import Postgres

    server = Postgres()
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def database(postgres: "Postgres") -> str:
    """The address of an empty PostgreSQL database."""
    return postgres.empty()
