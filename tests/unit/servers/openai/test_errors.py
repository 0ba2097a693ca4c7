"""Errors as clients are told of them."""

import asyncio

import pytest

from fusion_tool import BudgetExceeded, ConfigError, PanelFailed, RecursionRefused, SandboxUnavailable
from fusion_tool.servers.openai.errors import ApiError, to_api_error

ROW = {"seat": "a", "model": "m:a", "reason": "auth", "message": "no key", "status_code": 401}


@pytest.mark.parametrize(
    ("error", "status", "code", "param"),
    [
        (ApiError("no", status=418, code="teapot"), 418, "teapot", None),
        (PanelFailed([ROW]), 502, "panel_failed", None),
        (BudgetExceeded("usd", 2, 1), 402, "budget_exceeded", "limits.usd"),
        (ConfigError("is wrong", field="limits.usd"), 400, "invalid_setting", "limits.usd"),
        (RecursionRefused("once is enough"), 400, "recursion_refused", None),
        (SandboxUnavailable("no bwrap"), 500, "unavailable", None),
        (asyncio.CancelledError(), 503, "shutting_down", None),
        (KeyError("secret"), 500, None, None),
    ],
)
def test_each_error_has_its_status_its_code_and_its_field(error, status, code, param):
    told = to_api_error(error)
    body = told.body["error"]
    assert (told.status, body["code"], body["param"]) == (status, code, param)
    assert body["type"] == ("server_error" if status >= 500 else "invalid_request_error")


def test_an_unexpected_error_tells_nothing_of_itself(caplog):
    assert "sk-or-v1" not in str(to_api_error(RuntimeError("sk-or-v1-0123456789")).body)
    assert "a request failed unexpectedly" in caplog.text


def test_a_failed_panel_names_every_seat_and_is_not_paid_for_again():
    told = to_api_error(PanelFailed([ROW, ROW | {"seat": "b"}], {"cost_usd": 0.5}))
    assert [row["seat"] for row in told.body["error"]["failed_models"]] == ["a", "b"]
    assert told.body["error"]["usage"] == {"cost_usd": 0.5}
    assert told.headers["x-should-retry"] == "false"
