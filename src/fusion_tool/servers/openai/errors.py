"""Errors as OpenAI's clients expect them: a status, and `{"error": {...}}`.

Protocol: https://platform.openai.com/docs/guides/error-codes. By the status clients decide whether they ask again, and
pay again: once a model was asked it is one that none of them repeats, before that one that says when to come back.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any

from fusion_tool.errors import BudgetExceeded, ConfigError, FusionError, PanelFailed, RecursionRefused

_log = logging.getLogger(__name__)

_TOO_MANY, _SERVER_FAULT, _UNAVAILABLE = 429, 500, 503
_FINAL = 400
"""The status once a model was asked. OpenAI's clients, the AI SDK and litellm repeat 408, 409, 429 and all from 500 on;
LangChain JS everything but 400 to 407, 409 and 413, six times. In a stream the AI SDK goes by the words of `type` and
`code`: "invalid" means 400, "rate_limit" 429."""
_REPEATED = re.compile(r"(rate)[\s_-]*(limit)|(service tier) (capacity exceeded)|(A timeout) (occurred)", re.IGNORECASE)
"""What litellm takes for a reason to ask again wherever it stands in an error, whatever the status."""
_ANSWERS = ("answer", "fusion")
_FINAL_HEADERS = {"x-should-retry": "false"}
_RETRY_AFTER = 5
"""Seconds after which a client may ask again that was refused before anything was spent."""


class ApiError(Exception):
    """The error that a client gets instead of an answer.

    Args:
        message: One line that names cause and cure.
        status: The HTTP status.
        param: The part of the request at fault; `None` where it is none.
        code: The kind of error as a word for programs; `None` where the status says enough.
        headers: Further headers of the response.
        more: Further fields of the error object.
    """

    def __init__(  # noqa: PLR0913 - the fields of the protocol's error object
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.param, self.code = message, status, param, code
        self.headers, self.more = dict(headers or {}), dict(more or {})

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the response, or of the stream's last event."""
        kind = "server_error" if self.status >= _SERVER_FAULT else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code, **self.more}}


def to_api_error(error: BaseException, key: str = "", *, has_begun: bool = False) -> ApiError:
    """Return `error` as the client sees it; of an unexpected one only that it happened.

    Args:
        error: What ended the request.
        key: The name of the caller's key, for the log; empty where there is none.
        has_begun: Whether a model was asked on the request's account, which may have to be paid for.
    """
    refusal = _explain(error, key)
    # A panel that failed has done its work, even where no limit let a seat begin: asked again, it fails again. So does
    # an answer that is there and cannot be sent: out of the cache it comes again, for nothing and without an end.
    if has_begun or isinstance(error, PanelFailed) or "answer" in refusal.more:
        refusal.status, refusal.headers = _FINAL, dict(_FINAL_HEADERS)
        refusal.message = _reworded(refusal.message)
        refusal.more = {name: value if name in _ANSWERS else _reworded(value) for name, value in refusal.more.items()}
        return refusal
    if refusal.status >= _SERVER_FAULT:
        refusal.status = _UNAVAILABLE
    if refusal.status in (_TOO_MANY, _UNAVAILABLE):
        refusal.headers.setdefault("Retry-After", str(_RETRY_AFTER))
    return refusal


def _reworded(value: Any) -> Any:
    """Return a value of JSON without the phrases for which litellm's router asks again; the reason has another word."""
    match value:
        case str():
            joined = _REPEATED.sub(lambda found: "\u2011".join(part for part in found.groups() if part), value)
            return "throttled" if value == "rate_limited" else joined
        case list():
            return [_reworded(item) for item in value]
        case dict():
            return {name: _reworded(item) for name, item in value.items()}
        case _:
            return value


def _explain(error: BaseException, key: str) -> ApiError:  # noqa: PLR0911 - one return an error
    """Return the error in the client's words, with the status by which it is the request's fault or the server's."""
    match error:
        case ApiError():
            return error
        case PanelFailed():
            more = {"failed_models": error.failed_models, "usage": error.usage}
            return ApiError(str(error), status=502, code="panel_failed", more=more)
        case BudgetExceeded():
            return ApiError(str(error), status=402, param=f"limits.{error.kind}", code="budget_exceeded")
        case ConfigError():
            return ApiError(str(error), param=error.field, code="invalid_setting")
        case RecursionRefused():
            return ApiError(str(error), code="recursion_refused")
        case FusionError():
            return ApiError(str(error), status=503, code="unavailable")
        case asyncio.CancelledError():
            return ApiError("the server is shutting down", status=503, code="shutting_down")
        case _:
            # Its text may hold keys or paths: it goes to the log alone.
            _log.error("a request%s failed unexpectedly", f" of '{key}'" if key else "", exc_info=error)
            return ApiError("internal error; the server's log says more", status=500, code="internal_error")


def answer_unreadable(why: str, answer: str, fusion: Mapping[str, Any]) -> ApiError:
    """Return the error of an answer that is not of the form that the client asked for.

    Args:
        why: What is wrong with it.
        answer: The answer as it is.
        fusion: The result beside the answer, as the response's `fusion` field.
    """
    return ApiError(
        f"{why}; as it is, it stands in error.answer",
        status=502,
        code="invalid_output",
        more={"answer": answer, "fusion": dict(fusion)},
    )


def answer_restarted(answer: str, fusion: dict[str, Any]) -> ApiError:
    """Return the error of an answer that broke off after its beginning was sent.

    Args:
        answer: The whole answer that replaced it.
        fusion: The result beside the answer, as the response's `fusion` field.
    """
    return ApiError(
        "the answer broke off and was written anew; the whole one is in error.answer",
        status=502,
        code="answer_restarted",
        more={"answer": answer, "fusion": fusion},
    )
