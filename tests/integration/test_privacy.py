"""With privacy = "local" no byte of the question reaches anything but this machine's own models."""

import json
from pathlib import Path

import pytest

from fusion_tool import ConfigError, FusionConfig, FusionResult, afuse
from fusion_tool.routing.policy.documents import require_local_readers
from fusion_tool.routing.policy.locality import require_local
from tests.integration.panel import JUDGE, WRITER, panel, searches, verdict
from tests.scripted_server import Reply, Request, ScriptedServer, ToolCall, faults
from tests.scripted_server.web import WebServer

pytestmark = pytest.mark.loopback

SECRET = "When was the Zyxwold mill sold to Quenby?"
CANARIES = ("Zyxwold", "Quenby")


@pytest.fixture
def here(scripted: ScriptedServer) -> ScriptedServer:
    """The models of this machine: the only server that is named by a loopback address."""
    scripted.otherwise(verdict())
    return scripted


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch):
    """OpenRouter. That it listens on loopback, too, does not make it local: it is named as OpenRouter."""
    with ScriptedServer() as server:
        monkeypatch.setenv("OPENROUTER_BASE_URL", server.url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "k")
        server.otherwise(verdict())
        yield server


def local(server: ScriptedServer, model: str = "qwen3", **fields: object) -> dict[str, object]:
    return {"model": model, "base_url": server.url, **fields}


def hybrid(here: ScriptedServer, web: WebServer | None = None, **changed: object) -> FusionConfig:
    """Every role has both kinds, and the web tools are on."""
    both = {"fallbacks": ["openrouter:away/two"]}
    settings = {
        "panel": (local(here, "one", **both), {"model": "openrouter:away/one"}, local(here, "two", seat="second")),
        "judge": local(here, "judge", **both),
        "synthesizer": local(here, "writer", **both),
        "health": False,
    }
    return panel("x", internet=web, **(settings | changed))


def said(requests: list[Request]) -> str:
    return json.dumps([[request.path, str(request.query), dict(request.body)] for request in requests], default=str)


async def private(config: FusionConfig, question: str = SECRET) -> FusionResult:
    return await afuse(question, require_local(config.model_copy(update={"privacy": "local"})).config)


async def test_no_byte_of_the_question_leaves(here, away, internet):
    internet.page("/page", "text")
    # Tools that the seats are not offered here, called nevertheless, in place of an answer and beside one.
    page = ToolCall("fetch_page", {"url": internet.url("/" + SECRET)})
    here.reply("one", searches(SECRET))
    here.reply("two", Reply("1861.", tool_calls=[page], finish_reason="stop"))
    result = await private(hybrid(here, internet))
    assert result.status == "ok"
    assert [response.content for response in result.responses] == ["1861."]
    assert [(failed.seat, failed.reason) for failed in result.failed_models] == [("one", "invalid_output")]
    assert CANARIES[0] in said(here.requests)
    assert away.requests == []
    assert internet.requests == []


@pytest.mark.parametrize(
    "broken", [faults.unauthorized(), faults.withdrawn("x"), Reply(""), Reply("cut", finish_reason="length")]
)
async def test_nor_where_every_local_model_fails_that_has_a_remote_fallback(here, away, broken):
    for model in ("one", "judge", "writer"):
        here.reply(model, broken)
    await private(hybrid(here))
    assert away.requests == []


async def test_a_run_that_could_not_stay_here_is_refused_before_any_call(here, away):
    with pytest.raises(ConfigError, match="away/one"):
        await private(hybrid(here, panel=("openrouter:away/one",)))
    assert here.requests == away.requests == []


# Documents that only local seats may see.


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "sale.md").write_text("# The mill\n\nThe mill was sold to Quenby for 1,200 crowns at Zyxwold.", "utf-8")
    return folder


QUESTION = "Who bought the mill, and for how much?"
LOOKS = Reply(tool_calls=[ToolCall("search_documents", {"query": "mill sold"})])


async def kept_here(config: FusionConfig) -> FusionResult:
    return await afuse(QUESTION, require_local_readers(config).config)


async def test_excerpts_and_what_is_made_of_them_stay_on_local_seats(here, away, internet, notes):
    config = hybrid(here, internet, documents={"path": notes, "send_to": "local"})
    here.reply("one", LOOKS, "Quenby bought it at Zyxwold for 1,200 crowns.")
    here.reply("two", LOOKS, searches("Zyxwold Quenby"), "Quenby.")
    away.reply("away/one", searches("mill"), "Nobody knows.")
    result = await kept_here(config)
    assert {response.seat for response in result.responses} == {"one", "second", "one-2"}
    assert "Zyxwold" in said(here.requests)
    assert all(canary not in said(away.requests) for canary in CANARIES)
    assert all(canary not in str([(one.path, one.query) for one in internet.requests]) for canary in CANARIES)
    offered = {
        request.model: {tool["function"]["name"] for tool in request.body.get("tools", [])}
        for request in here.requests + away.requests
    }
    assert offered["one"] == {"search_documents"}
    assert offered["away/one"] == {"web_search", "fetch_page"}


async def test_a_model_without_tools_is_handed_excerpts_only_here(here, away, notes):
    config = hybrid(here, documents={"path": notes, "send_to": "local"}, max_tool_calls=0)
    await kept_here(config)
    seats = [request for request in here.requests if request.model in ("one", "two")]
    assert all("Zyxwold" in said([request]) for request in seats)
    assert all(canary not in said(away.requests) for canary in CANARIES)
    assert away.requests


async def test_a_local_seat_that_fails_is_not_replaced_from_away(here, away, notes):
    here.reply("one", LOOKS, faults.unauthorized())
    result = await kept_here(hybrid(here, documents={"path": notes, "send_to": "local"}))
    assert "one" not in {response.seat for response in result.responses}
    assert set(away.counts) == {"away/one"}
    assert all(canary not in said(away.requests) for canary in CANARIES)


async def test_an_earlier_answer_from_documents_stays_on_local_seats(here, away, notes):
    config = hybrid(here, documents={"path": notes, "send_to": "local"})
    here.reply("one", LOOKS, "Quenby bought it at Zyxwold for 1,200 crowns.")
    here.reply("writer", "Quenby bought it.")
    first = await kept_here(config)
    before = len(here.requests)
    await afuse("And what became of it?", require_local_readers(config).config, earlier=first)
    again = here.requests[before:]
    assert {request.model for request in again if "Quenby bought it." in said([request])} == {"one", "two", "writer"}
    assert "earlier question" not in said(away.requests)
    assert all(canary not in said(away.requests) for canary in CANARIES)


async def test_a_remote_judge_is_refused_before_any_call(here, away, notes):
    with pytest.raises(ConfigError, match="judge"):
        await kept_here(hybrid(here, judge=f"openrouter:{JUDGE}", documents={"path": notes, "send_to": "local"}))
    with pytest.raises(ConfigError, match="synthesizer"):
        await kept_here(hybrid(here, synthesizer=f"openrouter:{WRITER}", documents={"path": notes, "send_to": "local"}))
    assert here.requests == away.requests == []


async def test_documents_that_may_go_anywhere_do(here, away, notes):
    away.reply("away/one", LOOKS, "Quenby.")
    await kept_here(hybrid(here, documents=notes))
    assert "Zyxwold" in said(away.requests)


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(here, away, monkeypatch):
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, away.root)
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    result = await private(hybrid(here))
    assert result.status == "ok"
    assert away.requests == []
