"""Ask for a chat completion with OpenAI's client as it comes, whole and streamed: the base URL."""

import json
import sys
from collections.abc import Callable

from openai import OpenAI, OpenAIError

client = OpenAI(base_url=sys.argv[1], api_key="unused")
request = {"model": "fusion", "messages": [{"role": "user", "content": "Why?"}]}


def whole() -> str:
    return client.chat.completions.create(**request).choices[0].message.content


def stream() -> str:
    chunks = client.chat.completions.create(**request, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def outcome(ask: Callable[[], str]) -> dict[str, str]:
    try:
        return {"text": ask()}
    except OpenAIError as error:
        return {"error": str(error)}


print(json.dumps([outcome(whole), outcome(stream)]))
