"""The errors a caller meets, as one tree.

FusionError
├── ConfigError          wrong or missing configuration; names the field
├── PanelFailed          fewer than `min_answers` seats gave a usable answer; holds every seat's reason
├── BudgetExceeded       a limit would be passed before the first call; holds kind, value and limit
├── SandboxUnavailable   `bash = "sandbox"` was required and the sandbox does not work here
├── BlockedAddress       a page's address is not one that may be fetched
├── DatabaseUnavailable  the shared database cannot be reached or used
└── RecursionRefused     a fusion was started inside a fusion
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

Reason: TypeAlias = Literal[
    "rate_limited",
    "timeout",
    "upstream_error",
    "auth",
    "model_unavailable",
    "context_overflow",
    "refused",
    "empty",
    "truncated",
    "tool_loop",
    "invalid_output",
    "budget",
    "straggler",
    "cancelled",
]
"""Why a seat, the judge or the synthesizer gave no usable answer: a closed set."""

REASONS: tuple[Reason, ...] = get_args(Reason)

_CURES: dict[Reason, str] = {
    "rate_limited": "ask again in a minute, or configure fallbacks at another provider",
    "timeout": "ask a narrower question, or raise limits.seconds",
    "upstream_error": "ask again later, or configure fallbacks at another provider",
    "auth": "set the provider's key to a valid one with access to the model",
    "model_unavailable": "correct the model's name or address, or configure another model for the seat",
    "context_overflow": "shorten the question and its context",
    "refused": "put the question in other words, or configure models of other vendors",
    "empty": "ask again, or configure another model for the seat",
    "truncated": "ask a narrower question, or raise the seat's max_tokens",
    "tool_loop": "ask a narrower question, or raise max_tool_calls",
    "invalid_output": "ask again, or configure another model for the seat",
    "budget": "ask a narrower question, or raise the limit that is named",
    "straggler": "raise limits.grace_seconds, or limits.quorum",
    "cancelled": "ask again",
}
"""What a caller, or whoever configures the panel, can do about each reason."""

_NO_FUNDS = 402
"""The HTTP status of a provider whose account has run dry, which is no limit of the run's."""


_CLIENT_ERRORS = range(400, 500)
_PASSING = (408, 409, 425, 429)
"""The HTTP statuses of a request that the provider may take the next time, though it blames the request."""
NO_CONNECTION, NOT_SERVED, WRONG_FORM = "no connection to", "nothing is served at", "no answer in the form of"
"""What a failure's message says where the address is to blame; its own cure, which is surer, stands there too."""
IN_TRIAL = "in its trial: "
"""What the message of a failure begins with that happened in the trial before a model's first use."""


def cure_of(reason: Reason, status_code: int | None = None, message: str = "") -> str:
    """Return what to change after a failure, as a clause; empty where its message names the cure.

    Args:
        reason: Why the model gave no usable answer.
        status_code: The provider's HTTP status, `None` where there is none.
        message: The failure in one line.
    """
    if any(words in message for words in (NO_CONNECTION, NOT_SERVED, WRONG_FORM)):
        return ""
    if status_code == _NO_FUNDS:
        return "top up the account at the provider"
    is_refusal = status_code in _CLIENT_ERRORS and status_code not in _PASSING
    if reason == "upstream_error" and is_refusal:
        return "change the setting that the provider refuses, or configure another model for the seat"
    return _CURES[reason]


ToolReason: TypeAlias = Literal[
    "timeout",
    "unreachable",
    "refused",
    "rate_limited",
    "not_found",
    "no_results",
    "blocked",
    "unreadable",
    "budget",
    "unavailable",
    "out_of_memory",
    "error",
]
"""Why a tool could not do what it was called for: a closed set, since an error's own text may be a stranger's."""

TOOL_REASONS: tuple[ToolReason, ...] = get_args(ToolReason)


class FusionError(RuntimeError):
    """Base of every error that this package raises on purpose."""


