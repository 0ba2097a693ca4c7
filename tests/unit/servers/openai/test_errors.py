"""Errors as clients are told of them."""

import asyncio
import json
import re

import pytest

from fusion_tool import BudgetExceeded, ConfigError, PanelFailed, RecursionRefused, SandboxUnavailable
from fusion_tool.servers.openai.errors import ApiError, answer_restarted, to_api_error

ROW = {"seat": "a", "model": "m:a", "reason": "auth", "message": "no key", "status_code": 401}
ERRORS = [
    (ApiError("no", status=418, code="teapot"), 418, "teapot", None),
    (ApiError("no place", status=429, code="rate_limit_exceeded"), 429, "rate_limit_exceeded", None),
    (BudgetExceeded("usd", 2, 1), 402, "budget_exceeded", "limits.usd"),
    (ConfigError("is wrong", field="limits.usd"), 400, "invalid_setting", "limits.usd"),
    (RecursionRefused("once is enough"), 400, "recursion_refused", None),
    (SandboxUnavailable("no bwrap"), 503, "unavailable", None),
    (asyncio.CancelledError(), 503, "shutting_down", None),
    (KeyError("secret"), 503, "internal_error", None),
]


@pytest.mark.parametrize(("error", "status", "code", "param"), ERRORS)
def test_before_a_model_was_asked_each_error_has_its_status_its_code_and_its_field(error, status, code, param):
    told = to_api_error(error)
    body = told.body["error"]
    assert (told.status, body["code"], body["param"]) == (status, code, param)
    assert body["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert told.headers.get("Retry-After") == ("5" if status in {429, 503} else None)


@pytest.mark.parametrize("error", [error for error, *_ in ERRORS])
def test_once_a_model_was_asked_no_error_is_one_that_clients_repeat(error):
    told = to_api_error(error, has_begun=True)
    assert (told.status, told.headers) == (400, {"x-should-retry": "false"})
    assert told.body["error"]["type"] == "invalid_request_error"


def test_an_unexpected_error_tells_nothing_of_itself(caplog):
    assert "sk-or-v1" not in str(to_api_error(RuntimeError("sk-or-v1-0123456789")).body)
    assert "a request failed unexpectedly" in caplog.text


def test_a_failed_panel_names_every_seat_and_is_never_asked_again():
    told = to_api_error(PanelFailed([ROW, ROW | {"seat": "b"}], {"cost_usd": 0.5}))
    assert [row["seat"] for row in told.body["error"]["failed_models"]] == ["a", "b"]
    assert told.body["error"]["usage"] == {"cost_usd": 0.5}
    assert (told.status, told.headers["x-should-retry"]) == (400, "false")


@pytest.mark.parametrize(
    "message", ["Rate limit reached", "rate-limited upstream", "RateLimitError", "A timeout occurred"]
)
def test_no_word_of_a_failed_panel_makes_litellm_ask_again(message):
    body = json.dumps(to_api_error(PanelFailed([ROW | {"reason": "rate_limited", "message": message}])).body)
    assert not re.search(r"rate[\s_-]*limit|A timeout occurred", body, re.IGNORECASE)
    assert '"reason": "throttled"' in body


def test_the_whole_answer_in_an_error_is_left_as_it_is():
    error = to_api_error(answer_restarted("The rate limit is 5.", {}), has_begun=True)
    assert error.body["error"]["answer"] == "The rate limit is 5."
