"""One call of one model: sent with retries, timed, billed, and told apart from what is no answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.runnables import Runnable, RunnableConfig

from fusion_tool.budget import OverBudget, Tab
from fusion_tool.config import Panelist
from fusion_tool.models import withdrawn
from fusion_tool.models.faults import Fault, fault_of
from fusion_tool.models.retry import with_retries
from fusion_tool.models.text import AnswerStream, answer_text
from fusion_tool.pricing import cost_of
from fusion_tool.usage import Call, Stage

_QUIET = RunnableConfig(tags=["nostream"])
"""Keeps the inner models' tokens out of an outer agent's message stream."""


@dataclass(frozen=True)
class Account:
    """On whose account calls go.

    Args:
        stage: Which part of the run they belong to.
        panelist: Who is called.
        tab: What the run's limits leave for them.
        rows: The bill; each call adds its row.
        seat: The seat's label.
    """

    stage: Stage
    panelist: Panelist
    tab: Tab
    rows: list[Call]
    seat: str | None = None

    @property
    def model(self) -> str:
        """The model as configured."""
        return self.panelist.model_name


@dataclass(frozen=True)
class Reply:
    """A usable answer, its message, and whether it was cut off at its token limit."""

    text: str
    message: AIMessage
    truncated: bool


class CallFailed(Exception):  # noqa: N818 - it is caught inside the package, a fault is what it carries
    """A call that gave no usable answer."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


async def ask(
    model: Runnable[Any, AIMessage],
    messages: Sequence[BaseMessage],
    *,
    account: Account,
    deadline: float,
    on_delta: Callable[[str], None] | None = None,
) -> Reply:
    """Ask `model` once.

    Args:
        model: A chat model, with tools or a response format bound where wanted.
        messages: The prompt.
        account: Receives the call's row of the bill, whatever becomes of the call.
        deadline: On `time.monotonic`'s clock; the request is cancelled on the wire when it passes.
        on_delta: Receives the answer as it is written, in which case the call streams.

    Raises:
        CallFailed: Error, time over, refusal, or nothing in it.
    """

    def send(max_tokens: int | None) -> Awaitable[AIMessage]:
        asked = model if max_tokens is None else model.bind(max_tokens=max_tokens)
        return _streamed(asked, messages, on_delta) if on_delta else asked.ainvoke(messages, _QUIET)

    return await measured(send, size=size_of(messages), account=account, deadline=deadline)


async def measured(
    send: Callable[[int | None], Awaitable[AIMessage]], *, size: int, account: Account, deadline: float
) -> Reply:
    """What `send(max_tokens)` answers: reserved, retried, timed, billed and checked, whoever makes the request.

    Args:
        send: Makes one attempt; `max_tokens` is what the limits let it answer, `None` where there are none.
        size: Length of the prompt in bytes.
        account: As for `ask`.
        deadline: As for `ask`.

    Raises:
        CallFailed: Error, time over, no budget, refusal, or nothing in it.
    """
    started = time.monotonic()
    if known := withdrawn.recall(account.panelist):
        raise CallFailed(known)
    try:
        held = account.tab.hold(account.model, size, account.panelist.max_tokens)
    except OverBudget as error:
        raise CallFailed(Fault("budget", str(error))) from error
    row: Call | None = None
    message: AIMessage | None = None
    fault: Fault | None = Fault("cancelled", "the call was cancelled")
    try:
        async with asyncio.timeout(deadline - started):
            message = await with_retries(lambda: send(held.max_tokens), deadline=deadline)
        fault = unusable(message)
    except Exception as error:
        fault = error.fault if isinstance(error, CallFailed) else fault_of(error)
        withdrawn.remember(account.panelist, fault)
        raise CallFailed(fault) from error
    finally:
        if message or fault is None or fault.may_be_charged:
            row = bill_row(message, account, time.monotonic() - started)
            account.rows.append(row)
        account.tab.settle(held, row)
    if fault:
        raise CallFailed(fault)
    return Reply(answer_text(str(message.text)), message, finish_reason(message) == "length")


def size_of(messages: Sequence[BaseMessage]) -> int:
    """The prompt's length in bytes, with what frames each message."""
    texts = (f"{message.type}{message.content}{getattr(message, 'tool_calls', '')}" for message in messages)
    return sum(len(text.encode(errors="replace")) for text in texts)


def unusable(message: AIMessage) -> Fault | None:
    """Why `message` is no answer; `None` where it is one (or calls tools)."""
    if message.additional_kwargs.get("refusal") or finish_reason(message) in ("content_filter", "refusal"):
        return Fault("refused", "the model refused to answer")
    if finish_reason(message) == "error":
        return Fault("upstream_error", "the provider ended the answer with an error")
    if finish_reason(message) is None and message.response_metadata.get("model_provider") == "openai":
        return Fault("upstream_error", "the answer broke off")  # the protocol closes every answer with a reason
    if message.tool_calls or message.invalid_tool_calls or answer_text(str(message.text)):
        return None
    if finish_reason(message) == "length":
        return Fault("truncated", "the token limit was spent before an answer began")
    return Fault("empty", "the model returned nothing but reasoning" if message.text else "the model returned nothing")


def bill_row(message: AIMessage | None, account: Account, seconds: float) -> Call:
    """The call's row: the provider's own cost where it gives one, else the list price, else unpriced."""
    tokens: Any = (message.usage_metadata if message else None) or {}
    row = Call(
        stage=account.stage,
        seat=account.seat,
        model=account.model,
        input_tokens=tokens.get("input_tokens"),
        output_tokens=tokens.get("output_tokens"),
        cached_tokens=(tokens.get("input_token_details") or {}).get("cache_read"),
        seconds=round(seconds, 3),
    )
    billed = message.response_metadata.get("cost_usd") if message else None
    if billed is not None:
        return row.model_copy(update={"cost_usd": billed, "cost_source": "provider"})
    cost, source = cost_of(
        account.model,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cached_tokens=row.cached_tokens,
    )
    return row.model_copy(update={"cost_usd": cost, "cost_source": source})


def finish_reason(message: AIMessage) -> str | None:
    """Why the model stopped, in OpenAI's words; Anthropic's `max_tokens` is their `length`."""
    meta = message.response_metadata
    reason = meta.get("finish_reason") or meta.get("stop_reason") or meta.get("done_reason")
    return {"max_tokens": "length", "MAX_TOKENS": "length", "SAFETY": "content_filter"}.get(str(reason), reason)


async def _streamed(
    model: Runnable[Any, AIMessage], messages: Sequence[BaseMessage], on_delta: Callable[[str], None]
) -> AIMessage:
    chunks: list[AIMessageChunk] = []

    async def attempt(**options: Any) -> None:
        answer = AnswerStream()
        async for chunk in model.astream(messages, _QUIET, **options):
            if isinstance(chunk, AIMessageChunk):
                chunks.append(chunk)
                if text := answer.feed(str(chunk.text)):
                    on_delta(text)
        if text := answer.close():
            on_delta(text)

    try:
        await attempt()
    except Exception as error:
        if chunks:  # once text has been shown only a fallback may start over, as a new attempt
            raise CallFailed(fault_of(error)) from error
        if "stream_options" not in str(error):
            raise
        await attempt(stream_usage=False)  # some servers refuse to count tokens while streaming
    return add_ai_message_chunks(*chunks) if chunks else AIMessage("")