class ConfigError(FusionError, ValueError):
    """A configuration that is wrong or incomplete.

    It is a `ValueError` too, so that pydantic reports one raised by a nested model at its place in the whole.

    Args:
        message: One line that names the cause and the cure.
        field: Dotted path of the offending field, `None` where no single field is at fault.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message if field is None else f"{field}: {message}")
        self.message, self.field = message, field


class PanelFailed(FusionError):  # noqa: N818 - the public name is part of the contract
    """A panel of which fewer than `limits.min_answers` seats answered.

    Args:
        failed_models: One row for each failed model: `stage`, `seat`, `model`, `reason`, `message`, `status_code`.
        usage: The bill so far, as the dict form of `Usage`; nothing paid for is hidden by the failure.
        answered: How many seats gave a usable answer.
        min_answers: How many were needed, `limits.min_answers`.
    """

    def __init__(
        self,
        failed_models: Sequence[dict[str, Any]],
        usage: dict[str, Any] | None = None,
        answered: int = 0,
        min_answers: int = 1,
    ) -> None:
        rows = "; ".join(f"{row['seat']} {row['reason']}: {row['message']}" for row in _distinct(failed_models))
        advice = (cure_of(row["reason"], row.get("status_code"), row["message"]) for row in failed_models)
        cures = "; ".join(dict.fromkeys(filter(None, advice)))
        found = f"{answered} of {min_answers} usable answers" if answered else "no usable answer"
        if answered:
            cures = f"{cures}; or lower limits.min_answers".removeprefix("; or ")
        super().__init__(f"{found} from the panel ({rows or 'no seat ran'}){f'; {cures}' if cures else ''}")
        self.failed_models = list(failed_models)
        self.usage, self.answered, self.min_answers = usage, answered, min_answers

    # By default an exception is pickled as its class and `args`, and `args` is the finished message alone: unpickled in
    # another process, the class would take the message for its first argument.
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.failed_models, self.usage, self.answered, self.min_answers)


def _distinct(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without those of a trial that failed as the seat itself did: one cause is told once."""
    causes = {(row["seat"], row["message"]) for row in rows}
    return [row for row in rows if (row["seat"], row["message"].partition(IN_TRIAL)[2]) not in causes]


class BudgetExceeded(FusionError):  # noqa: N818 - the public name is part of the contract
    """A limit that does not let a run make its first model calls.

    Args:
        kind: `"usd"`, `"tokens"` or `"seconds"`.
        value: What the cheapest possible run needs, in the kind's unit.
        limit: What was allowed, in the same unit; of several runs' limits what is left.
        limits: Which limits they are: `"limits"`, `"session_limits"` or, of an authenticated caller, `"usd_a_day"`.
    """

    def __init__(self, kind: str, value: float, limit: float, limits: str = "limits") -> None:
        least, name = _round_up(kind, value), f"{limits}.{kind}"
        if limits == "limits":
            words = f"the limit is {limit:g}; raise it to {least} or more, or configure fewer or cheaper seats"
        elif limits == "usd_a_day":
            name, words = limits, f"{limit:g} is left beside the caller's runs under way; days end at midnight in UTC"
        else:
            words = f"{limit:g} is left; raise it, or go on with the answers so far: no call will work before that"
        super().__init__(f"{name}: the run needs at least {least}, {words}")
        self.kind, self.value, self.limit, self.limits = kind, value, limit, limits

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.value, self.limit, self.limits)


def _round_up(kind: str, value: float) -> str:
    # Never down: whoever sets a limit to the figure that is named must not be refused again.
    return (
        f"{math.ceil(value * 10_000) / 10_000:.4f}".rstrip("0").rstrip(".") if kind == "usd" else f"{math.ceil(value)}"
    )


class SandboxUnavailable(FusionError):  # noqa: N818 - the public name is part of the contract
    """A sandboxed shell that was required and does not work on this machine."""


class BlockedAddress(FusionError):  # noqa: N818 - the public name is part of the contract
    """An address that must not be fetched: private, loopback, excluded, or not plain http(s)."""


class DatabaseUnavailable(FusionError):  # noqa: N818 - named as the others are
    """A shared database that cannot be reached or used.

    Args:
        cause: What went wrong, without a secret.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"the shared database cannot be used: {cause}")
        self.cause = cause

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cause,)


class RecursionRefused(FusionError):  # noqa: N818 - the public name is part of the contract
    """A fusion that was started from inside a fusion's own seat."""
