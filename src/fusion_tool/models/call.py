"""One call of one model: reserved, sent with retries, timed, billed, and checked for an answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable

from fusion_tool.budget.ledger import OverBudgetError, StageBudget
from fusion_tool.budget.pricing import cost_of, price_name
from fusion_tool.budget.usage import Call, StageName
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import Reason
from fusion_tool.models.causes import explain_fault
from fusion_tool.models.faults import AskOtherwiseError, Fault, to_fault, with_retries
from fusion_tool.models.finish_reasons import InterruptedReplyError, ending_of, is_cut_off, unusable_reason
from fusion_tool.models.health import HealthTracker, remember_withdrawn, withdrawn_fault
from fusion_tool.models.prompt import offers_tools, sendable_messages
from fusion_tool.models.prompt_cache import Ask, CacheablePrompt
from fusion_tool.models.reasoning_filters import reasoning_filter, record_beginning
from fusion_tool.models.speed import learn_speed
from fusion_tool.models.streaming import FirstToken, MessageStream, StreamBrokenError, whole_reply
from fusion_tool.models.thinking import mark_blocks
from fusion_tool.models.wire.leaked_reasoning import ReasoningFilter, strip_reasoning
from fusion_tool.models.wire.usage import tokens_of, written_tokens

_CANCELLED = Fault("cancelled", "the call was cancelled")
_FAIR_SECONDS = 30.0
"""A model that is given less time may be late through no fault of its own."""


@dataclass(frozen=True)
class CallContext:
    """On whose account calls go.

    Args:
        stage: Which part of the run they belong to.
        panelist: Who is called.
        budget: What the run's limits leave for them.
        rows: The bill; each attempt that is, or may be, charged adds its row.
        seat: The seat's label.
        health: Learns how the calls end; `None`: nobody does.
    """

    stage: StageName
    panelist: Panelist
    budget: StageBudget
    rows: list[Call]
    seat: str | None = None
    health: HealthTracker | None = None

    @property
    def model(self) -> str:
        """Return the model as configured."""
        return self.panelist.model_name


@dataclass(frozen=True)
class ModelReply:
    """A usable answer.

    Args:
        text: The answer's text, without leaked reasoning.
        message: The whole message.
        truncated: Whether it was cut off: at a token limit, or by its server.
        panelist: The panelist that answered.
        first_token: Seconds until its first token, `None` where the call did not stream.
        spoiled: What is wrong with what it wrote; empty where nothing is, or nobody looked.
    """

    text: str
    message: AIMessage
    truncated: bool
    panelist: Panelist
    first_token: float | None = None
    spoiled: str = ""


class ModelCallError(Exception):
    """A call that gave no usable answer; `model` is the called one, `None` where no call was made."""

    def __init__(self, fault: Fault, model: str | None = None) -> None:
        super().__init__(fault.message)
        self.fault, self.model = fault, model


async def call_model(  # noqa: PLR0913 - what is asked, on whose account, and who follows it
    model: Runnable[Any, AIMessage],
    messages: Sequence[BaseMessage],
    *,
    account: CallContext,
    deadline: float,
    on_delta: Callable[[str], None] | None = None,
    on_first: Callable[[], None] | None = None,
    extra_bytes: int = 0,
) -> ModelReply:
    """Ask `model` once.

    Args:
        model: A chat model, with tools or a response format bound where needed.
        messages: The prompt.
        account: Receives a row of the bill for each attempt that is, or may be, charged, whatever becomes of it.
        deadline: Seconds on `time.monotonic`'s clock; the request is cancelled on the wire when it passes.
        on_delta: Receives the answer as it is written. The call streams where this or `on_first` is given.
        on_first: Called at the first token, be it of the answer, its reasoning or a tool call.
        extra_bytes: Bytes that are sent beside the messages, such as the tools' schemas.

    Raises:
        ModelCallError: The call failed, ran out of time or budget, was refused, or gave an empty answer.
    """
    prompt = CacheablePrompt(sendable_messages(messages), account.panelist)
    first = FirstToken(account.panelist, on_first)
    make_filter = reasoning_filter(account.panelist, is_shown=on_delta is not None)
    ask = MessageStream(first, on_delta, make_filter).attempt if on_delta or on_first else whole_reply
    reply = await measured_call(
        partial(_send, prompt, model, ask),
        size=prompt.size + extra_bytes,
        account=account,
        deadline=deadline,
        first=first,
        is_shown=on_delta is not None,
        make_filter=make_filter,
        takes_calls=offers_tools(model),
    )
    mark_blocks(reply.message, account.panelist)
    return reply


def _send(prompt: CacheablePrompt, model: Runnable[Any, AIMessage], ask: Ask, most: int | None) -> Awaitable[AIMessage]:
    return prompt.send(model if most is None else model.bind(max_tokens=most), ask)


async def measured_call(  # noqa: PLR0913 - one attempt, on whose account, and who follows it
    send: Callable[[int | None], Awaitable[AIMessage]],
    *,
    size: int,
    account: CallContext,
    deadline: float,
    first: FirstToken,
    is_shown: bool = False,
    make_filter: Callable[[], ReasoningFilter] = ReasoningFilter,
    takes_calls: bool = True,
) -> ModelReply:
    """Make a call by `send`: reserved, retried, timed, billed and checked, whoever makes the request.

    Args:
        send: Makes one attempt, with the most answer tokens that the limits allow, `None` for as many as it likes.
        size: Length of the prompt in bytes.
        account: As for `call_model`.
        deadline: As for `call_model`.
        first: Holds when the first token came.
        is_shown: Whether the text was passed on as it was written, and so must be what was passed on.
        make_filter: Makes the filter through which it was passed on.
        takes_calls: Whether tools were offered, so that calling one is a reply.

    Raises:
        ModelCallError: As for `call_model`.
    """
    started, attempts = time.monotonic(), _Attempts(send, size, account, is_shown=is_shown)
    if withdrawn := withdrawn_fault(account.panelist):
        raise ModelCallError(withdrawn, account.model)
    fault: Fault | None = _CANCELLED  # what `finally` finds where neither a message nor an `Exception` comes
    try:
        message = await _final_message(attempts, deadline)
        fault = unusable_reason(message, takes_calls=takes_calls)
    except ModelCallError as failed:
        fault = failed.fault
        raise
    except Exception as error:
        fault = explain_fault(_fault(error), error, account.panelist)
        remember_withdrawn(account.panelist, fault)
        raise ModelCallError(fault, account.model) from error
    finally:  # the model is judged by what became of the call: an attempt that a retry made good harmed nobody
        if attempts.begun and account.health:
            account.health.record_call(
                account.panelist,
                _reason_to_record(fault, allowed=deadline - started),
                seconds=time.monotonic() - started,
                first_token_seconds=first.seconds,
                rows=attempts.rows,
            )
    if fault:
        raise ModelCallError(fault, account.model)
    record_beginning(account.panelist, str(message.text))
    text = make_filter().apply(str(message.text))
    return ModelReply(text, message, is_cut_off(message), account.panelist, first.seconds)


def _reason_to_record(fault: Fault | None, *, allowed: float) -> Reason | None:
    """Return the reason that counts for the model's health; what was the caller's doing counts as broken off."""
    if fault is None:
        return None
    # By the time that this call had: a seat's last call may begin when nearly all of its time is spent.
    is_hurried = fault.reason == "timeout" and fault.status_code is None and allowed < _FAIR_SECONDS
    return "cancelled" if is_hurried or not fault.is_of_model else fault.reason


async def _final_message(attempts: "_Attempts", deadline: float) -> AIMessage:
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            return await with_retries(attempts.make, deadline=deadline)
    except Exception:
        if attempts.part is None:
            raise
        return attempts.part  # it is paid for, and is told as what it is, a part


class _Attempts:
    """The attempts of one call, each reserved, billed and settled by itself.

    A provider may charge for an answer that did not arrive; to limits and bill, the next attempt is another call.

    Args:
        send: As for `measured_call`, and so are `size`, `account` and `is_shown`.

    Attributes:
        begun: Number of attempts that were made.
        rows: The bill of those that were, or may have been, charged.
        part: The latest text that its server broke off, `None` where there is none.
    """

    def __init__(
        self, send: Callable[[int | None], Awaitable[AIMessage]], size: int, account: CallContext, *, is_shown: bool
    ) -> None:
        self._send, self._size, self._account, self._is_shown = send, size, account, is_shown
        self._fault: Fault | None = None
        self.begun = 0
        self.rows: list[Call] = []
        self.part: AIMessage | None = None

    async def make(self) -> AIMessage:
        """Make the next attempt, and return its message.

        Raises:
            ModelCallError: It could pass a limit; the fault is that of the attempt before, where there was one.
            InterruptedReplyError: The server broke the answer off.
            Exception: The provider's own.
        """
        account = self._account
        try:
            reservation = await account.budget.reserve(account.model, self._size, account.panelist.max_tokens)
        except OverBudgetError as error:
            raise ModelCallError(self._unaffordable(error), account.model) from error
        self.begun += 1
        started, message, self._fault = time.monotonic(), None, _CANCELLED
        try:
            message = await self._send(reservation.max_tokens)
        except Exception as error:
            self._fault = _fault(error)
            raise
        finally:  # every attempt that was made ends here, whatever became of it
            row: Call | None = None
            if message is not None or self._fault.may_be_charged:
                row = to_call_row(message, account, time.monotonic() - started)
                self.rows.append(row)
                account.rows.append(row)
            account.budget.settle(reservation, row)
        await learn_speed(account.panelist, message, self.rows[-1])
        if ending_of(message) == "interruption":
            interrupted = InterruptedReplyError(message, is_shown=self._is_shown and bool(message.text))
            self._fault = _fault(interrupted)
            self.part = message if strip_reasoning(str(message.text)) else self.part
            raise interrupted
        return message

    def _unaffordable(self, error: OverBudgetError) -> Fault:
        if self._fault is None:
            return Fault("budget", str(error))
        return replace(self._fault, message=f"{self._fault.message}; not tried again, {error}")


def _fault(error: Exception) -> Fault:
    return to_fault(error.error if isinstance(error, StreamBrokenError | AskOtherwiseError) else error)


def to_call_row(message: AIMessage | None, account: CallContext, seconds: float) -> Call:
    """Return the call's row of the bill: with the provider's own cost, else the list price, else unpriced.

    Args:
        message: The reply, `None` where none came: the tokens are unknown then.
        account: The call's context.
        seconds: How long the attempt took.
    """
    tokens = tokens_of(message) if message else {}
    row = Call(stage=account.stage, seat=account.seat, model=account.model, seconds=round(seconds, 3), **tokens)
    listed, _ = cost_of(
        price_name(account.panelist),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cached_tokens=row.cached_tokens,
        written_tokens=written_tokens(message) if message else None,
    )
    return row.with_cost(message.response_metadata.get("cost_usd") if message else None, listed)
