"""The clients that these tests talk through."""

import openai
import pytest


@pytest.fixture
async def client(scripted):
    async with openai.AsyncOpenAI(base_url=scripted.url, api_key="sk-test", max_retries=0, timeout=5) as client:
        yield client
