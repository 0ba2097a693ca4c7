"""One tree of errors; each says in one line what is wrong."""

import pickle

import pytest

from fusion_tool import errors
from fusion_tool.errors import BudgetExceeded, ConfigError, FusionError, PanelFailed

ROW = {"seat": "a", "model": "x:a", "reason": "auth", "message": "no key", "status_code": 401}
FAULT = {"seat": "a", "model": "x:a", "reason": "upstream_error", "message": "busy", "status_code": None}
OTHER_SETTING = "change the setting that the provider refuses, or configure another model for the seat"
KEY = "set the provider's key to a valid one with access to the model"


def test_every_error_is_a_fusion_error():
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(kinds) == 8
    assert all(issubclass(kind, FusionError) for kind in kinds)


def test_the_reasons_are_a_closed_set():
    assert errors.REASONS == (
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
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("is empty"), "is empty"),
        (ConfigError("is empty", field="question"), "question: is empty"),
        (PanelFailed([ROW]), f"no usable answer from the panel (a auth: no key); {KEY}"),
        (
            PanelFailed([ROW, {**ROW, "seat": "b"}]),
            f"no usable answer from the panel (a auth: no key; b auth: no key); {KEY}",
        ),
        *(
            (PanelFailed([FAULT | row]), f"no usable answer from the panel (a upstream_error: {said}){cure}")
            for row, said, cure in (
                ({}, "busy", "; ask again later, or configure fallbacks at another provider"),
                ({"status_code": 400, "message": "no 'x'"}, "no 'x'", f"; {OTHER_SETTING}"),
                ({"message": "no connection to h (x); start it"}, "no connection to h (x); start it", ""),
                ({"message": "nothing is served at h: y"}, "nothing is served at h: y", ""),
                ({"message": "no answer in the form of z"}, "no answer in the form of z", ""),
                ({"status_code": 402}, "busy", "; top up the account at the provider"),
            )
        ),
        (
            PanelFailed([{**ROW, "message": f"in its trial: {ROW['message']}"}, ROW]),
            f"no usable answer from the panel (a auth: no key); {KEY}",
        ),
        (PanelFailed([]), "no usable answer from the panel (no seat ran)"),
        (
            PanelFailed([ROW], None, 1, 2),
            f"1 of 2 usable answers from the panel (a auth: no key); {KEY}; or lower limits.min_answers",
        ),
        (
            BudgetExceeded("usd", 0.50001, 0.1),
            (
                "limits.usd: the run needs at least 0.5001, the limit is 0.1; raise it to 0.5001 or more, or configure "
                "fewer or cheaper seats"
            ),
        ),
        (
            BudgetExceeded("tokens", 1_234_567.2, 1000, "session_limits"),
            (
                "session_limits.tokens: the run needs at least 1234568, 1000 is left; raise it, or go on with the "
                "answers so far: no call will work before that"
            ),
        ),
    ],
)
def test_an_error_is_one_line(error, text):
    assert str(error) == text


def test_errors_carry_what_a_program_needs():
    assert ConfigError("m", field="a.b").field == "a.b"
    assert isinstance(ConfigError("m"), ValueError)
    failed = PanelFailed([ROW], {"cost_usd": 0.1})
    assert (failed.failed_models, failed.usage) == ([ROW], {"cost_usd": 0.1})
    exceeded = BudgetExceeded("tokens", 20, 10)
    assert (exceeded.kind, exceeded.value, exceeded.limit) == ("tokens", 20, 10)


@pytest.mark.parametrize(
    "error", [ConfigError("m", field="f"), PanelFailed([ROW], {"cost_usd": 1}, 1, 2), BudgetExceeded("usd", 2, 1)]
)
def test_errors_survive_being_pickled(error):
    """Process pools and the Agent Server hand errors over this way."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
