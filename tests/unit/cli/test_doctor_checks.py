"""The doctor: what works here, what mends the rest, and whether a panel can run at all."""

import asyncio
import json
import re
from typing import Any

import pytest

from fusion_tool.api.stored_runs import list_runs
from fusion_tool.config import network
from fusion_tool.config.database.tables import STEPS
from fusion_tool.models.local.catalog import local_model
from fusion_tool.tools.search.base import SearchResult
from tests.gguf_files import gguf_bytes
from tests.scripted_server import Installed, Raw, ScriptedServer
from tests.scripted_server.faults import unauthorized
from tests.scripted_server.web import Hit, Page, WebServer
from tests.unit.cli.support import fusion
from tests.unit.config.test_network import WRONG_NETWORK

pytestmark = pytest.mark.loopback


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """DuckDuckGo as it is on a good day; what it was asked."""
    queries: list[str] = []

    async def search(query: str, **_: object) -> list[SearchResult]:
        queries.append(query)
        return [SearchResult("Wikipedia", "https://wikipedia.example/", "")]

    monkeypatch.setattr("fusion_tool.tools.search.duckduckgo.search", search)
    return queries


def _examined() -> tuple[int, bool, dict[str, dict[str, Any]]]:
    done = fusion("doctor", "--json")
    found = json.loads(done.stdout)
    return done.exit_code, found["runs"], {check["name"]: check for check in found["checks"]}


def test_a_bare_machine_cannot_run_and_every_fault_has_a_cure() -> None:
    status, runs, checks = _examined()
    assert (status, runs) == (2, False)
    assert checks["OpenRouter"]["cure"].startswith("fusion-tool keys set OPENROUTER_API_KEY")
    assert checks["local model"]["cure"] in ("fusion-tool model install", "pip install 'fusion-tool[local]'")
    assert checks["Ollama"]["cure"] == "ollama serve"
    assert checks["search: brave"]["cure"] == "fusion-tool keys set BRAVE_API_KEY"
    assert checks["search: searxng"]["cure"] == "export SEARXNG_URL=..."
    assert checks["configuration"]["cure"] == "fusion-tool init"
    assert "offline" in checks["network"]["detail"]
    assert not checks["network"]["ok"]
    assert checks["search: duckduckgo"]["detail"] == "needs no key; a search brought results"
    assert checks["documents cache"]["ok"]


def test_its_text_says_the_same() -> None:
    done = fusion("doctor")
    assert done.exit_code == 2
    assert "-> fusion-tool keys set OPENROUTER_API_KEY" in done.stdout
    assert "Nothing can run yet" in done.stdout


def test_a_key_is_enough_even_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    monkeypatch.setattr("fusion_tool.cli.doctor_checks._status", _nameless)
    status, runs, checks = _examined()
    assert (status, runs) == (0, True)
    assert checks["OpenRouter"]["detail"] == "OPENROUTER_API_KEY is set, not tried"
    assert not checks["OpenRouter"]["tried"]
    assert re.search(r"OpenRouter +set ", fusion("doctor").stdout)


def test_the_key_is_tried_and_never_shown(openrouter: ScriptedServer) -> None:
    done = fusion("doctor")
    assert done.exit_code == 0
    assert f"{openrouter.url} answers" in done.stdout
    assert "A panel can run with: OpenRouter" in done.stdout
    assert "0123456789abcdef" not in done.output


def test_a_refused_key_is_no_way_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    monkeypatch.setattr("fusion_tool.cli.doctor_checks._status", _refused)
    status, _, checks = _examined()
    assert status == 2
    assert "refused (401)" in checks["OpenRouter"]["detail"]
    assert checks["OpenRouter"]["cure"]


