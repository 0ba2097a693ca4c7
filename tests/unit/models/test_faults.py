"""From whatever a provider does to one of the closed set of reasons.

Transient failures are tried again: as the provider asked, with jitter, never past the deadline.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import get_args

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.config.keys import scrub
from fusion_tool.errors import REASONS
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.faults import AskOtherwiseError, ProviderReplyError, retry_after, to_fault, with_retries
from fusion_tool.models.wire.errors import error_cause, error_under_200
from tests.scripted_server import Cut, Hang, Interrupted, Raw, Reply, faults
from tests.unit.models.models import account, asked, panelist

REQUEST = httpx.Request("POST", "https://provider.example/v1")
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


class ProviderError(Exception):
    """An error as any provider's package may raise it."""

    def __init__(self, message="wrong", status_code=None, body=None):
        super().__init__(message)
        self.status_code, self.body = status_code, body


async def fate(one, *, stream, seconds=5.0):
    """The fault of a call that fails, and the bill's rows that it left."""
    bill = account(one)
    with pytest.raises(ModelCallError) as caught:
        await asked(one, seconds=seconds, on=bill, on_delta=(lambda _: None) if stream else None)
    return caught.value.fault, bill.rows


@BOTH
@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("says", "fate_of"),
    [
        (faults.rate_limited(), ("rate_limited", 429)),
        (faults.server_error(), ("upstream_error", 500)),
        (faults.bad_gateway(), ("upstream_error", 502)),
        (faults.overloaded(), ("upstream_error", 503)),
        (faults.html(503), ("upstream_error", 503)),
        (faults.unauthorized(), ("auth", 401)),
        (faults.http_error(403, "Not allowed"), ("auth", 403)),
        (faults.no_credit(), ("budget", 402)),
        (faults.flagged(), ("refused", 403)),
        (faults.withdrawn("vendor/a"), ("model_unavailable", 404)),
        (faults.http_error(400, "vendor/a is not a valid model ID"), ("model_unavailable", 400)),
        (faults.http_error(410, "gone"), ("model_unavailable", 410)),
        (faults.http_error(408, "too slow"), ("timeout", 408)),
        (faults.http_error(413, "request entity too large"), ("context_overflow", 413)),
        *((faults.context_overflow(vendor), ("context_overflow", 400)) for vendor in get_args(faults.Vendor)),
        (Raw(b"teapot", status=418), ("upstream_error", 418)),
        (Cut(after=0), ("upstream_error", None)),
        (Cut(), ("upstream_error", None)),
        (faults.garbage(), ("upstream_error", None)),
        (faults.html(), ("upstream_error", None)),
        (Interrupted(code="server_error"), ("upstream_error", None)),
        (Interrupted(code=502), ("upstream_error", 502)),
        (Interrupted(code=429), ("rate_limited", 429)),
        (Reply(""), ("empty", None)),
        (Reply("<think>never closed"), ("empty", None)),
        (faults.no_choices(), ("empty", None)),
        (Reply(refusal="I can't help with that."), ("refused", None)),
        (Reply("x", finish_reason="content_filter"), ("refused", None)),
        (Reply("", finish_reason="length"), ("truncated", None)),
        (Reply("x", finish_reason="error"), ("upstream_error", None)),
    ],
)
async def test_what_each_failure_of_a_provider_is(scripted, says, fate_of, stream):
    scripted.otherwise(says)
    fault, _ = await fate(panelist(scripted), stream=stream)
    assert (fault.reason, fault.status_code) == fate_of
    assert fault.message
    assert "\n" not in fault.message
    assert not [word for word in ("{'", "list index", "object has no") if word in fault.message]


