"""`search_documents`: the user's own folder."""

from typing import Annotated, Any

from langchain.tools import ToolRuntime, tool

from fusion_tool.panel_tools.kit import Kit, SeatContext
from fusion_tool.sources import Found

_RESULTS = 6


@tool(response_format="content_and_artifact")
async def search_documents(
    query: Annotated[str, "A few words that the wanted passages contain."],
    runtime: ToolRuntime[Any, Any],
) -> tuple[str, list[Found]]:
    """Search the user's own documents and return the best passages, each with an id to cite."""
    seat: SeatContext = runtime.context
    kit, log = seat.kit, seat.log
    found = await find_documents(kit, query, _RESULTS)
    log.note("search_documents", query, found)
    return kit.shown(found) or "no document matches", found


async def find_documents(kit: Kit, query: str, limit: int) -> list[Found]:
    """The best documents for `query`, one `Found` a file."""
    index = await kit.documents()
    return await kit.once(("documents", query, limit), lambda: index.search(query, limit))
