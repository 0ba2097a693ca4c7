"""The speed of models on the user's own servers: from whose figures it is learnt, and where it is kept."""

import json

import pytest
from langchain_core.messages import AIMessage

from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Panelist
from fusion_tool.models import speed
from fusion_tool.models.local.catalog import local_model, record_path, write_record
from fusion_tool.models.speed import Speed, known_speed, learn_speed, load_speed

OLLAMA, QWEN = Panelist(model="ollama:qwen3:8b"), Panelist(model="local:qwen")
MEASURED = {"prompt_n": 600, "prompt_ms": 10_000, "predicted_n": 60, "predicted_ms": 5_000}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(speed, "_known", {})
    monkeypatch.setattr(speed, "_recorded", {})


CALL = {"input_tokens": 600, "output_tokens": 60, "cached_tokens": 0, "seconds": 15.0}


async def learn(panelist, timings=None, **call):
    metadata = {} if timings is None else {"timings": timings}
    row = Call(stage="panelist", seat=None, model=panelist.model_name, **CALL | call)
    await learn_speed(panelist, AIMessage("Yes.", response_metadata=metadata), row)
    return known_speed(panelist)


FIRST = {
    "what the server measured": (MEASURED, {}, Speed(60, 12)),
    "not the wait before it": (MEASURED, {"seconds": 300.0}, Speed(60, 12)),
    "a prompt from its cache says nothing of reading": (MEASURED | {"prompt_n": 1}, {}, Speed(60, 12)),
    "an answer of two tokens says nothing of writing": (MEASURED | {"predicted_n": 2}, {}, Speed(60, 12)),
    "the whole time, where nothing is measured": (None, {}, Speed(60, 12)),
    "without what was cached": (None, {"input_tokens": 900, "cached_tokens": 300}, Speed(60, 12)),
    "figures of another shape": ({"prompt_n": "600"}, {}, None),
    "figures that cannot be": (MEASURED | {"prompt_ms": 0, "predicted_ms": -1}, {}, None),
    "a truth value": (MEASURED | {"prompt_n": True, "predicted_n": True}, {}, None),
    "no tokens": (None, {"input_tokens": None}, None),
    "no time": (None, {"seconds": None}, None),
}


@pytest.mark.parametrize(("timings", "call", "expected"), FIRST.values(), ids=FIRST)
async def test_the_first_call_tells(timings, call, expected):
    assert await learn(OLLAMA, timings, **call) == expected


async def test_later_calls_count_for_half():
    await learn(OLLAMA, MEASURED)
    assert await learn(OLLAMA, MEASURED | {"predicted_ms": 10_000}) == Speed(60, 9)


async def test_a_call_that_waited_behind_others_makes_no_server_slower():
    await learn(OLLAMA, seconds=15.0)
    assert await learn(OLLAMA, seconds=45.0) == Speed(60, 12)


async def test_nothing_is_learnt_of_a_provider():
    assert await learn(Panelist(model="openrouter:test/one"), MEASURED) is None


async def test_a_local_models_speed_is_kept_beside_its_weights_with_what_else_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    write_record(local_model("qwen"), {"sha256": "cc32"})
    await learn(QWEN, MEASURED)
    record = json.loads(record_path(local_model("qwen")).read_text("utf-8"))
    assert record == {"sha256": "cc32", "speed": {"prompt": 60.0, "answer": 12.0}}
    monkeypatch.setattr(speed, "_known", {})
    monkeypatch.setattr(speed, "_recorded", {})
    load_speed(Panelist(model="local:qwen2.5-coder-1.5b"))
    assert known_speed(QWEN) == Speed(60, 12)


@pytest.mark.parametrize(("milliseconds", "kept"), [(5_500, 12.0), (30_000, 7.0)], ids=["about the same", "far off"])
async def test_the_record_is_written_anew_where_it_is_far_off(tmp_path, monkeypatch, milliseconds, kept):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    await learn(QWEN, MEASURED)
    await learn(QWEN, MEASURED | {"predicted_ms": milliseconds})
    assert json.loads(record_path(local_model("qwen")).read_text("utf-8"))["speed"]["answer"] == kept


@pytest.mark.parametrize(
    "row", [None, 12, [], {}, {"prompt": "fast", "answer": 1}, {"prompt": 60, "answer": 0}], ids=str
)
def test_a_damaged_record_is_none(tmp_path, monkeypatch, row):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    write_record(local_model("qwen"), {"speed": row})
    load_speed(QWEN)
    assert known_speed(QWEN) is None