@pytest.mark.parametrize(
    ("reason", "status", "body"),
    [
        ("context_overflow", 400, {"error": {"message": "Prompt exceeds max length", "code": "1261"}}),
        ("context_overflow", 400, {"error": {"message": "Range of input length should be [1, 129024]"}}),
        ("context_overflow", 400, {"error": {"message": "max_tokens must be at least 1, got -4904."}}),
        ("context_overflow", 422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096"}),
        ("context_overflow", 200, {"error": "Cannot truncate prompt with n_keep (9000) >= n_ctx (4096)"}),
        ("context_overflow", 200, {"error_code": 336007, "error_msg": "the max input characters is 20000"}),
        ("context_overflow", 400, [{"error": {"message": "The input token count exceeds the maximum"}}]),
        ("auth", 400, [{"error": {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}}]),
        ("auth", 400, {"code": "invalid argument", "error": "Incorrect API key provided: sk***"}),
        ("auth", 200, {"success": False, "message": "Invalid token"}),
        ("auth", 200, {"choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail: no secret"}}),
        ("budget", 429, {"error": {"message": "Insufficient balance. Please recharge.", "code": "1113"}}),
        ("budget", 429, {"error": {"message": "suspended", "type": "exceeded_current_quota_error"}}),
        ("budget", 400, {"error": {"message": "Your credit balance is too low to access the API."}}),
        ("budget", 403, {"error": "Your team doesn't have any credits yet."}),
        ("budget", 400, {"error": {"message": "Access denied", "code": "Arrearage"}}),
        ("model_unavailable", 400, {"error": {"message": "Model Not Exist"}}),
        ("model_unavailable", 400, {"object": "error", "message": "Invalid model: m", "type": "invalid_model"}),
        ("model_unavailable", 400, {"message": "The provided model identifier is invalid."}),
        ("refused", 400, {"code": "DataInspectionFailed", "message": "Input data may contain it."}),
        ("refused", 400, {"error": {"code": "1301", "message": "potentially unsafe or sensitive content in input"}}),
        (
            "rate_limited",
            429,
            [{"error": {"message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}}],
        ),
        ("rate_limited", 200, {"error": {"message": "Not now", "status": "RESOURCE_EXHAUSTED"}}),
        ("rate_limited", 200, {"statusCode": 429, "error": "Too Many Requests", "message": "Retry in 1 minute"}),
    ],
)
def test_vendors_say_one_thing_in_many_words(reason, status, body):
    cause = error_cause(status, {}, body) if status != HTTPStatus.OK else error_under_200({}, body)
    assert to_fault(ProviderReplyError(cause)).reason == reason


@BOTH
@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("says", "attempts"),
    [
        (Raw(b'{"error": {"message": "Not now", "type": "overloaded_error"}}'), 4),
        (Raw(b'{"error": {"message": "Not now", "code": "rate_limit_exceeded"}}'), 4),
        (Raw(b"Too many requests, slow down", content_type="text/plain"), 4),
        (Raw(b'{"error": {"message": "Invalid token"}}'), 1),
        (Raw(b'{"error": {"message": "Quota", "code": "insufficient_quota"}}', status=429), 1),
    ],
)
async def test_what_passes_is_tried_again_whatever_its_status(scripted, says, attempts, stream):
    scripted.otherwise(says)
    await fate(panelist(scripted), stream=stream)
    assert scripted.counts["vendor/a"] == attempts


@BOTH
@pytest.mark.loopback
async def test_time_over_is_a_timeout_and_leaves_the_wire(scripted, stream):
    scripted.otherwise(Hang())
    fault, rows = await fate(panelist(scripted), stream=stream, seconds=0.2)
    assert fault.reason == "timeout"
    assert fault.message != "TimeoutError"
    assert [(row.input_tokens, row.cost_usd) for row in rows] == [(None, None)]
    await scripted.until(lambda: scripted.disconnects)


@BOTH
@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("says", "rows"),
    [
        (faults.rate_limited(), 0),
        (faults.unauthorized(), 0),
        (faults.withdrawn("vendor/a"), 0),
        (Cut(), (4, 1)),  # a stream that has begun is not begun again
        (Cut(after=0), 4),
        (faults.garbage(), 1),
        (Reply(""), 1),
        (Interrupted(code=502), (4, 1)),
        (Interrupted(code=502, after=0), 4),
        (Interrupted(code="server_error"), 1),
    ],
)
async def test_only_what_was_turned_away_is_surely_free(scripted, says, rows, stream):
    scripted.otherwise(says)
    _, bill = await fate(panelist(scripted), stream=stream)
    assert len(bill) == (rows if isinstance(rows, int) else rows[stream])
    assert len(bill) in (0, scripted.counts["vendor/a"])


class AnsweredError(ProviderError):
    """An error of a package that keeps the response, as Anthropic's and Google's do."""

    def __init__(self, status_code, own=None, body=None):
        super().__init__(status_code=own, body=body)
        self.response = httpx.Response(status_code, request=REQUEST)


@pytest.mark.parametrize(
    ("error", "status", "is_free"),
    [
        (AnsweredError(429), 429, True),
        (AnsweredError(503, own=503), 503, True),
        (AnsweredError(200, own=200), None, False),  # Anthropic's error event amid a stream
        (AnsweredError(200, own=200, body={"code": 529}), 529, False),
        (AnsweredError(200), None, False),
        (ProviderError(body={"code": 502}), 502, False),
    ],
)
def test_an_error_under_200_may_have_been_charged(error, status, is_free):
    fault = to_fault(error)
    assert (fault.status_code, fault.may_be_charged) == (status, not is_free)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "timeout"),
        (openai.APITimeoutError(REQUEST), "timeout"),
        (httpx.ReadTimeout("slow", request=REQUEST), "timeout"),
        (httpx.ConnectTimeout("slow", request=REQUEST), "timeout"),
        (httpx.ConnectError("no route", request=REQUEST), "upstream_error"),
        (openai.APIConnectionError(request=REQUEST), "upstream_error"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyError("x"), "upstream_error"),
        (ProviderError(status_code=429), "rate_limited"),
        (ProviderError("maximum context length is 10"), "context_overflow"),
        (ProviderError("too many input tokens", 422), "context_overflow"),
        (ProviderError("the model was decommissioned", 400), "model_unavailable"),
        (ProviderError("content management policy", 400), "refused"),
        (ProviderError("blocked for safety", 500), "upstream_error"),
        (ProviderError("wrong", None, {"code": 402}), "budget"),
        (ProviderError("wrong", None, {"code": "402"}), "budget"),
        (ProviderError("wrong", 529), "upstream_error"),
    ],
)
def test_an_exceptions_reason(error, reason):
    assert to_fault(error).reason == reason


