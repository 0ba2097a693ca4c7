"""`web_search`, `fetch_page`, `search_documents`, `bash`: the package's own tools, as LangChain tools.

A tool records each call in its seat's log, and raises `ToolException` with one line for the model where it fails. The
functions beside them are for seats whose models cannot call tools (see `evidence`).
"""

from dataclasses import asdict
from typing import Annotated, Any

from langchain.tools import ToolRuntime, tool
from langchain_core.tools import ToolException

from fusion_tool.errors import BlockedAddress, ConfigError, SandboxUnavailable, ToolReason
from fusion_tool.grounding.sources import RetrievedSource, canonical_url, make_source
from fusion_tool.tools.caching import cached
from fusion_tool.tools.fetch.body import FetchError
from fusion_tool.tools.fetch.fetch import fetch_text
from fusion_tool.tools.fetch.page import ExcludedDomainError, Page, PageText, PageWithheldError
from fusion_tool.tools.sandbox import shell
from fusion_tool.tools.search.base import ChargeSearch, SearchError, no_charge
from fusion_tool.tools.search.search import search_web
from fusion_tool.tools.toolkit import SeatContext, Toolkit, ToolLog


@tool(response_format="content_and_artifact")
async def web_search(
    query: Annotated[str, "What to look for, as one would type it into a search engine."],
    runtime: ToolRuntime[Any, Any],
) -> tuple[str, list[RetrievedSource]]:
    """Search the web. Returns titles, addresses and snippets, each with an id to cite; read a page to be sure."""
    seat: SeatContext = runtime.context
    toolkit, log = seat.toolkit, seat.log
    try:
        results, dropped = await search_sources(toolkit, query, log.pay_for_search)
    except SearchError as error:
        log.record("web_search", query, [], error.dropped, error.reason)
        raise ToolException(str(error)) from error
    log.record("web_search", query, results, dropped)
    return toolkit.render_sources(results), results


async def search_sources(
    toolkit: Toolkit, query: str, pay: ChargeSearch = no_charge
) -> tuple[list[RetrievedSource], int]:
    """Search the web for `query`; return the results as sources, and how many the exclusions dropped.

    Args:
        toolkit: The run's toolkit.
        query: What to look for.
        pay: Pays for each request to a provider; a search that another seat made or is making is not paid for again.

    Raises:
        SearchError: No provider gave a result.
    """
    search, config = toolkit.config.search, toolkit.config
    if search is None:
        return [], 0
    normalized = query.casefold().strip()

    async def search_now() -> dict[str, Any]:
        return asdict(
            await search_web(
                query,
                providers=search.providers,
                excluded_domains=config.excluded_domains,
                blocked_fragments=config.blocked_fragments,
                pay=pay,
            )
        )

    # Across runs the outcome depends on all of these; within a run they are the same, and the query alone is the key.
    async def search_or_cached() -> dict[str, Any]:
        key = ("search", normalized, search.providers, config.excluded_domains, config.blocked_fragments)
        return await cached(key, search_now, seconds=search.cache_seconds)

    outcome = await toolkit.single_flight(("search", normalized), search_or_cached)
    results = [
        make_source(result["url"], title=result["title"], kind="result", text=f"{result['title']}\n{result['snippet']}")
        for result in outcome["results"]
    ]
    return results, outcome["dropped"]


@tool(response_format="content_and_artifact")
async def fetch_page(
    url: Annotated[str, "The page's full address, http or https."],
    runtime: ToolRuntime[Any, Any],
    offset: Annotated[int, "Where to read on in a long page; 0 is its beginning."] = 0,
) -> tuple[str, list[RetrievedSource]]:
    """Read a web page or PDF as text, with an id to cite. A long page comes in parts; read on with `offset`."""
    seat: SeatContext = runtime.context
    toolkit, log = seat.toolkit, seat.log
    try:
        page = await read_page(toolkit, url, offset)
    except (BlockedAddress, FetchError) as error:
        record_unread_page(log, url, error)
        raise ToolException(f"fetch failed: {error}") from error
    source = make_source(page.url, title=page.title, kind="page", text=page.text)
    log.record("fetch_page", url, [source])
    more = f"\n\nThe page goes on: call again with offset={page.next_offset}." if page.next_offset else ""
    return toolkit.render_sources([source]) + more, [source]


