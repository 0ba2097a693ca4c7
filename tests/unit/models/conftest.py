"""No test of these waits: pauses between attempts are written down instead."""

import asyncio

import pytest


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
