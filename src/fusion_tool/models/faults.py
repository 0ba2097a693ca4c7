"""From a provider's exception to one of the closed set of reasons, and which failures are tried again.

- `to_fault`: the one place where an exception gets its reason.
- `with_retries`: transient failures are retried after the provider's Retry-After, else after a jittered wait, as long
  as the deadline allows.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, get_args

from fusion_tool.config.keys import scrub
from fusion_tool.errors import Reason
from fusion_tool.models.refusals import Parameter, names_refused
from fusion_tool.models.wire.errors import ErrorCause, error_cause

_BY_STATUS: dict[int, Reason] = {
    401: "auth",
    402: "budget",
    403: "auth",
    404: "model_unavailable",
    408: "timeout",
    410: "model_unavailable",
    413: "context_overflow",
    429: "rate_limited",
}
_CODES: dict[Reason, str] = {
    "context_overflow": "context_length_exceeded context_window_exceeded exceed_context_size_error request_too_large",
    "budget": "insufficient_quota exceeded_current_quota_error insufficient_balance arrearage budget_exceeded"
    " billing_error payment_required",
    "rate_limited": "rate_limit_exceeded rate_limit_error model_rate_limit resource_exhausted throttling_exception"
    " throttling_error too_many_requests too_many_requests_error",
    "auth": "invalid_api_key api_key_invalid authentication_error unauthenticated unauthorized permission_denied"
    " permission_error access_denied access_denied_exception",
    "model_unavailable": "model_not_found model_not_available model_decommissioned invalid_model deployment_not_found",
    "refused": "content_filter content_policy_violation data_inspection_failed",
}
_BY_CODE = {code.replace("_", ""): reason for reason, codes in _CODES.items() for code in codes.split()}
"""The providers' own words, which are surer than a status: gateways wrap one kind in another."""
_BY_TYPE: dict[str, Reason] = {
    "ContextOverflowError": "context_overflow",
    "ModelAuthenticationError": "auth",
    "ModelPermissionDeniedError": "auth",
    "ModelNotFoundError": "model_unavailable",
    "ModelRateLimitError": "rate_limited",
    "ModelTimeoutError": "timeout",
    "TimeoutError": "timeout",
    "TimeoutException": "timeout",
    "APITimeoutError": "timeout",
    "ConnectError": "upstream_error",
    "CancelledError": "cancelled",
}
"""By class name along the exception's ancestry, so that no provider's package needs to be imported."""

_OVERFLOW = re.compile(
    r"context.{0,12}(length|window|limit)|maximum context|too many (input )?tokens|prompt is too long"
    r"|(?:input|prompt|string) (is )?too long|exceeds?.{0,40}(context|token)|reduce the length"
    r"|maximum (?:prompt|input|sequence) length|longer than the (?:model|maximum|context)"
    r"|token count.{0,30}exceeds?|(?:prompt|input) exceeds|max(?:imum)? input (?:characters|tokens|length)"
    r"|range of input length|\bn_ctx\b|\binputs\b.{0,4}tokens.{0,30}must be|max_tokens must be.{0,20}got -\d",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"request too large", re.IGNORECASE)
