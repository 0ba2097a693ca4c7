"""`web_search`: find pages."""

from typing import Annotated, Any

from langchain.tools import ToolRuntime, tool
from langchain_core.tools import ToolException

from fusion_tool import web
from fusion_tool.panel_tools.kit import Kit, SeatContext
from fusion_tool.sources import Found, found


@tool(response_format="content_and_artifact")
async def web_search(
    query: Annotated[str, "What to look for, as one would type it into a search engine."],
    runtime: ToolRuntime[Any, Any],
) -> tuple[str, list[Found]]:
    """Search the web. Returns titles, addresses and snippets, each with an id to cite; read a page to be sure."""
    seat: SeatContext = runtime.context
    kit, log = seat.kit, seat.log
    try:
        results, dropped = await find_results(kit, query)
    except web.SearchFailed as error:
        log.note("web_search", query, [], error.dropped)
        raise ToolException(f"search failed: {error}") from error
    log.note("web_search", query, results, dropped)
    return kit.shown(results), results


async def find_results(kit: Kit, query: str) -> tuple[list[Found], int]:
    """Search results as sources, and how many the exclusions dropped.

    Raises:
        SearchFailed: No provider gave any.
    """
    search = kit.config.search
    if search is None:
        return [], 0
    outcome = await kit.once(
        ("search", query.casefold().strip()),
        lambda: web.web_search(
            query,
            providers=search.providers,
            excluded_domains=kit.config.excluded_domains,
            blocked_fragments=kit.config.blocked_fragments,
        ),
    )
    results = [found(r.url, title=r.title, kind="result", text=f"{r.title}\n{r.snippet}") for r in outcome.results]
    return results, outcome.dropped