@pytest.mark.parametrize(
    "name", ["ModelRateLimitError", "ModelTimeoutError", "ModelAuthenticationError", "ModelNotFoundError"]
)
def test_langchains_own_errors_are_known(name):
    from langchain_core import exceptions

    expected = {"Rate": "rate_limited", "Time": "timeout", "Auth": "auth", "NotF": "model_unavailable"}
    error = getattr(exceptions, name)("it failed")
    assert to_fault(error).reason == expected[name.removeprefix("Model")[:4]]


@given(st.text(), st.none() | st.integers(100, 599), st.none() | st.dictionaries(st.text(max_size=7), st.integers()))
def test_every_error_has_a_reason_of_the_closed_set_and_one_short_line(message, status, body):
    fault = to_fault(ProviderError(message, status, body))
    assert fault.reason in REASONS
    assert 0 < len(fault.message) <= 300
    assert len(fault.message.splitlines()) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-or-v1-0123456789abcdef0123456789abcdef",
        "sk-ant-api03-abcdefghijklmnop",
        "tvly-dev-abcdefghijkl123",
        "gsk_abcdefghijklmnop1234",
        "AIzaSyA1234567890abcdefghijk",
        "xai-abcdefghijklmnopqrst",
        "hf_abcdefghijklmnopqrst",
        "Bearer abc.def.ghi",
    ],
)
def test_no_message_repeats_a_key(secret):
    told = to_fault(ProviderError(f"Incorrect API key provided: {secret}.", 401)).message
    assert secret.split()[-1][:14] not in told
    assert "[secret]" in told


@pytest.mark.parametrize("harmless", ["a risk-based-approach", "the keyboard", "skip this", "hf", "monkey_business_ok"])
def test_ordinary_words_stay(harmless):
    assert scrub(harmless) == harmless


ATTEMPTS = 4


class RetryProviderError(Exception):
    """An error with a status and perhaps the header."""

    def __init__(self, status_code=None, retry_after=None):
        super().__init__(f"status {status_code}")
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.status_code, self.response = status_code, httpx.Response(status_code or 200, headers=headers)


class Provider:
    """Fails with each of `errors`, then answers."""

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), 0

    async def send(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "the answer"


def soon(seconds=60.0):
    return time.monotonic() + seconds


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529])
async def test_a_passing_failure_passes(pauses, status):
    provider = Provider(RetryProviderError(status), RetryProviderError(status))
    assert await with_retries(provider.send, deadline=soon()) == "the answer"
    assert provider.calls == 3
    assert len(pauses) == 2
    assert all(0 < pause <= 8 for pause in pauses)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410, 413, 422, 501, None])
