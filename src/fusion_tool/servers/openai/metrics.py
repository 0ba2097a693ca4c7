"""The server's counters in Prometheus' format; with several worker processes their sum."""

import os
import time
from collections.abc import Awaitable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from fusion_tool.budget.usage import Usage
from fusion_tool.errors import PanelFailed
from fusion_tool.servers.keys import caller_of
from fusion_tool.servers.openai.errors import ApiError

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client's variable for the folder that worker processes share."""
_SECONDS = (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        # Not the package's global registry, in which a second application of the process could not have these names.
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("fusion_requests", "Requests by outcome.", ["model", "code", "key"], registry=registry)
        self._runs = Counter("fusion_runs", "Runs of a panel by outcome.", ["status", "key"], registry=registry)
        self._failures = Counter("fusion_failures", "Models that gave no usable answer.", ["reason"], registry=registry)
        self._seconds = Histogram("fusion_run_seconds", "Wall time of runs.", registry=registry, buckets=_SECONDS)
        self._cost = Counter("fusion_cost_usd", "US dollars of priced calls.", ["key"], registry=registry)
        self._unpriced = Counter("fusion_unpriced_calls", "Calls whose cost is not known.", ["key"], registry=registry)
        self._tokens = Counter("fusion_tokens", "Tokens of model calls.", ["direction", "key"], registry=registry)
        # Of living processes alone: a worker that was killed never counts its runs down.
        self.in_flight = Gauge(
            "fusion_runs_in_flight", "Runs under way.", registry=registry, multiprocess_mode="livesum"
        )

    def count_request(self, model: str, code: str, key: str) -> None:
        """Count a request.

        Args:
            model: The served model.
            code: `ok` or the error's.
            key: The name of the caller's key; empty where the server has none.
        """
        self._requests.labels(model, code, key).inc()

    async def count_run(self, run: Awaitable[dict[str, Any]], key: str) -> dict[str, Any]:
        """Wait for a run, count it, and return its result; `key` as for `count_request`."""
        # "cancelled" stands where neither an `Exception` nor a result replaces it.
        started, status = time.monotonic(), "cancelled"
        try:
            with self.in_flight.track_inprogress():
                result = await run
        except PanelFailed as error:
            status = "failed"
            self._count_failures(error.failed_models)
            raise
        except Exception:
            status = "failed"
            raise
        else:
            status = result["status"]
            self._count_failures(result["failed_models"])
            return result
        finally:
            self._runs.labels(status, key).inc()
            self._seconds.observe(time.monotonic() - started)

    def count_calls(self, usage: Usage, key: str) -> None:
        """Count what calls spent, whatever became of their run; figures that are unknown count nothing."""
        self._cost.labels(key).inc(usage.cost_usd or 0)
        self._unpriced.labels(key).inc(usage.unpriced_calls)
        for direction, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            self._tokens.labels(direction, key).inc(tokens or 0)

    def _count_failures(self, failed: list[dict[str, Any]]) -> None:
        for row in failed:
            self._failures.labels(row["reason"]).inc()

    async def render(self, request: Request) -> Response:
        """Answer `GET /metrics`."""
        if not (caller := caller_of(request.scope)).metrics:
            message = f"the key of '{caller.name}' does not open /metrics; the operator can set metrics = true for it"
            raise ApiError(message, status=403, code="forbidden")
        # With several workers each writes files into the shared folder; a request to any of them sums up all.
        registry = self._registry
        if SHARED in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the package has no types for it
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
