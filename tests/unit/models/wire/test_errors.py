"""What an error says, wherever it stands in the reply."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.models.wire.errors import ErrorCause, error_cause, error_under_200

OVERFLOW = "This model's maximum context length is 131072 tokens"


def openrouter(raw, code=400, **metadata):
    error = {"message": "Provider returned error", "code": code, "metadata": {"raw": raw, **metadata}}
    return {"error": error}


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (
            400,
            {"error": {"message": "wrong", "type": "invalid_request_error", "code": "unsupported_parameter"}},
            ("wrong", 400, "unsupported_parameter"),
        ),
        (400, openrouter(json.dumps({"error": {"message": OVERFLOW}}), provider_name="X"), (OVERFLOW, 400, None, "X")),
        (400, openrouter(json.dumps(json.dumps({"error": {"message": OVERFLOW}}))), (OVERFLOW, 400)),
        (502, openrouter({"error": {"message": OVERFLOW, "type": "invalid"}}, 502), (OVERFLOW, 502, "invalid")),
        (
            429,
            openrouter("m:free is rate-limited upstream", 429, provider_name="X"),
            ("m:free is rate-limited upstream", 429, None, "X"),
        ),
        (502, openrouter("<html><title>502 Bad Gateway</title></html>", 502), ("502 Bad Gateway", 502)),
        (400, openrouter(None), ("Provider returned error", 400)),
        (400, openrouter("ERROR"), ("Provider returned error", 400)),
        (
            403,
            {
                "error": {
                    "message": "It was flagged",
                    "code": 403,
                    "metadata": {"reasons": ["violence"], "provider_name": "X"},
                }
            },
            ("It was flagged", 403, None, "X"),
        ),
        (
            400,
            [{"error": {"code": 400, "message": "Use a valid role", "status": "INVALID_ARGUMENT"}}],
            ("Use a valid role", 400, "INVALID_ARGUMENT"),
        ),
        (
            400,
            {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400},
            ("too long", 400, "BadRequestError"),
        ),
        (400, {"object": "error", "message": "wrong role", "code": "3230"}, ("wrong role", 400)),
        (503, {"detail": "Service overloaded"}, ("Service overloaded", 503)),
        (
            422,
            {"detail": [{"loc": ["body", "messages", 0], "msg": "field required"}]},
            ("body.messages.0: field required", 422),
        ),
        (400, {"detail": {"error": {"message": "wrong"}}}, ("wrong", 400)),
        (500, {"error": "model runner has crashed"}, ("model runner has crashed", 500)),
        (400, {"errors": [{"message": "wrong", "code": 7003}]}, ("wrong", 400)),
        (400, {"errors": ["wrong"]}, ("wrong", 400)),
        (502, {"message": "Bad Gateway here"}, ("Bad Gateway here", 502)),
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            ("Overloaded", 529, "overloaded_error"),
        ),
        (400, {"error": {"message": {"detail": "deep"}}}, ("deep", 400)),
        (400, {"error": {"message": None}}, ("HTTP 400 Bad Request", 400)),
        (400, {"error_description": "expired"}, ("expired", 400)),
        (
            400,
            'litellm.BadRequestError: OpenAIException - {"error": {"message": "wrong"}}',
            ("wrong", 400, None, "OpenAI"),
        ),
        (400, "Error code: 400 - {'error': {'message': 'wrong', 'code': 'x'}}", ("wrong", 400, "x")),
        (400, 'data: {"error": {"message": "wrong", "code": 502}}\n\ndata: [DONE]\n\n', ("wrong", 400)),
        (
            503,
            "upstream connect\n\x1b[31merror\x1b[0m\u202e or\x00disconnect",
            ("upstream connect error or disconnect", 503),
        ),
        (
            502,
            "<!DOCTYPE html><html><head><style>a{}</style></head><body><h1>Bad&nbsp;gateway</h1></body></html>",
            ("Bad gateway", 502),
        ),
        (400, "<html><head><title>400 Bad Request</title></head><body>nginx</body></html>", ("400 Bad Request", 400)),
        (503, "", ("HTTP 503 Service Unavailable", 503)),
        (599, b"\xff", ("\ufffd", 599)),
        (599, None, ("HTTP 599", 599)),
        (None, None, ("an error without a message", None)),
        (200, {"error": {"message": "Rate limit exceeded", "code": "429"}}, ("Rate limit exceeded", 429)),
        (200, {"error": {"message": "Rate limit exceeded", "code": 429}}, ("Rate limit exceeded", 429)),
        (200, {"choices": [{"error": {"message": "idle", "code": 504}, "message": {"content": "The"}}]}, ("idle", 504)),
        (200, {"object": "error", "message": OVERFLOW, "code": 400}, (OVERFLOW, 400)),
    ],
)
def test_the_provider_s_own_sentence_is_found(status, body, cause):
    wanted = ErrorCause(*cause)
    assert error_cause(status, {}, body) == wanted
    if isinstance(body, dict | list):
        text = json.dumps(body)
        assert error_cause(status, {"content-type": "application/json"}, text) == wanted
        assert error_cause(status, {}, text.encode()) == wanted


def test_a_page_is_told_by_its_header_as_well():
    assert error_cause(502, {"content-type": "text/html"}, "<p>gone <b>away</b></p>").message == "gone away"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "wrong"}},
        [{"error": {"message": "wrong"}}],
        {"error": "wrong"},
        {"object": "error", "message": "wrong"},
        {"detail": "wrong"},
        {"message": "wrong", "choices": None},
        {"choices": [], "error": {"message": "wrong"}},
        {"choices": [{"error": {"message": "wrong"}, "finish_reason": "error"}]},
    ],
)
def test_an_error_under_200_is_one(body):
    assert error_under_200({}, json.dumps(body)) == ErrorCause("wrong")


@pytest.mark.parametrize(
    "body",
    [
        {"choices": []},
        {"choices": [{"delta": {"content": "x"}}], "error": None},
        {"choices": [{"message": {"content": "x"}, "error": None}]},
        {"choices": [], "usage": {"total_tokens": 1}},
        {"error": {}},
        {},
        [],
        5,
        "pong",
    ],
)
def test_a_reply_is_no_error(body):
    assert error_under_200({}, json.dumps(body)) is None


def test_a_sentence_is_one_line_of_bounded_length():
    long = error_cause(400, {}, {"error": {"message": "x" * 5000}}).message
    assert (len(long), long[-1]) == (300, "…")


bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just('{"error": "x"}'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "metadata", "raw", "code", "detail", "choices", "provider_name", "loc", "msg"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.none() | st.integers(100, 700), bodies)
def test_whatever_comes_there_is_a_message(status, body):
    cause = error_cause(status, {}, body)
    assert cause.message
    assert "\n" not in cause.message
    assert len(cause.message) <= 300
    cause.message.encode()
    error_under_200({}, body)
