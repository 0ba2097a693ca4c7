"""`web_search`: find pages."""

from dataclasses import asdict
from typing import Annotated, Any

from langchain.tools import ToolRuntime, tool
from langchain_core.tools import ToolException

from fusion_tool import web
from fusion_tool.panel_tools.keeping import kept
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
        results, dropped = await find_results(kit, query, log.pay)
    except web.SearchFailed as error:
        log.note("web_search", query, [], error.dropped)
        raise ToolException(str(error)) from error
    log.note("web_search", query, results, dropped)
    return kit.shown(results), results


async def find_results(kit: Kit, query: str, pay: web.Pay = web.unpaid) -> tuple[list[Found], int]:
    """Search results as sources, and how many the exclusions dropped.

    Args:
        kit: The run's kit.
        query: What to look for.
        pay: Pays for the search where it is made; what another seat looked up, or is looking up, is not paid for again.

    Raises:
        SearchFailed: No provider gave any.
    """
    search, config = kit.config.search, kit.config
    if search is None:
        return [], 0
    asked = query.casefold().strip()

    async def look() -> dict[str, Any]:
        return asdict(
            await web.web_search(
                query,
                providers=search.providers,
                excluded_domains=config.excluded_domains,
                blocked_fragments=config.blocked_fragments,
                pay=pay,
            )
        )

    async def look_or_remember() -> dict[str, Any]:
        key = ("search", asked, search.providers, config.excluded_domains, config.blocked_fragments)
        return await kept(key, look, seconds=search.cache_seconds)

    outcome = await kit.once(("search", asked), look_or_remember)
    results = [
        found(one["url"], title=one["title"], kind="result", text=f"{one['title']}\n{one['snippet']}")
        for one in outcome["results"]
    ]
    return results, outcome["dropped"]
