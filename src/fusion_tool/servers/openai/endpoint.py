"""`POST /v1/chat/completions`, whose work ends when its client leaves; and the answers of the panel's models."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from fusion_tool.api.runner import run_request
from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.events import Event, describe
from fusion_tool.graph.inputs import RunInput
from fusion_tool.servers.capacity import RunSlots, json_body
from fusion_tool.servers.openai import agent_model
from fusion_tool.servers.openai.errors import ApiError, answer_restarted, to_api_error
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.openai.models import AGENT, ModelCatalog
from fusion_tool.servers.openai.request import ChatRequest, parse_request, refuse_recursion, to_question
from fusion_tool.servers.openai.response import (
    Emit,
    EndPiece,
    JsonResponder,
    ProgressPiece,
    ResponseInfo,
    TextPiece,
    result_metadata,
)
from fusion_tool.servers.openai.sse import ProgressStyle, SseResponder
from fusion_tool.servers.overrides import apply_overrides


class ClientGoneError(Exception):
    """The client has closed its connection."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`; cancel it, and wait for its end, where the client leaves or the caller is cancelled.

    Args:
        receive: ASGI's function, after the request's body was read.
        work: The work that the client waits for.

    Raises:
        ClientGoneError: The client left before the work had ended.
    """
    work_task, disconnect = asyncio.ensure_future(work), asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((work_task, disconnect), return_when=asyncio.FIRST_COMPLETED)
        # Asked before the cancellation, which ends both; where both ended at once the answer is out.
        has_left = not work_task.done()
    finally:
        for task in (work_task, disconnect):
            task.cancel()
        # Both are waited for: a run that is still ending holds its place.
        await asyncio.gather(work_task, disconnect, return_exceptions=True)
    if has_left:
        raise ClientGoneError
    work_task.result()


async def _wait_for_disconnect(receive: Receive) -> None:
    # Once the body is read ASGI has only the end of the connection to tell, and tells it to whoever waits for it.
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(
    question: RunInput, config: FusionConfig, metrics: Metrics, emit: Emit, *, is_streamed: bool
) -> EndPiece:
    """Ask the panel, and send its answer; a stream gets it while it is written, with the progress.

    Args:
        question: The question, and what belongs to it.
        config: The run's configuration.
        metrics: The server's counters.
        emit: Sends text and progress to the client.
        is_streamed: Whether the client gets the answer while it is written.

    Raises:
        ApiError: The answer broke off after its beginning had been passed on.
        FusionError: As `afuse`.
    """
    attempts: list[int] = []

    async def pass_on(event: Event) -> None:
        if event["type"] == "synthesis.delta":
            attempts.append(event["attempt"])
            # Another attempt's text cannot follow: a stream of OpenAI's has no way to take back what it sent.
            if event["attempt"] == attempts[0]:
                await emit(TextPiece(event["text"]))
        elif (line := describe(event)) is not None:
            await emit(ProgressPiece(line))

    result = await metrics.count_run(run_request(question, config, pass_on if is_streamed else None))
    # The client has the beginning of another answer, so this one may not end as if it were whole.
    if len(set(attempts)) > 1:
        raise answer_restarted(result["answer"], result_metadata(result))
    if not attempts:
        await emit(TextPiece(result["answer"]))
    return EndPiece(Usage.model_validate(result["usage"]), result_metadata(result))


@dataclass(frozen=True)
class ChatCompletions:
    """The endpoint, as an ASGI application of its own: it watches its client while it works.

    Args:
        config: The operator's configuration.
        catalog: The models that are served.
        main: The main model of `fusion-agent`.
        tool: The panel, as one of OpenAI's tools.
        slots: Places for runs.
        metrics: The server's counters.
        progress: How a stream shows progress.
        max_bytes: Upper bound of a request's body, in bytes.
    """

    config: FusionConfig
    catalog: ModelCatalog
    main: Panelist
    tool: dict[str, Any]
    slots: RunSlots
    metrics: Metrics
    progress: ProgressStyle
    max_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        http_request, model = Request(scope, receive), "none"
        # For what fails before the request can be read, and with it whether a stream is wanted.
        responder: JsonResponder | SseResponder = JsonResponder(send, ResponseInfo(model))
        try:
            refuse_recursion(http_request.headers)
            request = parse_request(await json_body(http_request, self.max_bytes))
            config = self._config_for(request)
            # Only a model that is served becomes a label: a client's words would grow the metrics without bound.
            model = request.model
            responder = self._responder(send, request)
            # Last of the checks: a request that is refused takes no place.
            with self.slots.acquire():
                await while_connected(receive, self._answer(request, config, responder))
        except (ClientGoneError, ClientDisconnect):
            self.metrics.count_request(model, "client_left")
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the last stop before the client
            # uvicorn cancels a request when the time to drain is over; its client still gets a 503.
            refusal = to_api_error(error)
            self.metrics.count_request(model, refusal.code or "error")
            await responder.fail(refusal)
        finally:
            responder.close()

    def _config_for(self, request: ChatRequest) -> FusionConfig:
        """Return the run's configuration; the model's name may stand for a preset."""
        preset = self.catalog.preset_of(request.model)
        if request.tools and request.model != AGENT:
            raise ApiError(
                f"'{request.model}' cannot call your tools; ask the model '{AGENT}', which can",
                param="tools",
                code="unsupported",
            )
        fusion = request.fusion if preset is None else request.fusion.model_copy(update={"preset": preset})
        return apply_overrides(self.config, fusion, presets=self.catalog.presets)

    def _responder(self, send: Send, request: ChatRequest) -> JsonResponder | SseResponder:
        info = ResponseInfo(request.model)
        if not request.stream:
            return JsonResponder(send, info)
        return SseResponder(send, info, self.progress, include_usage=request.include_usage)

    async def _answer(
        self, request: ChatRequest, config: FusionConfig, responder: JsonResponder | SseResponder
    ) -> None:
        end = await self._run(request, config, responder)
        self.metrics.count_request(request.model, "ok")
        await responder.end(end)

    async def _run(
        self, request: ChatRequest, config: FusionConfig, responder: JsonResponder | SseResponder
    ) -> EndPiece:
        if request.model == AGENT:
            return await agent_model.answer_as_agent(
                request, self.main, self.tool, config, self.metrics, responder.feed
            )
        question = to_question(request.messages)
        return await answer(question, config, self.metrics, responder.feed, is_streamed=request.stream)
