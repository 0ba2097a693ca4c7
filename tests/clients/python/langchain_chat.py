"""Ask for a chat completion with langchain-openai as it comes, whole and streamed: the base URL."""

import json
import sys
from collections.abc import Callable

from langchain_openai import ChatOpenAI
from openai import OpenAIError

model = ChatOpenAI(base_url=sys.argv[1], api_key="unused", model="fusion", use_responses_api=False)


def outcome(ask: Callable[[], str]) -> dict[str, str]:
    try:
        return {"text": ask()}
    except OpenAIError as error:
        return {"error": str(error)}


def stream() -> str:
    return "".join(str(chunk.text) for chunk in model.stream("Why?"))


print(json.dumps([outcome(lambda: str(model.invoke("Why?").text)), outcome(stream)]))
