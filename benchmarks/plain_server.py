"""The plain server beside which `serve.py` measures ours: the same five calls, and nothing else.

python benchmarks/plain_server.py UPSTREAM PAYLOADS
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route


def application(upstream: str, seats: list[Any], judge: Any, writer: Any) -> Starlette:
    """The application; each payload is sent as it is."""
    client = AsyncOpenAI(base_url=upstream, api_key="none", max_retries=0)

    async def call(payload: dict[str, Any]) -> str:
        reply: Any = await client.chat.completions.create(**payload)
        if not payload.get("stream"):
            return str(reply.choices[0].message.content)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in reply if chunk.choices])

    async def answer(model: str) -> AsyncIterator[str]:
        await asyncio.gather(*map(call, seats))
        await call(judge)
        async for chunk in await client.chat.completions.create(**writer):
            yield f"data: {chunk.model_copy(update={'model': model}).model_dump_json()}\n\n"
        yield "data: [DONE]\n\n"

    async def complete(request: Request) -> StreamingResponse:
        return StreamingResponse(answer((await request.json())["model"]), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        """Print the address once it can be reached."""
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        print(f"listening on http://127.0.0.1:{port}/v1", flush=True)


if __name__ == "__main__":
    *seats, judge, writer = json.loads(Path(sys.argv[2]).read_text("utf-8"))
    _Server(uvicorn.Config(application(sys.argv[1], seats, judge, writer), port=0, log_level="warning")).run()
