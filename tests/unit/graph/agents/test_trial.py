"""A model's trial: what it does with a tool and with sources decides how it is asked, and is remembered."""

import os
import time
from functools import partial

import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.trial import try_model
from fusion_tool.models import abilities as memory
from fusion_tool.models import facts, identity
from fusion_tool.models.abilities import (
    Abilities,
    known_abilities,
    load_abilities,
    recall_abilities,
    remember_abilities,
)
from fusion_tool.models.call import ModelCallError, call_model
from fusion_tool.models.capabilities import capabilities_of
from fusion_tool.models.factory import chat_model
from fusion_tool.models.local import catalog
from fusion_tool.models.local.catalog import local_model
from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from fusion_tool.models.providers import has_own_server
from tests.scripted_server import Reply, ToolCall, faults
from tests.scripted_server.faults import http_error
from tests.unit.models.models import account, panelist

CITED = "The Alder mill was built in 1861 [b07d55e1]."
CALL = Reply(tool_calls=[ToolCall("search_documents", {"query": "turbine"})])
WRITTEN = '```json\n{"name": "search_documents", "arguments": {"query": "turbine"}}\n```'
QWEN = Panelist(model="local:qwen")
FOUND = Abilities(calls_tools=False, cites=True)
MODEL = OpenAICompatibleChat(
    model="m", base_url="http://h/v1", api_key="k", profile={"max_input_tokens": 8192, "structured_output": True}
)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    """No trial is remembered; a scripted server is the user's own."""
    monkeypatch.setattr(memory, "_memory", {})
    for module in (catalog, facts):
        monkeypatch.setattr(module, "data_path", (tmp_path / "data").joinpath)
    monkeypatch.setattr(identity, "has_own_server", has_own_server)


def forget(monkeypatch):
    """Go on as another process would, some time later."""
    monkeypatch.setattr(memory, "_memory", {})


async def trial(scripted, *replies):
    one = panelist(scripted)
    scripted.otherwise(*replies)
    on = account(one)
    ask = partial(call_model, account=on, deadline=time.monotonic() + 60)
    found = await try_model(await chat_model(one), ask)
    assert len(on.rows) >= 1  # what a trial costs is on the bill
    return found


OUTCOMES = [
    pytest.param([CALL, CITED], Abilities(calls_tools=True, cites=True), "tools", id="calls and cites"),
    pytest.param([WRITTEN, CITED], Abilities(calls_tools=True, cites=True), "tools", id="a call written as text"),
    pytest.param(["Two hours.", CITED], Abilities(calls_tools=False, cites=True), "evidence", id="cites alone"),
    pytest.param(
        ["Two hours.", "In 1861.", WRITTEN],
        Abilities(calls_tools=True, cites=False),
        "claims",
        id="calls where little is said",
    ),
    pytest.param([CALL, "In 1861."], Abilities(calls_tools=True, cites=False), "claims", id="calls alone"),
    pytest.param(["Two hours.", "In 1861."], Abilities(calls_tools=False, cites=False), "claims", id="neither"),
    pytest.param(
        ["Two hours.", "1861 [3f2a91c4] [b07d55e1]."],
        Abilities(calls_tools=False, cites=False),
        "claims",
        id="cites all",
    ),
    pytest.param(
        [http_error(400, "tools are not supported"), CITED],
        Abilities(calls_tools=False, cites=True),
        "evidence",
        id="tools refused",
    ),
]


@pytest.mark.loopback
@pytest.mark.parametrize(("replies", "found", "path"), OUTCOMES)
async def test_what_a_model_does_decides_how_it_is_asked(scripted, replies, found, path):
    assert await trial(scripted, *replies) == found
    await remember_abilities(QWEN, found)
    assert capabilities_of(QWEN, MODEL).path == path


@pytest.mark.loopback
async def test_a_model_whose_file_has_no_place_for_tools_is_not_offered_any(scripted):
    scripted.otherwise(CITED)
    one = panelist(scripted)
    model = (await chat_model(one)).model_copy(update={"profile": {"tool_calling": False}})
    ask = partial(call_model, account=account(one), deadline=time.monotonic() + 60)
    assert await try_model(model, ask) == FOUND
    assert scripted.counts.total() == 1


@pytest.mark.loopback
@pytest.mark.parametrize("replies", [[faults.unauthorized()], [CALL, faults.unauthorized()]])
async def test_a_trial_that_fails_says_nothing_about_the_model(scripted, replies):
    with pytest.raises(ModelCallError):
        await trial(scripted, *replies)


