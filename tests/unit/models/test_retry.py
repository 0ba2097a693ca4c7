"""Transient failures are tried again: as the provider asked, with jitter, never past the deadline."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from fusion_tool.models.call import CallFailed
from fusion_tool.models.retry import Again, retry_after, with_retries
from tests.scripted_server import Cut, faults
from tests.unit.models.models import account, asked, panelist

ATTEMPTS = 4


class ProviderError(Exception):
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
    provider = Provider(ProviderError(status), ProviderError(status))
    assert await with_retries(provider.send, deadline=soon()) == "the answer"
    assert provider.calls == 3
    assert len(pauses) == 2
    assert all(0 < pause <= 8 for pause in pauses)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410, 413, 422, 501, None])
async def test_a_lasting_failure_is_raised_at_once(pauses, status):
    provider = Provider(ProviderError(status))
    with pytest.raises(ProviderError):
        await with_retries(provider.send, deadline=soon())
    assert (provider.calls, pauses) == (1, [])


@pytest.mark.usefixtures("pauses")
async def test_the_last_failure_is_raised_as_it_is():
    provider = Provider(*(ProviderError(status) for status in (429, 500, 502, 503, 504)))
    with pytest.raises(ProviderError, match="status 503"):
        await with_retries(provider.send, deadline=soon())
    assert provider.calls == ATTEMPTS


async def test_the_pause_is_what_the_provider_asked_for(pauses):
    provider = Provider(ProviderError(429, 7), ProviderError(503, 0.25), ProviderError(429, 11))
    await with_retries(provider.send, deadline=soon())
    assert pauses == [7, 0.25, 11]


@pytest.mark.parametrize("asked_for", [61, 3600, 1e9, "inf"])
async def test_a_pause_past_the_deadline_is_not_made(pauses, asked_for):
    provider = Provider(ProviderError(429, asked_for))
    with pytest.raises(ProviderError):
        await with_retries(provider.send, deadline=soon(60))
    assert (provider.calls, pauses) == (1, [])


@pytest.mark.usefixtures("pauses")
async def test_no_attempt_starts_after_the_deadline():
    provider = Provider(ProviderError(500))
    with pytest.raises(ProviderError):
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
    assert retry_after(ProviderError(429, value)) == seconds


def test_the_header_may_be_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 < retry_after(ProviderError(429, later)) <= 90
    assert retry_after(ProviderError(429, "Wed, 21 Oct 2015 07:28:00 GMT")) == 0


def test_not_a_number_is_no_pause():
    assert retry_after(ProviderError(429, "nan")) in (0.0, None)


async def test_another_way_of_asking_waits_for_nothing(pauses):
    provider = Provider(Again(ProviderError(400)), Again(ProviderError(429, 7)))
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
    with pytest.raises(CallFailed):
        await asked(panelist(scripted), on_delta=deltas.append)
    assert deltas
    assert (scripted.counts["vendor/a"], pauses) == (1, [])


@pytest.mark.loopback
async def test_a_wait_longer_than_the_run_has_ends_it_at_once(scripted, pauses):
    scripted.otherwise(faults.rate_limited(3600))
    with pytest.raises(CallFailed) as caught:
        await asked(panelist(scripted), seconds=30)
    assert caught.value.fault.reason == "rate_limited"
    assert (scripted.counts["vendor/a"], pauses) == (1, [])
