"""Replies that are nearly right: never a traceback, never an answer lost that can still be read."""

import re
import time
from collections.abc import Iterator
from random import Random
from typing import get_args

import httpx2
import pytest
from langchain_core.messages import HumanMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.errors import Reason
from fusion_tool.models.call import ModelCallError, ModelReply, call_model
from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from tests.unit.models.models import account
from tests.unit.models.wire.mutants import (
    ARGUMENTS,
    COUNTS,
    TOOL,
    VALID_CALLS,
    Mutant,
    calls_of,
    has_usage,
    is_refusal,
    make_mutant,
    readable_reasons,
    readable_texts,
)

PANELIST = Panelist(model="openai:vendor/a", base_url="http://127.0.0.1:9/v1")
SEEDS = range(20)
MUTANTS = 100
"""For each seed."""


@pytest.fixture
def no_waits(monkeypatch):
    monkeypatch.setattr("fusion_tool.models.faults._jitter", lambda _: 0.0)


def problems(mutant: Mutant, result: ModelReply | ModelCallError, row) -> Iterator[str]:
    """What is wrong with how a mutant was read."""
    texts = readable_texts(mutant)
    if isinstance(result, ModelCallError):
        if result.fault.reason not in get_args(Reason):
            yield f"an open reason: {result.fault.reason}"
        if texts and not is_refusal(mutant):
            yield f"the answer is lost: {result.fault}"
    else:
        if not re.search(".*".join(map(re.escape, texts)), result.text, re.DOTALL):
            yield f"a part of the answer is lost: {result.text!r}"
        if readable_reasons(mutant) == {"length"} and not result.truncated:
            yield "an answer that was cut off passes for a whole one"
        if calls_of(mutant) in VALID_CALLS and [call["args"] for call in result.message.tool_calls] != [ARGUMENTS]:
            yield f"the tool call is lost: {result.message.tool_calls}"
    if has_usage(mutant) and row and (row.input_tokens, row.output_tokens) != COUNTS:
        yield f"the usage is lost: {row}"


async def read(model, mutant):
    bill = account(PANELIST)
    deltas: list[str] = []
    try:
        reply = await call_model(
            model.bind_tools([TOOL]),
            [HumanMessage("When?")],
            account=bill,
            deadline=time.monotonic() + 30,
            on_delta=deltas.append if mutant.is_stream else None,
        )
    except ModelCallError as error:
        reply = error
    return reply, bill.rows[-1] if bill.rows else None


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_mutant_is_read_or_fails_by_a_reason(seed):
    random, current = Random(seed), list[Mutant]()  # noqa: S311 - no secret

    def answer(_: httpx2.Request) -> httpx2.Response:
        kind = "text/event-stream" if current[-1].is_stream else "application/json"
        return httpx2.Response(200, content=current[-1].body, headers={"content-type": kind})

    found = []
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        model = OpenAICompatibleChat(
            model="vendor/a", base_url=PANELIST.base_url, api_key="none", http_async_client=client, max_retries=0
        )
        for number in range(MUTANTS):
            current.append(make_mutant(random))
            try:
                result, row = await read(model, current[-1])
            except Exception as error:  # noqa: BLE001 - none may come
                found.append((number, current[-1].changes, repr(error)))
                continue
            found += [(number, current[-1].changes, problem) for problem in problems(current[-1], result, row)]
    assert not found, "\n".join(map(str, found))
