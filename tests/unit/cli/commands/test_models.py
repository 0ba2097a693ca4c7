"""`fusion-tool model health`: how they fared, and which are about to go."""

import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from fusion_tool.cli import model_listings
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import Panelist
from fusion_tool.models.outcomes import Outcome, SqliteOutcomes, default_path
from tests.scripted_server import ScriptedServer
from tests.unit.cli.support import fusion
from tests.unit.outcomes import outcome

A, B = "openrouter:v/a", "openrouter:v/b"
FILE = 'panel = ["openrouter:v/a", "openrouter:v/gone"]\njudge = "openrouter:v/b"\nsynthesizer = "openrouter:v/b"\n'

CLOSED = "no connection to http://127.0.0.1:9/v1 (Connection refused); the address is that in OPENROUTER_BASE_URL"


def record(*outcomes: Outcome) -> None:
    SqliteOutcomes().append(outcomes)


def call(model: str, reason: Any = None, **fields: Any) -> Outcome:
    return outcome(model, reason, **({"seconds": 2.0} | fields))


def told(*arguments: str) -> dict[str, Any]:
    done = fusion("model", "health", "--json", *arguments)
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_with_nothing_recorded_it_says_how_that_fills_and_makes_no_file() -> None:
    done = fusion("models")
    assert done.exit_code == 0
    assert "every run records its calls" in done.stdout
    assert str(default_path()) in done.stderr
    assert not default_path().exists()


def test_the_table_tells_what_is_known() -> None:
    record(
        *(
            call(A, first_token_seconds=n / 10, cost_usd=0.125, input_tokens=1000, output_tokens=10)
            for n in range(1, 9)
        ),
        call(A, "rate_limited"),
        call(A, "cancelled"),
        call(B),
    )
    shown = fusion("models").stdout
    line = next(line for line in shown.splitlines() if line.startswith(A))
    assert "1 cut off" in shown
    for words in ("89% of 9", "1 rate_limited", "0.4/0.8 s", "2.0 s", "$1.0000", "8k/80", "in use"):
        assert words in line
    assert "unknown" in next(line for line in shown.splitlines() if line.startswith(B))


def test_as_json() -> None:
    record(call(A, cost_usd=0.5, input_tokens=3), call(A, "timeout"))
    found = told()
    (row,) = found["models"]
    assert (row["model"], row["calls"], row["answered"], row["failed"]) == (A, 2, 1, {"timeout": 1})
    assert (row["cost_usd"], row["input_tokens"], row["output_tokens"]) == (0.5, 3, None)
    assert (row["answered_share"], row["now"]["state"]) == (0.5, "closed")
    assert found["path"] == str(default_path())


def test_days_say_how_far_back() -> None:
    record(call(A), call(B)._replace(at=time.time() - 3 * 86_400))
    assert {row["model"] for row in told()["models"]} == {A, B}
    assert {row["model"] for row in told("--days", "2")["models"]} == {A}


def test_a_model_that_keeps_failing_is_said_to_be_last_in_line() -> None:
    record(*[call(A, "rate_limited")] * 3)
    assert " aside " in fusion("models").stdout


def test_what_models_say_cannot_steer_the_terminal() -> None:
    record(call("openrouter:v/\x1b[31mred"))
    assert "\x1b" not in fusion("models").stdout


def test_a_broken_file_is_no_reason_to_fail() -> None:
    path = default_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this has never been a database; it is longer than a header. " * 50)
    assert fusion("models").exit_code == 0
    assert path.with_name("health.sqlite.corrupt").exists()


@pytest.mark.parametrize(
    ("days", "warned"), [(-5, "retired on"), (0, "retired on"), (29, "in 29 days"), (30, "in 30 days"), (31, None)]
)
def test_a_model_that_retires_soon_is_warned_of(monkeypatch: pytest.MonkeyPatch, days: int, warned: str | None) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    model = preset("budget").panel[0].model_name
    profile = SimpleNamespace(retires_on=day)
    monkeypatch.setattr(
        "fusion_tool.routing.profiles.profile_of", lambda name, _profiles: profile if name == model else None
    )
    shown = fusion("models").stdout
    assert (f"warning: {model} " in shown) == (warned is not None)
    assert warned is None or warned in shown


@pytest.mark.loopback
def test_check_warns_of_what_the_provider_does_not_list(openrouter: ScriptedServer, elsewhere: Any) -> None:
    (elsewhere / "fusion.toml").write_text(FILE, "utf-8")
    record(call("openrouter:v/also-gone"), call("openrouter:v/a:nitro"), call("x at 127.0.0.1:1"))
    warnings = told("--check", "--config", "fusion.toml")["warnings"]
    missing = {one["model"] for one in warnings if one["kind"] == "missing"}
    assert {"openrouter:v/gone", "openrouter:v/also-gone"} <= missing
    assert missing.isdisjoint({A, B, "openrouter:v/a:nitro"})
    assert sum(request.path.endswith("/models") for request in openrouter.requests) == 1


def test_without_check_nobody_is_asked() -> None:
    assert told()["warnings"] == []


