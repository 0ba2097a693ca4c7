"""The account of one request: what its runs and calls spend together, whatever becomes of them, and in whose name."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_tool.api.runner import OnEvent, resume_request, run_request
from fusion_tool.budget.session import Session
from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig
from fusion_tool.graph.inputs import RunInput
from fusion_tool.servers.keys import Caller

if TYPE_CHECKING:  # MCP has no metrics, nor the package that they need
    from fusion_tool.servers.openai.metrics import Metrics


@dataclass(frozen=True)
class Account:
    """The account of one request.

    Args:
        caller: Who asks.
        metrics: The server's counters; `None` where it has none.
        session: What all runs and calls of the request are part of.
    """

    caller: Caller
    metrics: "Metrics | None"
    session: Session

    async def run(
        self, request: RunInput, config: FusionConfig, on_event: OnEvent | None = None, *, kept_id: str | None = None
    ) -> dict[str, Any]:
        """Carry out a run in the caller's name, and return its result as a dict; arguments as for `run_request`.

        Raises:
            FusionError: As `afuse`.
        """
        run = run_request(request, config, on_event, owner=self.caller.name, session=self.session, kept_id=kept_id)
        return await (self.metrics.count_run(run, self.caller.name) if self.metrics else run)

    async def resume(self, run_id: str, on_event: OnEvent) -> dict[str, Any]:
        """Carry out what is missing of a run that was kept for the caller, as `resume_request` does.

        Raises:
            FusionError: As `afuse`.
        """
        return await resume_request(run_id, self.caller.name, on_event, session=self.session)


def open_account(caller: Caller, metrics: "Metrics | None" = None) -> Account:
    """Return the account of a new request, whose calls are counted as they end.

    Args:
        caller: Who asks.
        metrics: The server's counters; `None` where it has none.
    """
    # Not from a run's result, which a run that is cancelled does not have: its calls were paid for all the same.
    count = (lambda call: metrics.count_calls(Usage.of([call]), caller.name)) if metrics else None
    return Account(caller, metrics, Session(on_call=count))
