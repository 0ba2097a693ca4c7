"""The doctor: what works here, what mends the rest, and whether a panel can run at all."""

import json
from typing import Any

import pytest

from fusion_tool.models.local import weights_path
from tests.scripted_server import Installed, Raw, ScriptedServer
from tests.scripted_server.faults import unauthorized
from tests.unit.cli.support import fusion

pytestmark = pytest.mark.loopback


def _examined() -> tuple[int, bool, dict[str, dict[str, Any]]]:
    done = fusion("doctor", "--json")
    found = json.loads(done.stdout)
    return done.exit_code, found["runs"], {check["name"]: check for check in found["checks"]}


def test_a_bare_machine_cannot_run_and_every_fault_has_a_cure() -> None:
    status, runs, checks = _examined()
    assert (status, runs) == (2, False)
    assert checks["OpenRouter"]["cure"].startswith("export OPENROUTER_API_KEY=")
    assert checks["local model"]["cure"] in ("fusion-tool model install", "pip install 'fusion-tool[local]'")
    assert checks["Ollama"]["cure"] == "ollama serve"
    assert checks["search: brave"]["cure"] == "export BRAVE_API_KEY=..."
    assert "offline" in checks["network"]["detail"]
    assert not checks["network"]["ok"]
    assert checks["search: duckduckgo"]["ok"]
    assert checks["documents cache"]["ok"]


def test_its_text_says_the_same() -> None:
    done = fusion("doctor")
    assert done.exit_code == 2
    assert "-> export OPENROUTER_API_KEY=" in done.stdout
    assert "Nothing can run yet" in done.stdout


def test_a_key_is_enough_even_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    status, runs, checks = _examined()
    assert (status, runs) == (0, True)
    assert checks["OpenRouter"]["detail"] == "OPENROUTER_API_KEY is set, not tried"


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


def test_other_providers_show_where_their_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    monkeypatch.setenv("GROQ_API_KEY", "gsk_0123456789abcdef")
    status, _, checks = _examined()
    assert status == 0
    assert checks["openai"]["runs"]
    assert checks["groq"]["runs"]


def test_installed_weights_are_a_way_to_run() -> None:
    pytest.importorskip("xllamacpp")
    weights = weights_path("smollm2-135m")
    weights.parent.mkdir(parents=True)
    weights.touch()
    status, _, checks = _examined()
    assert (status, checks["local model"]["runs"]) == (0, True)
