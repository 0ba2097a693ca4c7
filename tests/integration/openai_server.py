"""The OpenAI-compatible server on a loopback port, as a `with` block, and OpenAI's own clients for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openai import AsyncOpenAI, OpenAI

from fusion_tool import FusionConfig
from fusion_tool.servers.app import Options, create_app
from tests.scripted_server.loopback import Loopback


@contextmanager
def served(config: FusionConfig, **options: Any) -> Iterator[str]:
    """The base URL of a running server."""
    loopback = Loopback(create_app(Options(config, **options))).start()
    try:
        yield f"{loopback.root}/v1"
    finally:
        loopback.stop()


def client(url: str, key: str = "unused", **options: Any) -> OpenAI:
    return OpenAI(base_url=url, api_key=key, **({"max_retries": 0} | options))


def async_client(url: str, key: str = "unused", **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=url, api_key=key, **({"max_retries": 0} | options))


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}
