"""The speed of models on the user's own servers: from whose figures it is learnt, and that it is remembered."""

import pytest
from langchain_core.messages import AIMessage

from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Panelist
from fusion_tool.models import speed
from fusion_tool.models.facts import write_fact
from fusion_tool.models.identity import ModelIdentity
from fusion_tool.models.providers import place_of
from fusion_tool.models.speed import Speed, assumed_speed, known_speed, learn_speed, load_speed

OLLAMA, QWEN = Panelist(model="ollama:qwen3:8b"), Panelist(model="local:qwen")
VLLM = Panelist(model="qwen3", base_url="http://10.0.0.7:8000/v1")
MEASURED = {"prompt_n": 600, "prompt_ms": 10_000, "predicted_n": 60, "predicted_ms": 5_000}


def forget(monkeypatch):
    monkeypatch.setattr(speed, "_known", {})
    monkeypatch.setattr(speed, "_recorded", {})


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    forget(monkeypatch)


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


SAME = {
    "an installed model, by its whole name": (QWEN, Panelist(model="local:qwen2.5-coder-1.5b")),
    "a file": (Panelist(model="local:/models/a.gguf"), Panelist(model="local:/models/a.gguf", seat="b")),
    "a model of Ollama": (OLLAMA, OLLAMA),
    "a model at a base_url": (VLLM, VLLM.model_copy(update={"seat": "b"})),
}


@pytest.mark.parametrize(("panelist", "same"), SAME.values(), ids=SAME)
async def test_another_process_knows_it(monkeypatch, panelist, same):
    await learn(panelist, MEASURED)
    forget(monkeypatch)
    load_speed(same)
    assert known_speed(panelist) == Speed(60, 12)


async def test_the_remembered_speeds_of_two_models_are_each_its_own(monkeypatch):
    await learn(OLLAMA, MEASURED)
    await learn(QWEN, MEASURED | {"predicted_ms": 10_000})
    forget(monkeypatch)
    for panelist in (OLLAMA, QWEN):
        load_speed(panelist)
    assert (known_speed(OLLAMA), known_speed(QWEN)) == (Speed(60, 12), Speed(60, 6))


@pytest.mark.parametrize(
    ("size", "expected"),
    [(None, Speed(60, 12)), (100, Speed(60, 12)), (1_100_000_000, Speed(60, 12)), (4_400_000_000, Speed(15, 3))],
    ids=["no file", "a tiny one", "1.5 billion parameters", "four times that"],
)
def test_what_is_counted_on_before_a_measurement_goes_by_the_weights(tmp_path, size, expected):
    weights = tmp_path / "m.gguf"
    if size is not None:
        with weights.open("wb") as file:
            file.truncate(size)
    assert assumed_speed(Panelist(model=f"local:{weights}")) == expected


@pytest.mark.parametrize(("milliseconds", "kept"), [(5_500, 12.0), (30_000, 7.0)], ids=["about the same", "far off"])
async def test_what_is_remembered_is_written_anew_where_it_is_far_off(monkeypatch, milliseconds, kept):
    await learn(QWEN, MEASURED)
    await learn(QWEN, MEASURED | {"predicted_ms": milliseconds})
    forget(monkeypatch)
    load_speed(QWEN)
    assert known_speed(QWEN).answer == kept


@pytest.mark.parametrize(
    "row", [None, 12, [], {}, {"prompt": "fast", "answer": 1}, {"prompt": 60, "answer": 0}], ids=str
)
def test_a_damaged_row_is_none(row):
    write_fact(ModelIdentity(place_of(QWEN), None), "speed", row)
    load_speed(QWEN)
    assert known_speed(QWEN) is None


async def test_a_folder_that_cannot_be_written_keeps_nothing_and_that_is_told(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    assert await learn(OLLAMA, MEASURED) == Speed(60, 12)
    assert "cannot be kept" in caplog.text
