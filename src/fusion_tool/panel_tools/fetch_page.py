"""`fetch_page`: read one page."""

from typing import Annotated, Any

from langchain.tools import ToolRuntime, tool
from langchain_core.tools import ToolException

from fusion_tool import web
from fusion_tool.errors import BlockedAddress
from fusion_tool.panel_tools.kit import Kit, SeatContext
from fusion_tool.sources import Found, canonical_url, found


@tool(response_format="content_and_artifact")
async def fetch_page(
    url: Annotated[str, "The page's full address, http or https."],
    runtime: ToolRuntime[Any, Any],
    offset: Annotated[int, "Where to read on in a long page; 0 is its beginning."] = 0,
) -> tuple[str, list[Found]]:
    """Read a web page or PDF as text, with an id to cite. A long page comes in parts; read on with `offset`."""
    seat: SeatContext = runtime.context
    kit, log = seat.kit, seat.log
    try:
        page = await read_page(kit, url, offset)
    except (web.ExcludedDomain, web.PageWithheld) as error:
        log.note("fetch_page", url, [], 1)
        raise ToolException(f"fetch failed: {error}") from error
    except (BlockedAddress, web.FetchFailed) as error:
        log.note("fetch_page", url, [])
        raise ToolException(f"fetch failed: {error}") from error
    source = found(page.url, title=page.title, kind="page", text=page.text)
    log.note("fetch_page", url, [source])
    more = f"\n\nThe page goes on: call again with offset={page.next_offset}." if page.next_offset else ""
    return kit.shown([source]) + more, [source]


async def read_page(kit: Kit, url: str, offset: int = 0) -> web.Page:
    """One window of a page's text, fetched once a run.

    Raises:
        BlockedAddress: It may not be fetched.
        FetchFailed: It could not be.
    """
    key = ("page", canonical_url(url), offset)
    return await kit.once(key, lambda: web.fetch_page(url, policy=kit.fetch_policy(), offset=offset))
