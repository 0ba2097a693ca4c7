"""`POST /v1/chat/completions`, for as long as its client is there; the panel models."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.events import Event, told
from fusion_tool.servers.capacity import Slots, json_body
from fusion_tool.servers.openai import agent_model
from fusion_tool.servers.openai.errors import ApiError, refusal, restarted
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.openai.models import AGENT, Catalog
from fusion_tool.servers.openai.request import Conversation, Wanted, conversation, refuse_recursion, wanted
from fusion_tool.servers.openai.response import Emit, End, Progress, Stamp, Text, Whole, beside_the_answer
from fusion_tool.servers.openai.sse import ProgressStyle, Streamed
from fusion_tool.servers.overrides import settings_for
from fusion_tool.servers.runs import run


class Gone(Exception):  # noqa: N818 - it is news, not an error
    """The client has closed its connection."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`; cancel it, and wait for its end, where the client leaves or the caller is cancelled.

    Args:
        receive: ASGI's, after the request's body was read.
        work: What the client waits for.

    Raises:
        Gone: The client left.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        left = not working.done()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
    if left:
        raise Gone
    working.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(asked: Conversation, config: FusionConfig, metrics: Metrics, emit: Emit, *, is_streamed: bool) -> End:
    """Ask the panel, and pass on its answer; where it is streamed as it is written, with what is being done.

    Raises:
        ApiError: The answer broke off after its beginning had been passed on.
        FusionError: As `afuse`.
    """
    attempts: list[int] = []

    async def pass_on(event: Event) -> None:
        if event["type"] == "synthesis.delta":
            attempts.append(event["attempt"])
            if event["attempt"] == attempts[0]:
                await emit(Text(event["text"]))
        elif (line := told(event)) is not None:
            await emit(Progress(line))

    result = await run(asked, config, metrics, pass_on if is_streamed else None)
    if len(set(attempts)) > 1:
        raise restarted(result["answer"], beside_the_answer(result))
    if not attempts:
        await emit(Text(result["answer"]))
    return End(Usage.model_validate(result["usage"]), beside_the_answer(result))


@dataclass(frozen=True)
class Chat:
    """The endpoint, as an ASGI application of its own: it watches its client while it works.

    Args:
        config: The operator's configuration.
        catalog: The models that are served.
        main: The main model of `fusion-agent`.
        tool: The panel, as one of OpenAI's tools.
        slots: Places for runs.
        metrics: Where they are counted.
        progress: How a stream tells progress.
        most_bytes: Size of a request's body.
    """

    config: FusionConfig
    catalog: Catalog
    main: Panelist
    tool: dict[str, Any]
    slots: Slots
    metrics: Metrics
    progress: ProgressStyle
    most_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request, model = Request(scope, receive), "none"
        outlet: Whole | Streamed = Whole(send, Stamp(model))
        try:
            refuse_recursion(request.headers)
            asked = wanted(await json_body(request, self.most_bytes))
            config = self._settings(asked)
            model = asked.model
            outlet = self._outlet(send, asked)
            with self.slots.one():
                await while_connected(receive, self._answer(asked, config, outlet))
        except (Gone, ClientDisconnect):
            self.metrics.answered(model, "client_left")
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the last stop before the client
            told = refusal(error)
            self.metrics.answered(model, told.code or "error")
            await outlet.fail(told)
        finally:
            outlet.close()

    def _settings(self, asked: Wanted) -> FusionConfig:
        """What the request runs with; the model's name may stand for a preset."""
        named = self.catalog.preset_of(asked.model)
        if asked.tools and asked.model != AGENT:
            raise ApiError(
                f"'{asked.model}' cannot call your tools; ask the model '{AGENT}', which can",
                param="tools",
                code="unsupported",
            )
        fusion = asked.fusion if named is None else {**asked.fusion, "preset": named}
        return settings_for(self.config, fusion, presets=self.catalog.presets)

    def _outlet(self, send: Send, asked: Wanted) -> Whole | Streamed:
        stamp = Stamp(asked.model)
        if not asked.stream:
            return Whole(send, stamp)
        return Streamed(send, stamp, self.progress, include_usage=asked.include_usage)

    async def _answer(self, asked: Wanted, config: FusionConfig, outlet: Whole | Streamed) -> None:
        end = await self._made(asked, config, outlet)
        self.metrics.answered(asked.model, "ok")
        await outlet.end(end)

    async def _made(self, asked: Wanted, config: FusionConfig, outlet: Whole | Streamed) -> End:
        if asked.model == AGENT:
            return await agent_model.converse(asked, self.main, self.tool, config, self.metrics, outlet.feed)
        question = conversation(asked.messages)
        return await answer(question, config, self.metrics, outlet.feed, is_streamed=asked.stream)
