"""Ask for a chat completion with litellm, whole and streamed, by itself and through its router: the base URL."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable
from typing import Any

from openai import OpenAIError

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # before the import, which would fetch one
import litellm

target = {"model": "openai/fusion", "api_base": sys.argv[1], "api_key": "unused"}
messages = [{"role": "user", "content": "Why?"}]
router = litellm.Router([{"model_name": "fusion", "litellm_params": target}], num_retries=3)


async def text_of(reply: Awaitable[Any]) -> str:
    return (await reply).choices[0].message.content


async def streamed_text(reply: Awaitable[Any]) -> str:
    return "".join([chunk.choices[0].delta.content or "" async for chunk in await reply])


async def outcome(text: Awaitable[str]) -> dict[str, str]:
    try:
        return {"text": await text}
    except OpenAIError as error:
        return {"error": str(error)}


async def main() -> list[dict[str, str]]:
    return [
        await outcome(text_of(litellm.acompletion(**target, messages=messages))),
        await outcome(streamed_text(litellm.acompletion(**target, messages=messages, stream=True))),
        await outcome(text_of(router.acompletion("fusion", messages))),
        await outcome(streamed_text(router.acompletion("fusion", messages, stream=True))),
    ]


print(json.dumps(asyncio.run(main())))
