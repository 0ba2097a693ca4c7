"""Errors as OpenAI's clients expect them: a status, and `{"error": {...}}`.

Protocol: https://platform.openai.com/docs/guides/error-codes. `x-should-retry` is read by OpenAI's own clients, which
would otherwise repeat a failed run, and pay for it, twice more.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from fusion_tool.errors import BudgetExceeded, ConfigError, FusionError, PanelFailed, RecursionRefused

_log = logging.getLogger(__name__)

# For what may have been paid for; about other errors a client decides by their status.
_PAID_FOR = {"x-should-retry": "false"}


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
        kind = "invalid_request_error" if self.status < 500 else "server_error"  # noqa: PLR2004 - HTTP's line
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code, **self.more}}


def to_api_error(error: BaseException, key: str = "") -> ApiError:  # noqa: PLR0911 - one return an error
    """Return `error` as the client sees it; of an unexpected one only that it happened.

    Args:
        error: What went wrong.
        key: The name of the caller's key, for the log; empty where there is none.
    """
    match error:
        case ApiError():
            return error
        case PanelFailed():
            more = {"failed_models": error.failed_models, "usage": error.usage}
            return ApiError(str(error), status=502, code="panel_failed", headers=_PAID_FOR, more=more)
        case BudgetExceeded():
            return ApiError(str(error), status=402, param=f"limits.{error.kind}", code="budget_exceeded")
        case ConfigError():
            return ApiError(str(error), param=error.field, code="invalid_setting")
        case RecursionRefused():
            return ApiError(str(error), code="recursion_refused")
        case FusionError():
            return ApiError(str(error), status=500, code="unavailable", headers=_PAID_FOR)
        # Without `x-should-retry`: clients repeat a 503, and another server may take the request.
        case asyncio.CancelledError():
            return ApiError("the server is shutting down; ask again", status=503, code="shutting_down")
        case _:
            # Its text may hold keys or paths: it goes to the log alone.
            _log.error("a request%s failed unexpectedly", f" of '{key}'" if key else "", exc_info=error)
            return ApiError("internal error; the server's log says more", status=500, headers=_PAID_FOR)


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
        headers=_PAID_FOR,
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
        headers=_PAID_FOR,
        more={"answer": answer, "fusion": fusion},
    )
