"""Plain HTTP for these tests."""

import json
import ssl
from functools import partial

import httpx

# Reading the certificates takes longer than most of these tests; nothing here speaks TLS.
PLAIN = {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "trust_env": False}
get = partial(httpx.get, **PLAIN)
post = partial(httpx.post, **PLAIN)

USER = [{"role": "user", "content": "What is a quorum?"}]
TOOL = {"type": "function", "function": {"name": "web_search", "parameters": {"type": "object"}}}


def ask(server, model="vendor/a", **body):
    return post(f"{server.url}/chat/completions", json={"model": model, "messages": USER} | body, timeout=5)


def said(server, model="vendor/a", **body):
    return ask(server, model, **body).json()["choices"][0]["message"]["content"]


def streamed(server, model="vendor/a", **body):
    """The parsed events of a streamed answer, its comments and whether it ended as it should."""
    lines = [line for line in ask(server, model, stream=True, **body).text.splitlines() if line]
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    comments = [line for line in lines if line.startswith(":")]
    return [json.loads(event) for event in data if event != "[DONE]"], comments, data[-1:] == ["[DONE]"]
