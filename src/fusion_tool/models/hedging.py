"""Hedging: where a seat's model is slow to begin, its fallback is called, too, and whichever begins first answers.

The first token decides, not the whole answer. What makes a call late is mostly the wait before it begins: a queue, a
cold start, a silent endpoint; after that an answer comes at its model's own pace. Deciding there, the loser is cut
before it has written anything, so that an extra call costs little more than its prompt, and a terse model does not
beat a thorough one by being brief.

Source: Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013, "Hedged requests".
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache, partial
from threading import Lock
from typing import Any, TypeAlias

from fusion_tool.config.schema import Panelist
from fusion_tool.models import health
from fusion_tool.models.call import ModelReply
from fusion_tool.models.capabilities import capabilities_of
from fusion_tool.models.factory import chat_model
from fusion_tool.models.providers import with_model
from fusion_tool.models.streaming import first_token_p90

_MAX_SAVED = 10.0
"""Extra calls that may be saved up."""

OnFirst: TypeAlias = Callable[[], None]
"""Called at a call's first token."""
CallModel: TypeAlias = Callable[[Panelist, OnFirst | None], Coroutine[Any, Any, ModelReply]]
"""Makes one whole call of a panelist; it streams where there is a callback for its first token."""


def hedged_call(
    call_panelist: CallModel, panelist: Panelist, *, share: float | None, tools: bool = False
) -> Coroutine[Any, Any, ModelReply]:
    """Call `panelist`, and its fallback where it is silent for longer than nine of ten of its calls are.

    Args:
        call_panelist: Makes the calls.
        panelist: The panelist that is called first.
        share: Most extra calls, as a share (0 to 1) of the calls that might get one; `None` makes none.
        tools: Whether the fallback must be able to call tools.

    Returns:
        The reply; `ModelReply.panelist` tells whose it is. The other call was cancelled, and is on the bill.

    Raises:
        ModelCallError: The panelist's call failed and the extra one did not begin, or whichever had begun broke off.
    """
    if share is None or not panelist.fallbacks:
        return call_panelist(panelist, None)
    return _hedge(call_panelist, panelist, share, tools=tools)


async def _hedge(call_panelist: CallModel, panelist: Panelist, share: float, *, tools: bool) -> ModelReply:
    with allowance_for(share).call() as allowed:
        calls = [_Attempt(partial(call_panelist, panelist))]
        try:
            # `None`, while few calls are known, waits for the call itself: without a tail there is nothing to hedge.
            await asyncio.wait([calls[0].sign], timeout=first_token_p90(panelist))
            if not calls[0].sign.done():
                calls.append(_Attempt(partial(_fallback_attempt, call_panelist, panelist, tools, allowed)))
            return await _first_to_begin(calls)
        finally:
            for call in calls:
                call.task.cancel()
            # Waited for, so that the loser's row is on the bill before the reply is returned.
            await asyncio.gather(*(call.task for call in calls), return_exceptions=True)


async def _first_to_begin(calls: list["_Attempt"]) -> ModelReply:
    for sign in asyncio.as_completed([call.sign for call in calls]):
        if first := await sign:
            # Before the reply is awaited, which may take minutes: until then both would be written and paid for.
            for other in calls:
                if other is not first:
                    other.task.cancel()
            return await first.task
    # None began: the error that counts is that of the panelist's own model.
    return await calls[0].task


class _Attempt:
    """A call under way.

    Attributes:
        sign: Resolves to the attempt itself when it begins to answer, to `None` when it fails before.
        task: The call.
    """

    def __init__(self, make: Callable[[OnFirst], Coroutine[Any, Any, ModelReply]]) -> None:
        self.sign: asyncio.Future[_Attempt | None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(make(partial(self._signal, self)))
        # A call may also end without a first token: by a fault, or with a reply that did not come as a stream.
        self.task.add_done_callback(lambda task: self._signal(None if task.cancelled() or task.exception() else self))

    def _signal(self, sign: "_Attempt | None") -> None:
        if not self.sign.done():
            self.sign.set_result(sign)


class _NoExtraCallError(Exception):
    """There is no fallback that could be called, or no allowance for it."""


async def _fallback_attempt(
    call_panelist: CallModel, panelist: Panelist, tools: bool, allowed: Callable[[], bool], on_first: OnFirst
) -> ModelReply:
    for model in panelist.fallbacks:
        spare = with_model(panelist, model)
        if health.withdrawn_fault(spare):
            continue
        capabilities = capabilities_of(spare, await chat_model(spare))
        # The prompt is built already: a model that answers by claims needs another one, and a schema.
        if capabilities.path != "claims" and (capabilities.tools or not tools):
            # Taken last: what is taken is gone, even if no fallback could have been called.
            if not allowed():
                break
            return await call_panelist(spare, on_first)
    raise _NoExtraCallError


class HedgeAllowance:
    """Extra calls as a share of calls: each call earns `share` of one.

    It begins with none, so that extra calls never exceed their share. Beyond what the calls under way have earned it
    saves no more than ten, so that quiet hours do not add up to a storm of extra calls on a provider in trouble.

    Source: gRPC's retry throttling (proposal A6), and Envoy's retry budget, a share of the requests under way.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = 0.0
        self._under_way = 0
        self._lock = Lock()  # there is one for all threads

    @contextmanager
    def call(self) -> Iterator[Callable[[], bool]]:
        """Earn for a call that is made inside the context.

        Yields:
            A function that takes one extra call off the allowance, and tells whether there was one.
        """
        with self._lock:
            self._under_way += 1
            self._left += self._share
        try:
            yield self._take
        finally:
            with self._lock:
                self._under_way -= 1
                self._left = min(self._left, _MAX_SAVED + self._share * self._under_way)

    def _take(self) -> bool:
        with self._lock:
            is_granted = self._left >= 1
            self._left -= is_granted
            return is_granted


@cache
def allowance_for(share: float) -> HedgeAllowance:
    """Return the process's allowance for configurations with this share."""
    return HedgeAllowance(share)
