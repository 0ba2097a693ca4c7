"""`fetch_page`: read one page."""

from dataclasses import asdict
from typing import Annotated, Any

from langchain.tools import ToolRuntime, tool
from langchain_core.tools import ToolException

from fusion_tool import web
from fusion_tool.errors import BlockedAddress
from fusion_tool.panel_tools.keeping import kept
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
    """One window of a page's text; the page itself is fetched once a run.

    Raises:
        BlockedAddress: It may not be fetched.
        FetchFailed: It could not be.
    """
    address, policy = canonical_url(url), kit.fetch_policy()

    async def fetch() -> dict[str, Any]:
        return asdict(await web.fetch_text(url, policy=policy))

    async def fetch_or_remember() -> web.PageText:
        key = ("page", address, policy.excluded_domains, policy.blocked_fragments, policy.allowed_private_hosts)
        seconds = kit.config.fetch.cache_seconds
        return web.PageText(**await kept(key, fetch, seconds=seconds, worth_keeping=lambda page: page["cacheable"]))

    page = await kit.once(("page", address), fetch_or_remember)
    return page.page(offset, tokens=policy.page_tokens)
