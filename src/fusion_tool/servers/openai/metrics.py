"""The server's counters in Prometheus' format; with several worker processes their sum."""

import os
import time
from collections.abc import Awaitable, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from fusion_tool.errors import PanelFailed

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client's variable for the folder that worker processes share."""
_SECONDS = (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        # Not the package's global registry, in which a second application of the process could not have these names.
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("fusion_requests", "Requests by outcome.", ["model", "code"], registry=registry)
        self._runs = Counter("fusion_runs", "Runs of a panel by outcome.", ["status"], registry=registry)
        self._failures = Counter("fusion_failures", "Models that gave no usable answer.", ["reason"], registry=registry)
        self._seconds = Histogram("fusion_run_seconds", "Wall time of runs.", registry=registry, buckets=_SECONDS)
        self._cost = Counter("fusion_cost_usd", "US dollars of priced calls.", registry=registry)
        self._unpriced = Counter("fusion_unpriced_calls", "Calls whose cost is not known.", registry=registry)
        self._tokens = Counter("fusion_tokens", "Tokens of model calls.", ["direction"], registry=registry)
        # Of living processes alone: a worker that was killed never counts its runs down.
        self.in_flight = Gauge(
            "fusion_runs_in_flight", "Runs under way.", registry=registry, multiprocess_mode="livesum"
        )

    def count_request(self, model: str, code: str) -> None:
        """Count a request; `code` is `ok` or the error's."""
        self._requests.labels(model, code).inc()

    async def count_run(self, run: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """Wait for a run, count it, and return its result."""
        # "cancelled" stands where neither an `Exception` nor a result replaces it.
        started, status = time.monotonic(), "cancelled"
        try:
            with self.in_flight.track_inprogress():
                result = await run
        except PanelFailed as error:
            # It was paid for like any other run.
            status = "failed"
            self._count_usage(error.usage or {}, error.failed_models)
            raise
        except Exception:
            status = "failed"
            raise
        else:
            status = result["status"]
            self._count_usage(result["usage"], result["failed_models"])
            return result
        finally:
            self._runs.labels(status).inc()
            self._seconds.observe(time.monotonic() - started)

    def count_calls(self, usage: Mapping[str, Any]) -> None:
        """Count what calls spent.

        Args:
            usage: The calls' `Usage` as a dict; figures that are unknown count nothing.
        """
        self._cost.inc(usage.get("cost_usd") or 0)
        self._unpriced.inc(usage.get("unpriced_calls") or 0)
        for direction in ("input", "output"):
            self._tokens.labels(direction).inc(usage.get(f"{direction}_tokens") or 0)

    def _count_usage(self, usage: Mapping[str, Any], failed: list[dict[str, Any]]) -> None:
        self.count_calls(usage)
        for row in failed:
            self._failures.labels(row["reason"]).inc()

    async def render(self, _: Request) -> Response:
        """Answer `GET /metrics`."""
        # With several workers each writes files into the shared folder; a request to any of them sums up all.
        registry = self._registry
        if SHARED in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
