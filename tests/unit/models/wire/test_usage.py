"""A provider's usage: believed where it can be, unknown where it cannot, and never at an answer's cost."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.budget.ledger import Ledger, StageBudget
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import CallContext, to_call_row
from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from fusion_tool.models.wire import usage as reader
from tests.scripted_server import Raw
from tests.unit.models.models import account, asked, panelist

ROWS = [json.loads(line) for line in (Path(__file__).parents[3] / "data/usage.jsonl").read_text("utf-8").splitlines()]
FIGURES = ("input_tokens", "output_tokens", "cached_tokens", "cost_usd")
MILL = "In 1861."
NUMBERS = st.integers() | st.floats() | st.booleans() | st.sampled_from(["1", "-1", "nan", "1e999", "0x1", "7.5", ""])
JSON = st.recursive(
    st.none() | NUMBERS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
DETAILS = JSON | st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens", "reasoning_tokens"]), JSON)
USAGE = JSON | st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": JSON,
        "completion_tokens": JSON,
        "total_tokens": JSON,
        "cost": JSON,
        "prompt_tokens_details": DETAILS,
        "completion_tokens_details": DETAILS,
    },
)


def event(usage, text="", reason=None, *, inside=False):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    body = {"id": "g", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    (choice if inside else body)["usage"] = usage
    return body


def as_stream(*events):
    said = "".join(f"data: {json.dumps(one)}\n\n" for one in events)
    return Raw(f"{said}data: [DONE]\n\n".encode(), content_type="text/event-stream")


def completion(usage):
    choice = {"index": 0, "message": {"role": "assistant", "content": MILL}, "finish_reason": "stop"}
    return {"id": "g", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def figures(row):
    return {name: value for name in FIGURES if (value := getattr(row, name)) is not None}


async def bill(scripted, raw, *, stream):
    one = panelist(scripted)
    on = account(one)
    scripted.otherwise(raw)
    reply = await asked(one, on=on, on_delta=[].append if stream else None)
    assert reply.text == MILL
    (row,) = on.rows
    assert (row.cost_source == "provider") == (row.cost_usd is not None)
    return row


@pytest.mark.loopback
@pytest.mark.parametrize("form", ["whole", "streamed", "inside the choice"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
async def test_what_can_be_is_believed_and_the_rest_is_unknown(scripted, row, form):
    if form == "whole":
        raw = Raw(json.dumps(completion(row["usage"])).encode())
    else:
        inside = form == "inside the choice"
        raw = as_stream(event(None, MILL), event(row["usage"], "", "stop", inside=inside))
    assert figures(await bill(scripted, raw, stream=form != "whole")) == row["want"]


@pytest.mark.loopback
@pytest.mark.parametrize("cost", [None, 0.001], ids=["counts", "counts and cost"])
async def test_figures_that_grow_with_each_chunk_are_no_parts_of_a_sum(scripted, cost):
    """Nor where the last chunk of a stream says less than those before."""

    def counted(number, **more):
        paid = {} if cost is None else {"cost": cost * number}
        return {"prompt_tokens": 1000, "completion_tokens": number, "total_tokens": 1000 + number, **paid, **more}

    words = ["In ", "1861", "."]
    details = {"prompt_tokens_details": {"cached_tokens": 40}}
    events = [event(counted(n, **details), word) for n, word in enumerate(words, 1)]
    for end in (counted(3), {"prompt_tokens": 0, "completion_tokens": None}, []):
        row = await bill(scripted, as_stream(*events, event(end, "", "stop")), stream=True)
        assert (row.input_tokens, row.output_tokens, row.cached_tokens) == (1000, 3, 40)
        assert row.cost_usd == (cost and pytest.approx(3 * cost))


KNOWN = {"prompt_tokens": 100, "completion_tokens": 7}
CACHED = [
    pytest.param({"prompt_tokens_details": {"cached_tokens": 90}}, None, 90, id="details"),
    pytest.param({"prompt_tokens_details": {"cached_tokens": 0}}, {"cache_n": 0}, 0, id="both"),
    pytest.param({"prompt_tokens_details": {"cached_tokens": 90}}, {"cache_n": 7}, 90, id="the details first"),
    pytest.param({}, {"cache_n": 90, "prompt_n": 10}, 90, id="llama.cpp's timings"),
    pytest.param({}, {"cache_n": -1}, None, id="impossible"),
    pytest.param({}, [], None, id="no timings"),
]


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("details", "timings", "cached"), CACHED)
async def test_what_a_prompt_cache_served_is_on_the_bill(scripted, details, timings, cached, stream):
    usage, more = KNOWN | details, {"timings": timings}
    raw = Raw(json.dumps(completion(usage) | more).encode())
    if stream:
        raw = as_stream(event(None, MILL), event(usage, "", "stop") | more)
    row = await bill(scripted, raw, stream=stream)
    assert (row.input_tokens, row.cached_tokens) == (100, cached)


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("usage", "is_known"),
    [
        ({**KNOWN, "cost": 0.002}, True),
        ({**KNOWN, "cost": -12}, False),
        ({**KNOWN, "cost": math.nan}, False),
        ({"cost": 0.002, "prompt_tokens": 100, "completion_tokens": None}, True),
        ({"total_tokens": 9000}, False),
        ([], False),
    ],
)
async def test_what_is_unknown_stays_reserved_under_a_limit(scripted, usage, is_known):
    one = panelist(scripted)
    ledger = Ledger(usd=1.0, tokens=100_000)
    on = CallContext("panelist", one, budget=StageBudget(ledger, "panelist"), rows=[], seat="a")
    scripted.otherwise(Raw(json.dumps(completion(usage)).encode()))
    await asked(one, on=on)
    reserved = Ledger(usd=None, tokens=100_000)
    held = reserved.reserve(StageBudget(reserved, "panelist"), one.model, 0)
    counts_known = isinstance(usage, dict) and usage.get("completion_tokens") == 7
    assert ledger.spent.tokens == 107 if counts_known else ledger.spent.tokens > held.tokens
    assert ledger.spent.usd == (0.002 if is_known else 0.0)  # the model has no list price, nothing was reserved


@pytest.fixture(scope="module")
def chat():
    return OpenAICompatibleChat(model="m", base_url="http://one/v1", api_key="k")


@given(usage=USAGE)
def test_no_usage_costs_an_answer_or_breaks_the_bill(chat, usage):
    message = chat.read_reply(completion(usage)).generations[0].message
    assert message.text == MILL
    row = to_call_row(message, account(Panelist(model="openai:m", base_url="http://one/v1")), 1.0)
    check(row)
    assert set(reader.read_usage({"usage": usage})) <= {*reader._COUNTS, *reader._DETAILS, "cost"}
    check(Call.model_validate(row.model_dump()))


@given(st.fixed_dictionaries(dict.fromkeys(FIGURES, JSON)))
def test_rows_that_were_kept_before_load_and_are_believable(kept):
    row = Call.model_validate({"stage": "judge", "seat": None, "model": "x:m", "cost_source": "provider", **kept})
    check(row)
    sums = {name: kept[name] for name in FIGURES if name != "cached_tokens"}
    check(Usage.model_validate({"calls": [row], "unpriced_calls": 0, **sums}))
    check(row.with_cost(kept["cost_usd"], 0.01))


def check(bill):
    json.dumps(bill.model_dump(), allow_nan=False)
    for name in FIGURES:
        value = getattr(bill, name, None)
        assert value is None or (not isinstance(value, bool) and math.isfinite(value) and value >= 0)
    if isinstance(bill, Call) and bill.cost_usd is None:
        assert bill.cost_source == "unpriced"
