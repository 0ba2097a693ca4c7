"""Who may do what on Agent Server: whoever reaches it may ask, but nobody may set what is the operator's.

Agent Server drops what a graph's context does not have in silence; here it is refused with 400. Identify your users in
`authenticate` before you open the server to other machines: https://docs.langchain.com/langsmith/auth.
"""

import sys
from typing import Any

from langgraph_sdk import Auth, get_client

from fusion_tool.errors import ConfigError
from fusion_tool.servers.agent_server import reject_unknown_context

auth = Auth()


@auth.authenticate
async def authenticate(headers: dict[str, str]) -> Auth.types.MinimalUserDict:
    """Who asks, by the request's headers, as both servers call it and want to be told."""
    del headers
    return {"identity": "anyone"}


@auth.on
async def check(ctx: Auth.types.AuthContext, value: Any) -> None:
    """Refuse what a run, an assistant or a schedule may not set, or what does not exist."""
    del ctx
    if "langgraph_api" not in sys.modules:
        return  # Aegra, which nobody can ask from within; the graph itself refuses there
    try:
        await reject_unknown_context(get_client(), value)
    except ConfigError as error:
        raise Auth.exceptions.HTTPException(status_code=400, detail=str(error)) from None
