"""No test of these waits: pauses between attempts are written down instead, and certificates are not read."""

import asyncio
import ssl

import httpx2
import pytest


@pytest.fixture(autouse=True)
def no_certificates(monkeypatch):
    """Reading the CAs for each test's loop takes longer than the test; nothing here speaks TLS."""
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.fixture
def pauses(monkeypatch):
    """The seconds of each pause that would have been made."""
    made = []
    sleep = asyncio.sleep

    async def noted(seconds, result=None):
        if seconds > 0:
            made.append(seconds)
        return await sleep(0, result)

    monkeypatch.setattr(asyncio, "sleep", noted)
    return made