async def test_a_lasting_failure_is_raised_at_once(pauses, status):
    provider = Provider(RetryProviderError(status))
    with pytest.raises(RetryProviderError):
        await with_retries(provider.send, deadline=soon())
    assert (provider.calls, pauses) == (1, [])


@pytest.mark.usefixtures("pauses")
async def test_the_last_failure_is_raised_as_it_is():
    provider = Provider(*(RetryProviderError(status) for status in (429, 500, 502, 503, 504)))
    with pytest.raises(RetryProviderError, match="status 503"):
        await with_retries(provider.send, deadline=soon())
    assert provider.calls == ATTEMPTS


async def test_the_pause_is_what_the_provider_asked_for(pauses):
    provider = Provider(RetryProviderError(429, 7), RetryProviderError(503, 0.25), RetryProviderError(429, 11))
    await with_retries(provider.send, deadline=soon())
    assert pauses == [7, 0.25, 11]


@pytest.mark.parametrize("asked_for", [61, 3600, 1e9, "inf"])
async def test_a_pause_past_the_deadline_is_not_made(pauses, asked_for):
    provider = Provider(RetryProviderError(429, asked_for))
    with pytest.raises(RetryProviderError):
        await with_retries(provider.send, deadline=soon(60))
    assert (provider.calls, pauses) == (1, [])


@pytest.mark.usefixtures("pauses")
async def test_no_attempt_starts_after_the_deadline():
    provider = Provider(RetryProviderError(500))
    with pytest.raises(RetryProviderError):
        await with_retries(provider.send, deadline=time.monotonic() - 1)
    assert provider.calls == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("soon", None),
        ("", None),
        ("Wed, 99 Foo", None),
        (None, None),
    ],
)
def test_the_header_is_read(value, seconds):
    assert retry_after(RetryProviderError(429, value)) == seconds


def test_the_header_may_be_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 < retry_after(RetryProviderError(429, later)) <= 90
    assert retry_after(RetryProviderError(429, "Wed, 21 Oct 2015 07:28:00 GMT")) == 0


def test_not_a_number_is_no_pause():
    assert retry_after(RetryProviderError(429, "nan")) in (0.0, None)


async def test_another_way_of_asking_waits_for_nothing(pauses):
    provider = Provider(AskOtherwiseError(RetryProviderError(400)), AskOtherwiseError(RetryProviderError(429, 7)))
    assert await with_retries(provider.send, deadline=soon()) == "the answer"
    assert (provider.calls, pauses) == (3, [])


@pytest.mark.parametrize("error", [None, ValueError("x")])
def test_errors_without_headers_ask_for_nothing(error):
    assert retry_after(error) is None


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "trouble", [faults.rate_limited(2), faults.server_error(), faults.overloaded(), faults.bad_gateway(), Cut(after=0)]
)
async def test_a_real_provider_in_trouble_twice_then_fine(scripted, pauses, trouble, stream):
    scripted.reply("vendor/a", trouble, trouble, "In 1861.")
    one, deltas = panelist(scripted), []
    bill = account(one)
    reply = await asked(one, on=bill, on_delta=deltas.append if stream else None)
    assert reply.text == "In 1861."
    assert scripted.counts == {"vendor/a": 3}
    assert len(bill.rows) == (3 if isinstance(trouble, Cut) else 1)  # nobody knows what became of a dropped request
    assert "".join(deltas) == ("In 1861." if stream else "")
    if trouble == faults.rate_limited(2):
        assert pauses == [2, 2]


@pytest.mark.loopback
async def test_text_that_was_shown_is_not_asked_for_again(scripted, pauses):
    scripted.reply("vendor/a", Cut(after=2), "In 1861.")
    deltas = []
    with pytest.raises(ModelCallError):
        await asked(panelist(scripted), on_delta=deltas.append)
    assert deltas
    assert (scripted.counts["vendor/a"], pauses) == (1, [])


@pytest.mark.loopback
async def test_a_wait_longer_than_the_run_has_ends_it_at_once(scripted, pauses):
    scripted.otherwise(faults.rate_limited(3600))
    with pytest.raises(ModelCallError) as caught:
        await asked(panelist(scripted), seconds=30)
    assert caught.value.fault.reason == "rate_limited"
    assert (scripted.counts["vendor/a"], pauses) == (1, [])
