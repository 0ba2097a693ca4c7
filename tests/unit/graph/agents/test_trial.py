"""A model's trial: what it does with a tool and with sources decides how it is asked, and is remembered."""

import time
from functools import partial

import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.trial import try_model
from fusion_tool.models import abilities as store
from fusion_tool.models.abilities import Abilities, known_abilities, load_abilities, remember_abilities
from fusion_tool.models.call import ModelCallError, call_model
from fusion_tool.models.capabilities import capabilities_of
from fusion_tool.models.factory import chat_model
from fusion_tool.models.local import catalog
from fusion_tool.models.local.catalog import local_model, read_record, write_record
from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from tests.scripted_server import Reply, ToolCall, faults
from tests.scripted_server.faults import http_error
from tests.unit.models.models import account, panelist

CITED = "The Alder mill was built in 1861 [b07d55e1]."
CALL = Reply(tool_calls=[ToolCall("search_documents", {"query": "turbine"})])
WRITTEN = '```json\n{"name": "search_documents", "arguments": {"query": "turbine"}}\n```'
QWEN = Panelist(model="local:qwen")
MODEL = OpenAICompatibleChat(
    model="m", base_url="http://h/v1", api_key="k", profile={"max_input_tokens": 8192, "structured_output": True}
)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    """No trial is remembered, and none is written beside the real weights."""
    monkeypatch.setattr(store, "_known", {})
    monkeypatch.setattr(catalog, "data_path", (tmp_path / "data").joinpath)


async def trial(scripted, *replies):
    one = panelist(scripted)
    scripted.otherwise(*replies)
    on = account(one)
    ask = partial(call_model, account=on, deadline=time.monotonic() + 5)
    found = await try_model(await chat_model(one), ask)
    assert len(on.rows) >= 1  # what a trial costs is on the bill
    return found


OUTCOMES = [
    pytest.param([CALL, CITED], Abilities(calls_tools=True, cites=True), "tools", id="calls and cites"),
    pytest.param([WRITTEN, CITED], Abilities(calls_tools=True, cites=True), "tools", id="a call written as text"),
    pytest.param(["Two hours.", CITED], Abilities(calls_tools=False, cites=True), "evidence", id="cites alone"),
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
    remember_abilities(QWEN, found)
    assert capabilities_of(QWEN, MODEL).path == path


@pytest.mark.loopback
@pytest.mark.parametrize("replies", [[faults.unauthorized()], [CALL, faults.unauthorized()]])
async def test_a_trial_that_fails_says_nothing_about_the_model(scripted, replies):
    with pytest.raises(ModelCallError):
        await trial(scripted, *replies)


def test_it_is_remembered_beside_the_weights_and_read_by_the_next_process(monkeypatch):
    write_record(local_model("qwen"), {"origin": "a wheel"})
    remember_abilities(QWEN, Abilities(calls_tools=False, cites=True))
    monkeypatch.setattr(store, "_known", {})
    assert known_abilities(QWEN) is None
    load_abilities(Panelist(model="local:qwen2.5-coder-1.5b"))
    assert known_abilities(QWEN) == Abilities(calls_tools=False, cites=True)
    assert read_record(local_model("qwen"))["origin"] == "a wheel"


@pytest.mark.parametrize("row", [None, [], {}, {"calls_tools": True}, {"calls_tools": 1, "cites": "no"}])
def test_a_record_of_another_shape_is_none(row):
    write_record(local_model("qwen"), {"abilities": row})
    load_abilities(QWEN)
    assert known_abilities(QWEN) is None


@pytest.mark.parametrize("model", ["openai:m", "local:", "ollama:qwen"])
def test_of_other_models_nothing_is_known(model):
    one = Panelist(model=model, base_url="http://127.0.0.1:9/v1")
    load_abilities(one)
    remember_abilities(one, Abilities(calls_tools=True, cites=False))
    assert known_abilities(one) is None
    assert str(Abilities(calls_tools=True, cites=False)) == "calls tools, cites nothing"
