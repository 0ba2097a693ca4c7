"""Retries of transient failures: the provider's Retry-After honoured, else jittered, bounded by a deadline."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from fusion_tool.models.faults import status_of

T = TypeVar("T")

_ATTEMPTS = 4
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_jitter = wait_random_exponential(multiplier=0.5, max=8)


class Again(Exception):  # noqa: N818 - it carries the provider's own error
    """An endpoint did not take a way of asking: the next attempt asks otherwise, and waits for nothing."""

    is_retryable = True

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def with_retries(send: Callable[[], Awaitable[T]], *, deadline: float) -> T:
    """What `send()` returns, sent again after a transient failure.

    Args:
        send: Makes one attempt.
        deadline: On `time.monotonic`'s clock; an attempt that could only start after it is not made.

    Raises:
        Exception: The last attempt's own.
    """

    def spent(state: RetryCallState) -> bool:
        return state.attempt_number >= _ATTEMPTS or time.monotonic() + state.upcoming_sleep >= deadline

    async def attempt() -> T:  # tenacity awaits coroutine functions, not whatever returns an awaitable
        return await send()

    retrying = AsyncRetrying(retry=retry_if_exception(_is_transient), wait=_wait, stop=spent, reraise=True)
    return await retrying(attempt)


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that the provider asked to wait (RFC 9110, section 10.2.3), `None` where it did not."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after") if headers else None
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = 0.0 if isinstance(error, Again) else retry_after(error)
    return _jitter(state) if asked is None else asked


def _is_transient(error: BaseException) -> bool:
    status = status_of(error)
    if status is not None:
        return status in _TRANSIENT_STATUS
    return bool(getattr(error, "is_retryable", False))
