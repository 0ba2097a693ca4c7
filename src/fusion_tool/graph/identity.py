"""What an authenticated caller of Agent Server may spend in a day: reserved before a run, settled after it.

Its operator says who asks, and how much they may spend: `authenticate` returns `{"identity": ..., "usd_a_day": ...}`,
which the server hands to every run (`configurable["langgraph_auth_user"]`), whatever the client sends.
"""

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from fusion_tool.budget.session import SESSION_KEY
from fusion_tool.budget.shared import SharedBudget
from fusion_tool.budget.store import Amounts
from fusion_tool.config.base import RUN_SECONDS
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import BudgetExceeded, ConfigError
from fusion_tool.graph.duration import run_seconds

_USER_KEY = "langgraph_auth_user"


@asynccontextmanager
async def identity_session(
    config: RunnableConfig | None, find_config: Callable[[], FusionConfig | None]
) -> AsyncIterator[RunnableConfig | None]:
    """Reserve the run's part of its caller's day, and settle it however the run ends.

    Whoever goes on with a run that another process began reserves anew: what that one had reserved counts as spent.

    Args:
        config: The run's, as LangGraph has it.
        find_config: Returns the run's configuration; `None` where only its checkpoint holds one. Called where there
            is something to reserve.

    Yields:
        The configuration in which the nodes find the session that the run is part of.

    Raises:
        BudgetExceeded: Too little is left of the day.
        ConfigError: `usd_a_day` is no amount.
        DatabaseUnavailable: Nobody knows what is left.
    """
    own = (config or {}).get("configurable", {})
    # Where a tool inside another graph is called, the caller is the surrounding run's.
    user = own.get(_USER_KEY) or ((var_child_runnable_config.get() or {}).get("configurable") or {}).get(_USER_KEY)
    if (usd_a_day := _field(user, "usd_a_day")) is None:
        yield config
        return
    if isinstance(usd_a_day, bool) or not isinstance(usd_a_day, int | float) or not 0 < usd_a_day < math.inf:
        raise ConfigError("expected US dollars above 0, as a number", field="usd_a_day")
    run_config, most, seconds = find_config(), None, RUN_SECONDS
    if run_config is not None:
        most, seconds = run_config.limits.usd, run_seconds(run_config)
    day = SharedBudget.of_day(f"identity {_field(user, 'identity')}", usd_a_day, run_config)
    # Without a limit of its own a run may spend all that is left.
    wanted = Amounts(usd=most or math.inf)
    outer = own.get(SESSION_KEY)
    async with day.open(wanted, lease_seconds=seconds, patience=seconds, outer=outer) as (session, _):
        try:
            yield RunnableConfig(**{**(config or {}), "configurable": {**own, SESSION_KEY: session}})
        except BudgetExceeded as error:
            # The day is part of what the nodes know as their session; the session around it may be what is short.
            is_outer = outer is not None and outer.ledger.remaining("usd") < error.value
            if error.limits == "session_limits" and error.kind == "usd" and not is_outer:
                raise BudgetExceeded("usd", error.value, error.limit, limits="usd_a_day") from None
            raise


def _field(user: Any, name: str) -> Any:
    # A dict, or an object that has the fields of one: each server wraps what `authenticate` returned in its own way.
    return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