"""Groq and OpenAI answer so, as 413 or 429, to a prompt that alone passes a minute's limit: waiting never helps."""
_UNREADABLE = re.compile(
    r"surrogate|invalid (?:utf|unicode)|not valid (?:utf|unicode)|unicode (?:de|en)code", re.IGNORECASE
)
_WITHDRAWN = re.compile(
    r"no longer available|deprecated|decommissioned|not a valid model|does not exist|\bmodel not exist"
    r"|^(?:the )?(?:requested )?model\b.{0,60}not found|no endpoints found|^invalid model\b|model identifier is invalid"
    r"|not supported by any provider",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content.?(filter|policy|management)|safety|moderation|flagged|inappropriate content"
    r"|unsafe or sensitive|high risk",
    re.IGNORECASE,
)
_UNPAID = re.compile(
    r"insufficient.{0,3}(?:balance|quota|credits?|funds)|credit balance|out of credits|have any credits|unpaid"
    r"|account is in good standing|budget has been exceeded|please recharge",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(
    r"\bapi.?key.{0,20}(?:not valid|invalid|incorrect|expired|revoked|missing)"
    r"|(?:invalid|incorrect|expired|missing|no).{0,4} api.?key|\btoken (?:is |has )?(?:expired|invalid)"
    r"|^(?:invalid (?:access )?token|unauthori[sz]ed)\W*$|\blogin fail",
    re.IGNORECASE,
)
_LIMITED = re.compile(r"rate.?limit|too many requests|slow down", re.IGNORECASE)
_PASSES = re.compile(
    r"overloaded|over capacity|unavailable|try again|internal (?:server )?error|bad gateway|gateway time-?out",
    re.IGNORECASE,
)
"""What is tried again where no status says so: an error under HTTP 200, or amid a stream."""
_BY_SENTENCE: tuple[tuple[tuple[int | None, ...], re.Pattern[str], Reason], ...] = (
    ((400, 403, 404, 410, 422, None), _WITHDRAWN, "model_unavailable"),
    ((400, 403, None), _FILTERED, "refused"),
    ((400, 403, 412, 429, None), _UNPAID, "budget"),
    ((400, 422, None), _BAD_KEY, "auth"),
    ((None,), _LIMITED, "rate_limited"),
)
"""What a sentence means under these statuses."""
_REJECTIONS = frozenset({400, 404, 415, 422, 501})
"""The statuses with which servers answer a parameter that they do not know."""
_FIRST_ERROR = 400
_MESSAGE_LENGTH = 300


@dataclass(frozen=True)
class Fault:
    """Why a call gave nothing usable: a reason of the closed set, one scrubbed line, the HTTP status if any."""

    reason: Reason
    message: str
    status_code: int | None = None
    may_be_charged: bool = True
    """Whether tokens may have been spent: not where the provider answered with an error status at once."""
    is_of_model: bool = True
    """Whether it says anything about the model: not where the request's text or a parameter was refused."""

    def rejects(self, *parameters: Parameter) -> bool:
        """Tell whether the endpoint rejected one of these parameters, rather than the question or a message."""
        is_rejection = self.status_code in _REJECTIONS and self.reason in ("upstream_error", "model_unavailable")
        return is_rejection and any(names_refused(self.message, parameter) for parameter in parameters)


class ProviderReplyError(Exception):
    """A reply that came with a status of success and holds an error; what it says is in `cause`."""

    def __init__(self, cause: ErrorCause) -> None:
        super().__init__(cause.message)
        self.cause = cause


def to_fault(error: BaseException) -> Fault:
    """Return the fault that `error` stands for."""
    cause = _cause(error)
    free = _http_status(error) is not None or never_connected(error)
    fault = Fault(_reason(error, cause), _one_line(error, cause), cause.status, may_be_charged=not free)
    is_unreadable = isinstance(error, UnicodeError) or (
        cause.status in _REJECTIONS and _UNREADABLE.search(cause.message)
    )
    return replace(fault, is_of_model=not (is_unreadable or fault.rejects(*get_args(Parameter))))


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status, or the one in an error object that came under HTTP 200, as OpenRouter sends them."""
    return _cause(error).status


def _reason(error: BaseException, cause: ErrorCause) -> Reason:
    status, message = cause.status, cause.message
    # The text first, then the status: providers answer 400 or 404 to nearly everything, and only the message tells a
    # prompt that is too long from a model that is gone. `None` is an error event within a stream.
    is_overflow = status in (400, 413, 422, 500, 502, None) and _OVERFLOW.search(message)
    if is_overflow or (status in (413, 429) and _TOO_LARGE.search(message)):
        return "context_overflow"
    if by_code := _BY_CODE.get(re.sub(r"[\W_]", "", cause.code or "").lower()):
        return by_code
    said = (reason for statuses, pattern, reason in _BY_SENTENCE if status in statuses and pattern.search(message))
    if by_sentence := next(said, None):
        return by_sentence
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    # Last, since a client names its errors by the status that it saw, a gateway's say.
    names = {cls.__name__ for cls in type(error).__mro__}
    return next((reason for name, reason in _BY_TYPE.items() if name in names), "upstream_error")


def _cause(error: BaseException) -> ErrorCause:
    """Return what the provider said: in an error's body, or in the object that LangChain raises as a `ValueError`."""
    if isinstance(error, ProviderReplyError):
        return error.cause
    status = _http_status(error)
    body = getattr(error, "body", None) or next((value for value in error.args[:1] if isinstance(value, dict)), None)
    if body is None:
        return ErrorCause(" ".join(str(error).split()), status)
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return error_cause(status, headers, body)


def _http_status(error: BaseException) -> int | None:
    """Return the response's status where that is an error; `None` for an error event that came under 200."""
    for place in (error, getattr(error, "response", None)):
        status = getattr(place, "status_code", None)
        if isinstance(status, int) and status >= _FIRST_ERROR:
            return status
    return None


def _one_line(error: BaseException, cause: ErrorCause) -> str:
    text = cause.message
    if not text:
        text = "no answer within the time left" if isinstance(error, TimeoutError) else type(error).__name__
    if cause.provider and cause.provider.lower() not in text.lower():
        text = f"{cause.provider}: {text}"
    return scrub(text)[:_MESSAGE_LENGTH]


def never_connected(error: BaseException | None) -> bool:
    """Tell whether the request never left: what no provider has seen, none charges for."""
    while error is not None:
        if {cls.__name__ for cls in type(error).__mro__} & {"ConnectError", "ConnectTimeout", "UnsupportedProtocol"}:
            return True
        error = error.__cause__
    return False


T = TypeVar("T")

_MAX_ATTEMPTS = 4
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0


class AskOtherwiseError(Exception):
    """An endpoint did not take a way of asking: the next attempt asks otherwise, and waits for nothing."""

    is_retryable = True

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def with_retries(send: Callable[[], Awaitable[T]], *, deadline: float) -> T:
    """Call `send`, and again after a transient failure.

    Args:
        send: Makes one attempt.
        deadline: Seconds on `time.monotonic`'s clock; an attempt that could only start after it is not made.

    Raises:
        Exception: What the last attempt raised.
    """
    attempt = 1
    while True:
        try:
            return await send()
        except Exception as error:
            if attempt >= _MAX_ATTEMPTS or not _is_transient(error):
                raise
            seconds = _wait(error, attempt)
            # The wait counts: sleeping through the rest of the deadline would only delay the seat's fallback.
            if time.monotonic() + seconds >= deadline:
                raise
        await asyncio.sleep(seconds)
        attempt += 1


def retry_after(error: BaseException | None) -> float | None:
    """Return the seconds that the provider asks to wait (RFC 9110, section 10.2.3), `None` where it does not."""
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


def _wait(error: Exception, attempt: int) -> float:
    # Where a parameter was refused nothing has to recover; the next request is another one.
    seconds = 0.0 if isinstance(error, AskOtherwiseError) else retry_after(error)
    return _jitter(attempt) if seconds is None else seconds


def _jitter(attempt: int) -> float:
    return random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1)))  # noqa: S311 - no secret


def _is_transient(error: BaseException) -> bool:
    cause = _cause(error)
    reason = _reason(error, cause)
    if cause.status is not None:  # neither a prompt that is too long nor an empty account gets better by waiting
        return cause.status in _TRANSIENT_STATUS and reason not in ("context_overflow", "budget")
    # Without a status nothing reached the provider, or its stream broke: LangChain's errors tell which may be repeated.
    if getattr(error, "is_retryable", False):
        return True
    has_spoken = isinstance(error, ProviderReplyError) or getattr(error, "body", None) is not None
    is_passing = reason == "upstream_error" and _PASSES.search(f"{cause.code} {cause.message}")
    return has_spoken and (reason == "rate_limited" or bool(is_passing))
