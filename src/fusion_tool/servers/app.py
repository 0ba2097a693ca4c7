"""The OpenAI-compatible server as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fusion_tool.api.tool import FusionTool
from fusion_tool.config.installation import version
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.servers.auth import AuthMiddleware
from fusion_tool.servers.capacity import MOST_BYTES, RunSlots
from fusion_tool.servers.cors import check_origins, cors_middleware
from fusion_tool.servers.keys import Caller, check_callers
from fusion_tool.servers.openai.endpoint import Endpoint
from fusion_tool.servers.openai.errors import ApiError, to_api_error
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.openai.models import ModelCatalog
from fusion_tool.servers.openai.not_served import refuse_path
from fusion_tool.servers.openai.request import parse_request
from fusion_tool.servers.openai.responses.recent_items import RecentItems
from fusion_tool.servers.openai.responses.request import parse_responses_request
from fusion_tool.servers.openai.responses.responders import response_responder
from fusion_tool.servers.openai.sse import ProgressStyle, chat_responder
from fusion_tool.servers.promises import PromiseKeeper, keep_promises

_SECONDS_TO_END = 5.0
_SECONDS_TO_FLUSH = 0.05


@dataclass(frozen=True)
class Options:
    """The options of a server.

    Args:
        config: The panel behind the model `fusion`; its rules hold for every request.
        presets: Presets that are served too, as `fusion-NAME`.
        agent_model: The main model behind `fusion-agent`; `None` uses the configured synthesizer.
        max_runs: Requests that are worked on at once, by all workers together; more get 429.
        progress: How a stream shows what the panel does.
        max_bytes: Upper bound of a request's body, in bytes.
        callers: Who holds a key; none where only this machine can connect.
        origins: Origins of the pages that may ask from a browser; none unless they are named.
        keep: Keep every run of a panel, and finish after a restart what was not finished before it.

    Raises:
        ConfigError: The terms of a caller cannot hold, or an origin is none.
    """

    config: FusionConfig
    presets: Mapping[str, FusionConfig] = field(default_factory=dict)
    agent_model: Panelist | None = None
    max_runs: int = 50
    progress: ProgressStyle = "comments"
    max_bytes: int = MOST_BYTES
    callers: tuple[Caller, ...] = ()
    origins: tuple[str, ...] = ()
    keep: bool = False

    @property
    def panels(self) -> list[FusionConfig]:
        """The panels that are served, the configured one first."""
        return [self.config, *self.presets.values()]

    def __post_init__(self) -> None:
        """Check the callers' terms against what is served, and the origins."""
        check_origins(self.origins)
        check_callers(self.callers, self.config, ModelCatalog(self.presets).names)


def create_app(options: Options, slots: RunSlots | None = None) -> Starlette:
    """Return the application, which any ASGI server takes.

    Args:
        options: The options.
        slots: The places for its runs; `None` makes `max_runs` of its own.
    """
    metrics, catalog, slots = Metrics(), ModelCatalog(options.presets), slots or RunSlots(options.max_runs)
    keeper = PromiseKeeper(options.panels, options.callers, slots, metrics) if options.keep else None
    endpoint = partial(
        Endpoint,
        config=options.config,
        catalog=catalog,
        main=options.agent_model or options.config.synthesizer_or_default,
        tool=convert_to_openai_tool(FusionTool(options.config)),
        slots=slots,
        metrics=metrics,
        progress=options.progress,
        max_bytes=options.max_bytes,
        terms=keeper.terms_of if keeper else None,
    )
    recent = RecentItems()
    read_response, write_response = partial(parse_responses_request, recent), partial(response_responder, recent)
    routes = [
        Route("/v1/chat/completions", endpoint(lambda body, _: parse_request(body), chat_responder), methods=["POST"]),
        Route("/v1/responses", endpoint(read_response, write_response), methods=["POST"]),
        Route("/v1/models", catalog.list_all),
        Route("/v1/models/{name:path}", catalog.get),
        Route("/metrics", metrics.render),
        Route("/healthz", _health),
    ]
    # Starlette's own error pages are plain text, which OpenAI's clients cannot read.
    handlers: dict[Any, Any] = {ApiError: _error_response, HTTPException: refuse_path}
    return Starlette(
        routes=routes,
        middleware=[*cors_middleware(options.origins), Middleware(AuthMiddleware, options.callers, options.origins)],
        exception_handlers=handlers,
        lifespan=partial(_lifespan, slots, keeper),
    )


@asynccontextmanager
async def _lifespan(slots: RunSlots, keeper: PromiseKeeper | None, _: Starlette) -> AsyncIterator[None]:
    """Let runs that were cancelled when the server stopped come to their end, and tell their clients."""
    async with keep_promises(keeper):
        yield
    # After `yield` the time to drain is over and every run is cancelled; its cleanup and its client's 503 still need
    # the loop. Bounded, since a tool that cannot be cancelled must not keep the process.
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS_TO_END):
            await slots.wait_until_empty()
            # A free slot does not mean that the last bytes were sent: they may wait in the loop, which ends with this.
            await asyncio.sleep(_SECONDS_TO_FLUSH)


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": version()})


async def _error_response(_: Request, error: Exception) -> JSONResponse:
    refusal = to_api_error(error)
    return JSONResponse(refusal.body, refusal.status, refusal.headers)
