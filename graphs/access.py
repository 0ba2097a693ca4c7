"""Who may do what on Agent Server: whoever reaches it may ask, but nobody may set what is the operator's.

Agent Server drops settings that a graph's context does not have in silence; here they are refused with 400. Identify
your users in `authenticate` before you open the server to other machines:
https://docs.langchain.com/langsmith/auth.
"""

from collections.abc import Mapping
from typing import Any

from langgraph_sdk import Auth

from fusion_tool.errors import ConfigError
from fusion_tool.servers.agent_server import reject_operator_settings

auth = Auth()


@auth.authenticate
async def authenticate() -> str:
    """Who asks."""
    return "anyone"


@auth.on
async def check(ctx: Auth.types.AuthContext, value: Any) -> None:
    """Refuse what is the operator's, in a run, an assistant or a schedule."""
    del ctx
    for holder in (value, value.get("kwargs"), value.get("payload")):
        if isinstance(holder, Mapping):
            _check(holder.get("context") or {})
            _check((holder.get("config") or {}).get("configurable") or {})


def _check(context: Mapping[str, Any]) -> None:
    try:
        reject_operator_settings(context)
    except ConfigError as error:
        raise Auth.exceptions.HTTPException(status_code=400, detail=str(error)) from None