@pytest.mark.parametrize("model", ["local:qwen", "local:{tmp}/qwen.gguf", "local:{tmp}/qwen2.5-coder-1.5b.gguf"])
async def test_it_is_remembered_by_the_file_until_that_is_another(monkeypatch, tmp_path, model):
    files = [Panelist(model=name.format(tmp=tmp_path)) for name in ("local:qwen", "local:{tmp}/qwen.gguf", model)]
    for one in files:
        path = local_model(one.model.removeprefix("local:")).path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")
    one = files[-1]
    await remember_abilities(one, FOUND)
    forget(monkeypatch)
    assert known_abilities(one) is None
    assert [await recall_abilities(other) for other in files] == [FOUND if other == one else None for other in files]
    assert known_abilities(one) == FOUND
    os.utime(local_model(model.format(tmp=tmp_path).removeprefix("local:")).path, ns=(0, 1))
    assert await recall_abilities(one, now=True) is None
    forget(monkeypatch)
    load_abilities(one)  # which looks at no model
    assert known_abilities(one) == FOUND
    assert await recall_abilities(one) is None


OTHERS = [
    pytest.param({}, {}, True, id="nothing shows"),
    pytest.param({"created": 1}, {"created": 2}, True, id="a server's clock"),
    pytest.param({"owned_by": "library", "created": 1}, {"owned_by": "library", "created": 2}, False, id="Ollama"),
    pytest.param({"root": "/w/a"}, {"root": "/w/b"}, False, id="vLLM"),
    pytest.param({"meta": {"size": 1}}, {"meta": {"size": 2}}, False, id="llama.cpp"),
    pytest.param({"meta": {"size": 1}}, {}, True, id="not shown any more"),
    pytest.param({"root": "/w/a"}, {"id": "n"}, True, id="not listed any more"),
]


@pytest.mark.loopback
@pytest.mark.parametrize(("before", "after", "is_same"), OTHERS)
async def test_a_server_that_shows_another_model_has_another(scripted, monkeypatch, before, after, is_same):
    one = panelist(scripted, "m")
    scripted.models[:] = [{"id": "m", **before}]
    await remember_abilities(one, FOUND)
    scripted.models[:] = [{"id": "m", **after}]
    assert await recall_abilities(one) == FOUND  # just looked at
    assert await recall_abilities(one, now=True) == (FOUND if is_same else None)
    forget(monkeypatch)
    assert await recall_abilities(one) == (FOUND if is_same else None)


@pytest.mark.loopback
async def test_models_of_one_server_are_told_apart(scripted):
    one, other = panelist(scripted, "m"), panelist(scripted, "n")
    await remember_abilities(one, FOUND)
    assert await recall_abilities(other) is None


@pytest.mark.parametrize("row", [None, [], {}, {"calls_tools": True}, {"calls_tools": 1, "cites": "no"}])
async def test_a_record_of_another_shape_is_none(row):
    facts.write_fact(await identity.identify(QWEN), "abilities", row)
    assert await recall_abilities(QWEN) is None


async def test_what_cannot_be_kept_is_told_and_known_to_this_process(monkeypatch, tmp_path, caplog):
    (tmp_path / "data").write_text("a file in the folder's place")
    await remember_abilities(QWEN, FOUND)
    assert await recall_abilities(QWEN, now=True) == FOUND
    assert "cannot be kept" in caplog.text
    forget(monkeypatch)
    assert await recall_abilities(QWEN) is None


OF_VENDORS = [
    pytest.param({"model": "openai:gpt-5.5"}, id="a vendor's"),
    pytest.param({"model": "openai:gpt-5.5", "base_url": "http://127.0.0.1:4000/v1"}, id="behind a gateway here"),
    pytest.param({"model": "m", "base_url": "https://api.example.com/v1"}, id="elsewhere"),
    pytest.param({"model": "ollama:gpt-oss:120b-cloud"}, id="Ollama's cloud"),
    pytest.param({"model": MODEL}, id="an object"),
]


@pytest.mark.parametrize("fields", OF_VENDORS)
async def test_of_vendors_models_nothing_is_kept_and_nobody_is_asked(fields):
    one = Panelist(**fields)
    await remember_abilities(one, FOUND)
    assert await recall_abilities(one) is None
    assert known_abilities(one) is None


def test_it_is_told_in_words():
    assert str(Abilities(calls_tools=True, cites=False)) == "calls tools, cites nothing"