def record_unread_page(log: ToolLog, url: str, error: BlockedAddress | FetchError) -> None:
    """Record a page that could not be read: as dropped where the caller excluded it, else with the tool's failure."""
    if isinstance(error, ExcludedDomainError | PageWithheldError):
        log.record("fetch_page", url, [], 1)
    else:
        log.record("fetch_page", url, [], 0, error.reason if isinstance(error, FetchError) else "blocked")


async def read_page(toolkit: Toolkit, url: str, offset: int = 0) -> Page:
    """Return one window of a page's text; the page itself is fetched once a run.

    Args:
        toolkit: The run's toolkit.
        url: The page's address.
        offset: Where the window begins, in characters of the page's text.

    Raises:
        BlockedAddress: The page may not be fetched.
        FetchError: The page could not be read.
    """
    # Seats spell one address in several ways; its canonical form is fetched once for all of them.
    address, policy = canonical_url(url), toolkit.fetch_policy()

    async def fetch_now() -> dict[str, Any]:
        return asdict(await fetch_text(url, policy=policy))

    async def fetch_or_cached() -> PageText:
        key = ("page", address, policy.excluded_domains, policy.blocked_fragments, policy.allowed_private_hosts)
        seconds = toolkit.config.fetch.cache_seconds
        return PageText(**await cached(key, fetch_now, seconds=seconds, worth_keeping=lambda page: page["cacheable"]))

    # The whole page is shared, not the window: the next window must not cost another fetch.
    page = await toolkit.single_flight(("page", address), fetch_or_cached)
    return page.page(offset, tokens=policy.page_tokens)


_MAX_DOCUMENTS = 6


@tool(response_format="content_and_artifact")
async def search_documents(
    query: Annotated[str, "A few words that the wanted passages contain."],
    runtime: ToolRuntime[Any, Any],
) -> tuple[str, list[RetrievedSource]]:
    """Search the user's own documents and return the best passages, each with an id to cite."""
    seat: SeatContext = runtime.context
    toolkit, log = seat.toolkit, seat.log
    sources = await document_sources(toolkit, query, _MAX_DOCUMENTS)
    log.record("search_documents", query, sources)
    return toolkit.render_sources(sources) or "no document matches", sources


async def document_sources(toolkit: Toolkit, query: str, limit: int) -> list[RetrievedSource]:
    """Return at most `limit` documents that match `query` best, one source a file."""
    index = await toolkit.documents()
    return await toolkit.single_flight(("documents", query, limit), lambda: index.search(query, limit))


@tool(response_format="content_and_artifact")
async def bash(
    command: Annotated[str, "A bash command line; python3, awk and the usual tools are there."],
    runtime: ToolRuntime[Any, Any],
) -> tuple[str, list[RetrievedSource]]:
    """Run a command in a fresh, empty sandbox without network or files, to calculate or to process text."""
    seat: SeatContext = runtime.context
    try:
        result = await shell.run(command)
    except (SandboxUnavailable, OSError) as error:
        seat.log.record("bash", command, [], 0, "unavailable")
        raise ToolException(f"the shell could not start: {error}") from error
    except ConfigError as error:  # a command that no shell takes
        seat.log.record("bash", command, [])
        raise ToolException(str(error)) from error
    # That the command itself ends with an error is an outcome, not a failure of the tool.
    failure: ToolReason | None = "timeout" if result.timed_out else "out_of_memory" if result.out_of_memory else None
    ending = "timed out" if result.timed_out else f"exit status {result.exit_code}"
    text = f"$ {command}\n{result.output}\n({ending}{', output cut' if result.truncated else ''})"
    # The command is the address: the same command in two seats is one source, with both outputs.
    source = make_source(f"command:{command}", title=command.strip().partition("\n")[0][:80], kind="command", text=text)
    seat.log.record("bash", command, [source], 0, failure)
    return seat.toolkit.render_sources([source]), [source]
