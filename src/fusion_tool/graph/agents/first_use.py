"""The first use of one of the user's own models: its trial, once for all seats, runs and processes, and in plain sight.

Vendors' models have none: what they can do is data. A trial that fails changes nothing, and is told.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel

from fusion_tool.config.schema import Panelist
from fusion_tool.config.storage import STORAGE_ERRORS, data_path, wait_for_lock
from fusion_tool.errors import IN_TRIAL
from fusion_tool.events import TrialCompleted, TrialStarted
from fusion_tool.graph.agents.attempts import to_failure
from fusion_tool.graph.agents.trial import TRIAL_TOKENS, try_model
from fusion_tool.graph.runtime import Stage
from fusion_tool.models.abilities import known_abilities, recall_abilities, remember_abilities
from fusion_tool.models.call import CallContext, ModelCallError, call_model
from fusion_tool.models.capabilities import capabilities_of
from fusion_tool.models.clients import named_lock
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import Fault
from fusion_tool.models.identity import model_key

_PART = 0.5
"""The part of a caller's time that a trial, or waiting for another's, may take."""
_AGAIN_AFTER = 600.0
"""Seconds for which a model whose trial failed is left alone."""
_log = logging.getLogger(__name__)
_failed_at: dict[str, float] = {}


async def prepare_model(panelist: Panelist, stage: Stage, deadline: float) -> BaseChatModel:
    """Return the chat model of a panelist; one of the user's own has had its trial then, unless that failed.

    Args:
        panelist: Who is about to be asked.
        stage: On whose account, and in whose events, a trial goes.
        deadline: When the caller must be done, on `time.monotonic`'s clock.

    Raises:
        ConfigError: As `chat_model`.
    """
    model = await chat_model(panelist)
    key = model_key(panelist)
    if key is None or not await _needs_trial(key, panelist, model):
        return model
    now = time.monotonic()
    until = now + (deadline - now) * _PART
    try:
        async with asyncio.timeout(until - now), _single_flight(key):
            # Whoever had the lock before may have tried it, in another process too.
            if await _needs_trial(key, panelist, model, now=True):
                await _run_trial(key, panelist, model, stage, until)
    except TimeoutError:
        _log.warning("%s is asked without a trial: there was no time for one", panelist.model_name)
    return model


async def _needs_trial(key: str, panelist: Panelist, model: Any, *, now: bool = False) -> bool:
    if time.monotonic() - _failed_at.get(key, float("-inf")) < _AGAIN_AFTER:
        return False
    # In a small window there is nothing to choose: only short prompts fit.
    is_open = await recall_abilities(panelist, now=now) is None
    return is_open and not capabilities_of(panelist, model).has_small_window


@asynccontextmanager
async def _single_flight(key: str) -> AsyncIterator[None]:
    """Let one at a time try the model `key`, of all seats, runs and processes."""
    async with await named_lock(f"trial of {key}"), AsyncExitStack() as stack:
        try:
            digest = hashlib.sha256(key.encode()).hexdigest()[:16]
            await stack.enter_async_context(wait_for_lock(data_path(f"trials/{digest}.lock")))
        except STORAGE_ERRORS as error:
            _log.warning("other processes may try %s as well: %s", key, error)
        yield


async def _run_trial(key: str, panelist: Panelist, model: Any, stage: Stage, deadline: float) -> None:
    account = replace(stage.call_context(panelist), stage="trial")
    seat, name = account.seat or stage.name, panelist.model_name
    stage.events.emit(TrialStarted(type="trial.started", **stage.events.stamp, seat=seat, model=name))
    started, failure = time.monotonic(), "cancelled"
    try:
        await _try_within_limits(panelist, model, account, deadline)
        failure = ""
    except ModelCallError as failed:
        failure = f"{failed.fault.reason}: {failed.fault.message}"
        _failed_at[key] = time.monotonic()
        fault = replace(failed.fault, message=f"{IN_TRIAL}{failed.fault.message}")
        stage.failures.append(to_failure(name, fault))
        _log.warning("%s could not be tried, so that its profile decides how it is asked: %s", name, failure)
    finally:
        found = known_abilities(panelist)
        stage.events.emit(
            TrialCompleted(
                type="trial.completed",
                **stage.events.stamp,
                seat=seat,
                model=name,
                seconds=round(time.monotonic() - started, 3),
                calls_tools=found.calls_tools if found else None,
                cites=found.cites if found else None,
                path=capabilities_of(panelist, model).path,
                failure=failure or None,
            )
        )


async def _try_within_limits(panelist: Panelist, model: Any, account: CallContext, deadline: float) -> None:
    if account.budget.remaining_tokens < TRIAL_TOKENS / _PART:
        raise ModelCallError(Fault("budget", "limits.tokens leaves too little for it"))
    found = await try_model(model, partial(call_model, account=account, deadline=deadline))
    await remember_abilities(panelist, found)
