"""`POST /v1/chat/completions`: read, checked, let in, answered, and ended with its client."""

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.servers import front, panel
from fusion_tool.servers.asked import settings_for
from fusion_tool.servers.catalog import AGENT, Catalog
from fusion_tool.servers.completions import Whole
from fusion_tool.servers.connected import Gone, while_connected
from fusion_tool.servers.conversation import conversation
from fusion_tool.servers.limits import Slots, json_body
from fusion_tool.servers.metrics import Metrics
from fusion_tool.servers.pieces import End
from fusion_tool.servers.refusals import ApiError, refusal
from fusion_tool.servers.stamp import Stamp
from fusion_tool.servers.streaming import ProgressStyle, Streamed
from fusion_tool.servers.wanted import Wanted, refuse_recursion, wanted


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
            return await front.converse(asked, self.main, self.tool, config, self.metrics, outlet.feed)
        question = conversation(asked.messages)
        return await panel.answer(question, config, self.metrics, outlet.feed, is_streamed=asked.stream)