@pytest.mark.parametrize(
    ("provider", "key", "variable"),
    [("OpenRouter", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"), ("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL")],
)
def test_an_address_that_lets_nobody_in_is_no_way_to_run(
    monkeypatch: pytest.MonkeyPatch, provider: str, key: str, variable: str
) -> None:
    monkeypatch.setenv(key, "sk-0123456789abcdef")
    monkeypatch.setenv(variable, "http://127.0.0.1:9/v1")
    status, runs, checks = _examined()
    assert (status, runs, checks[provider]["ok"]) == (2, False, False)
    assert "Connection refused" in checks[provider]["detail"]


async def _nameless(_url: str, _key: str | None) -> str:
    return "Name or service not known"


async def _refused(_url: str, _key: str | None) -> int:
    answer: Raw = unauthorized()
    return answer.status


def test_ollama_is_asked_what_it_offers(scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", scripted.root)
    status, _, checks = _examined()
    assert (status, checks["Ollama"]["cure"]) == (2, "ollama pull qwen3:8b")
    scripted.installed.append(Installed("qwen3:8b", "qwen3"))
    status, _, checks = _examined()
    assert status == 0
    assert checks["Ollama"]["detail"] == "offers qwen3:8b"


@pytest.mark.parametrize(
    ("variable", "value", "check", "told"),
    [
        ("OLLAMA_HOST", "http://", "Ollama", "OLLAMA_HOST is 'http://', which is no address; one is http://"),
        ("OLLAMA_HOST", "gpu.lan:port", "Ollama", "OLLAMA_HOST is 'gpu.lan:port', which is no address"),
        ("OLLAMA_HOST", "127.0.0.1:9", "Ollama", "none answers at http://127.0.0.1:9, as OLLAMA_HOST says"),
        *(
            ("SEARXNG_URL", value, "search: searxng", "SEARXNG_URL: expected an address such as")
            for value in ("search.corp", "http://[::1", "http://search.corp:port")
        ),
        ("SEARXNG_URL", "http://me:pw@127.0.0.1:9/s", "search: searxng", "SEARXNG_URL is http://127.0.0.1:9/s, but"),
        *(
            (variable, "gateway.corp/v1", variable, "expected an address such as https://example.org/v1")
            for variable in ("OPENROUTER_BASE_URL", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "HF_ENDPOINT")
        ),
        *((variable, value, variable, told) for variable, value, told in WRONG_NETWORK),
        ("OPENROUTER_BASE_URL", "http://127.0.0.1:9/v1", "network", "the address is that in OPENROUTER_BASE_URL"),
    ],
)
def test_a_wrong_address_is_told_with_the_variable_that_holds_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, check: str, told: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)  # counts before the folder
    monkeypatch.setattr(network, "find_spec", lambda _: None)  # other packages may bring a SOCKS client along
    monkeypatch.setenv(variable, value)
    _, _, checks = _examined()
    assert not checks[check]["ok"]
    assert told in checks[check]["detail"]


def test_an_address_that_serves_something_else_is_told(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", f"{scripted.root}/nothing")
    _, _, checks = _examined()
    assert checks["network"]["detail"].endswith(
        "but not as OpenRouter does (404): the address is that in OPENROUTER_BASE_URL"
    )


def test_a_provider_whose_key_is_set_lists_its_models(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted.url)
    status, _, checks = _examined()
    assert (status, checks["openai"]["ok"], checks["openai"]["tried"]) == (0, True, True)
    assert checks["openai"]["detail"] == f"OPENAI_API_KEY is set, and lists {len(scripted.models)} models"
    assert [request.path for request in scripted.requests] == ["/v1/models"]


@pytest.mark.parametrize(
    ("listing", "ok", "detail"),
    [
        ("status 401", False, "and refused (401)"),
        ("status 403", False, "and refused (403)"),
        ("status 404", True, "not tried: status 404"),
        ("ConnectError", True, "not tried: ConnectError"),
        ("no connection to x (Connection refused)", False, "but no connection to x (Connection refused)"),
        ("no connection to x (TLS failed: expired)", False, "but no connection to x (TLS failed: expired)"),
        (None, True, "not tried: no answer in 0.05 s"),
    ],
)
def test_a_key_that_could_not_be_tried_is_told_from_one_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, listing: str | None, ok: bool, detail: str
) -> None:
    async def fetch(_: object) -> dict[str, str]:
        return {"x": listing} if listing else await asyncio.Event().wait()

    monkeypatch.setattr("fusion_tool.cli.doctor_checks._TRIAL_SECONDS", 0.05)
    monkeypatch.setattr("fusion_tool.cli.model_listings.fetch_listings", fetch)
    monkeypatch.setenv("GROQ_API_KEY", "gsk_0123456789abcdef")
    status, _, checks = _examined()
    assert checks["groq"]["detail"] == f"GROQ_API_KEY is set, {detail}"
    assert (checks["groq"]["ok"], checks["groq"]["runs"], status) == (ok, ok, 0 if ok else 2)


def test_a_search_is_tried_where_it_costs_nothing(
    web: WebServer, monkeypatch: pytest.MonkeyPatch, engine: list[str]
) -> None:
    monkeypatch.setenv("SEARXNG_URL", web.root)
    monkeypatch.setenv("TAVILY_API_KEY", "tvly-0123456789")
    web.hits(Hit("https://wikipedia.example/", "Wikipedia"))
    _, _, checks = _examined()
    assert checks["search: searxng"]["detail"] == f"SEARXNG_URL is {web.root}; a search brought results"
    assert checks["search: tavily"]["detail"] == "TAVILY_API_KEY is set, not tried: a search costs"
    assert (checks["search: tavily"]["ok"], checks["search: tavily"]["tried"]) == (True, False)
    assert (len(engine), len(web.queries)) == (1, 1)


def test_a_search_that_fails_does_not_work(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARXNG_URL", web.root)
    web.page("/search", Page("", status=503))
    _, _, checks = _examined()
    assert not checks["search: searxng"]["ok"]
    assert checks["search: searxng"]["detail"].startswith(
        f"SEARXNG_URL is {web.root}, but a search failed: searxng: 503"
    )


def test_installed_weights_are_a_way_to_run() -> None:
    pytest.importorskip("xllamacpp")
    weights = local_model("smollm2-135m").path
    weights.parent.mkdir(parents=True)
    weights.write_bytes(gguf_bytes())
    status, _, checks = _examined()
    assert (status, checks["local model"]["runs"]) == (0, True)


def test_a_damaged_local_model_is_no_way_to_run() -> None:
    pytest.importorskip("xllamacpp")
    weights = local_model("own").path
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"GGUF")
    _, _, checks = _examined()
    assert not checks["local model"]["ok"]
    assert checks["local model"]["cure"] == "fusion-tool model remove own"


def test_the_database_is_looked_at_where_an_address_is_set_and_its_password_never_shown(database, monkeypatch):
    assert "database" not in _examined()[2]
    monkeypatch.setenv("FUSION_DATABASE_URL", database)
    for tables in (f"{len(STEPS)} steps to its tables are missing; the next run makes them", "its tables are made"):
        answers = _examined()[2]["database"]
        assert answers["ok"]
        assert re.fullmatch(rf"PostgreSQL \d+\..* answers; {tables}", answers["detail"])
        asyncio.run(list_runs(database))
    for address, cause in (
        (database.replace("@/", "x@/"), "authentication failed for user"),
        ("postgresql://fusion:hunter22pass@/name?host=/nowhere", "No such file or directory"),
        ("mysql://fusion:hunter22pass@db/name", "expected an address such as"),
    ):
        monkeypatch.setenv("FUSION_DATABASE_URL", address)
        found = _examined()[2]["database"]
        assert not found["ok"]
        assert cause in found["detail"]
        assert "export FUSION_DATABASE_URL=" in found["cure"]
        assert "hunter22pass" not in str(found)
        assert "x@" not in str(found)
