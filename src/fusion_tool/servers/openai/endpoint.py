"""The work behind every endpoint that asks a model: checks, a place, the run, its counters, and its errors.

The protocols differ in how a request is read and how a reply is written; nothing else of them is known here.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.servers.account import Account, open_account
from fusion_tool.servers.capacity import RunSlots, json_body
from fusion_tool.servers.keys import Caller, caller_of
from fusion_tool.servers.openai.agent_model import MOST_RUNS, answer_as_agent
from fusion_tool.servers.openai.connection import ClientGoneError, while_connected
from fusion_tool.servers.openai.errors import ApiError, to_api_error
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.openai.models import AGENT, PANEL, ModelCatalog
from fusion_tool.servers.openai.panel_model import answer_as_panel
from fusion_tool.servers.openai.request import ChatRequest, refuse_recursion
from fusion_tool.servers.openai.response import Responder, send_json
from fusion_tool.servers.openai.sse import ProgressStyle
from fusion_tool.servers.overrides import RunOverrides, apply_overrides

RequestT = TypeVar("RequestT", bound=ChatRequest)


@dataclass(frozen=True)
class Endpoint(Generic[RequestT]):
    """An endpoint, as an ASGI application of its own: it watches its client while it works.

    Args:
        parse: Reads a request's body; the caller's name says whose earlier items it can refer to.
        respond: Makes what writes the reply, out of ASGI's function, the request, and how a stream shows progress.
        config: The operator's configuration.
        catalog: The models that are served.
        main: The main model of `fusion-agent`.
        tool: The panel, as one of OpenAI's tools.
        slots: Places for runs.
        metrics: The server's counters.
        progress: How a stream shows progress.
        max_bytes: Upper bound of a request's body, in bytes.
        terms: The terms of a caller's promises; `None` where the server promises nothing.
    """

    parse: Callable[[Mapping[str, Any], str], RequestT]
    respond: Callable[[Send, RequestT, ProgressStyle], Responder]
    config: FusionConfig
    catalog: ModelCatalog
    main: Panelist
    tool: dict[str, Any]
    slots: RunSlots
    metrics: Metrics
    progress: ProgressStyle
    max_bytes: int
    terms: Callable[[Caller], str] | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        http_request, caller, model = Request(scope, receive), caller_of(scope), "none"
        key = http_request.headers.get("idempotency-key")
        terms = self.terms(caller) if self.terms else None
        account = open_account(caller, self.metrics, idempotency_key=key, terms=terms)
        # None until the request is read, and with it whether a stream is wanted.
        responder: Responder | None = None
        try:
            refuse_recursion(http_request.headers)
            request = self.parse(await json_body(http_request, self.max_bytes), caller.name)
            config = self._config_for(request, caller)
            # Only a model that is served becomes a label: a client's words would grow the metrics without bound.
            model = request.model
            responder = self.respond(send, request, self.progress)
            # Last of the checks: a request that is refused takes no place.
            with self.slots.acquire():
                work = self._answer(request, config, account, responder)
                await while_connected(receive, work, on_leave=account.leave)
        except (ClientGoneError, ClientDisconnect):
            self.metrics.count_request(model, "client_left", caller.name)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the last stop before the client
            # uvicorn cancels a request when the time to drain is over; its client is still told.
            refusal = to_api_error(error, caller.name, has_begun=account.session.is_used)
            self.metrics.count_request(model, refusal.code or "error", caller.name)
            if responder is None:
                await send_json(send, refusal.body, refusal.status, refusal.headers)
            else:
                await responder.fail(refusal)
        finally:
            if responder is not None:
                responder.close()

    def _config_for(self, request: RequestT, caller: Caller) -> FusionConfig:
        """Return the run's configuration; the model's name may stand for a preset."""
        catalog = self.catalog.for_caller(caller)
        preset = catalog.preset_of(request.model)
        if request.tools and request.model != AGENT:
            raise ApiError(
                f"'{request.model}' cannot call your tools; ask the model '{AGENT}', which can",
                param="tools",
                code="unsupported",
            )
        operator, wishes = caller.narrow(self.config), request.fusion
        if preset is not None:
            wishes = wishes.model_copy(update={"preset": wishes.preset or preset})
            # What OpenRouter's name implies gives way to what is said; our own name says it itself.
            if wishes.preset != preset and request.model.startswith(f"{PANEL}-"):
                cure = f"'{request.model}' is a preset by itself; ask '{PANEL}', or leave it out"
                raise ConfigError(cure, field="preset")
            # A key that may not ask the configured panel may not choose its models by name, either.
            if not (caller.may_ask(PANEL) or caller.may_ask(AGENT)):
                operator = apply_overrides(operator, RunOverrides(preset=wishes.preset), presets=catalog.presets)
        return apply_overrides(operator, wishes, presets=catalog.presets)

    async def _answer(self, request: RequestT, config: FusionConfig, account: Account, responder: Responder) -> None:
        if request.model == AGENT:
            # The main model and each of its runs have the limits once more.
            async with account.reserve_day(config, ledgers=1 + MOST_RUNS):
                end = await answer_as_agent(request, self.main, self.tool, config, account, responder.feed)
        else:
            end = await answer_as_panel(request, config, account, responder.feed)
        self.metrics.count_request(request.model, "ok", account.caller.name)
        await responder.end(end)