@pytest.mark.loopback
def test_a_provider_out_of_reach_is_one_warning() -> None:
    warnings = told("--check")["warnings"]
    assert [(one["kind"], one["detail"]) for one in warnings] == [
        ("unlisted", f"its list of models could not be had: {CLOSED}")
    ]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Pages by URL; what is asked for stands under `asked`, with its headers."""
    pages: dict[str, Any] = {"asked": []}

    def serve(request: httpx.Request) -> httpx.Response:
        pages["asked"].append((str(request.url), dict(request.headers)))
        page = pages.get(str(request.url))
        return httpx.Response(404) if page is None else httpx.Response(200, json=page)

    client = partial(httpx.AsyncClient, transport=httpx.MockTransport(serve))
    monkeypatch.setattr("httpx.AsyncClient", client)
    return pages


ROWS = [
    pytest.param({"expiration_date": "2027-01-31"}, "2027-01-31", id="OpenRouter's"),
    pytest.param({"shutdown_date": "2027-01-31"}, "2027-01-31", id="OpenAI's"),
    pytest.param({"deprecation": "2027-01-31T12:00:00Z"}, "2027-01-31", id="Mistral's"),
    pytest.param({"active": False}, None, id="Groq's"),
    pytest.param({"deprecated": True}, None, id="others'"),
]


@pytest.mark.parametrize(("row", "day"), ROWS)
async def test_each_provider_s_word_for_deprecated_is_understood(served: dict[str, Any], row: Any, day: Any) -> None:
    served["http://x/v1/models"] = {"data": [{"id": "m"} | row, {"id": "n", "expiration_date": None, "active": True}]}
    panel = [Panelist(model=name, base_url="http://x/v1") for name in ("m", "n")]
    (found,) = await model_listings.unlisted_models(panel)
    assert (found.model, found.kind, found.day and str(found.day)) == ("m", "deprecated", day)


async def test_a_list_of_many_pages_is_read_to_its_end_and_on_its_own_host_alone(served: dict[str, Any]) -> None:
    served["http://x/v1/models"] = {"data": [{"id": "a"}], "links": {"next": "/v1/models?offset=1"}}
    served["http://x/v1/models?offset=1"] = {"data": [{"id": "b"}], "links": {"next": "http://evil/v1/models"}}
    panel = [Panelist(model=name, base_url="http://x/v1") for name in ("a", "b")]
    assert await model_listings.unlisted_models(panel) == []
    assert len(served["asked"]) == 2


NAMES = [
    ("openrouter:v/a", "v/a", True),
    ("openrouter:v/a:nitro", "v/a", True),
    ("openrouter:v/a:free", "v/a:free", True),
    ("openrouter:~v/a-latest", "v/b", True),
    ("ollama:qwen3:8b", "qwen3:8b", True),
    ("ollama:qwen3", "qwen3:latest", True),
    ("ollama:qwen3:8b", "qwen3:32b", False),
    ("openrouter:v/a", "v/a-2", False),
]


@pytest.mark.parametrize(("model", "listed", "found"), NAMES)
def test_a_model_is_found_under_the_name_it_is_served_by(model: str, listed: str, found: bool) -> None:
    assert (
        model_listings.find_listed(Panelist(model=model), {listed: model_listings.ListedModel()}) is not None
    ) == found


async def test_each_provider_gets_its_own_key_in_its_own_header(
    served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-a")
    monkeypatch.setenv("OPENAI_API_KEY", "key-o")
    await model_listings.unlisted_models(
        [Panelist(model="anthropic:claude"), Panelist(model="openai:gpt"), Panelist(model="groq:m")]
    )
    asked = {httpx.URL(url).host: headers for url, headers in served["asked"]}
    assert asked.keys() == {"api.anthropic.com", "api.openai.com"}
    assert (asked["api.anthropic.com"]["x-api-key"], "authorization" in asked["api.anthropic.com"]) == ("key-a", False)
    assert asked["api.openai.com"]["authorization"] == "Bearer key-o"


def test_the_name_before_it_was_one_of_the_group_still_works() -> None:
    assert json.loads(fusion("models", "--json").stdout) == told()


LOOP = '["z-ai/glm-5"]\nsuccessor = "openai/gpt-5.5"\n["openai/gpt-5.5"]\nsuccessor = "z-ai/glm-5"\n'
GONE = 'panel = ["openrouter:v/gone"]\n'


@pytest.mark.parametrize(
    ("panel", "profiles", "status", "words"),
    [
        pytest.param(GONE, "", 5, "openrouter:v/gone: the price list does not know it", id="gone"),
        pytest.param('panel = ["openrouter:z-ai/glm_5"]', "", 5, "renamed: the price list has it as", id="renamed"),
        pytest.param('panel = ["openrouter:z-ai/glm-5"]', "", 5, "its newest score is", id="old scores"),
        pytest.param(
            'panel = ["openrouter:z-ai/glm-5"]',
            '["z-ai/glm-5"]\nsuccessor = "openai/gpt-5.5"\n',
            5,
            "superseded by openai/gpt-5.5",
            id="superseded",
        ),
        pytest.param(
            'panel = ["openrouter:z-ai/glm-5"]',
            '["z-ai/glm-5"]\nretires_on = 2026-01-01\n',
            5,
            "retired on 2026-01-01",
            id="retired",
        ),
        pytest.param('panel = ["openrouter:z-ai/glm-5"]', LOOP, 2, "leads in a circle", id="a loop of successors"),
        pytest.param('panel = ["local:smollm2-135m"]', "", 0, "nothing has aged of 1 models", id="nothing"),
    ],
)
def test_what_has_aged_is_told(user_folder, panel, profiles, status, words):
    file = user_folder / "panel.toml"
    file.write_text(panel, "utf-8")
    (user_folder / "profiles.toml").write_text(profiles, "utf-8")
    done = fusion("model", "check", "--config", str(file))
    assert done.exit_code == status, done.output
    assert words in done.output
