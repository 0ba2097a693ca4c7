"""Evidence gathered first, for a model that cannot call tools: search, read the top pages, hand over."""

import asyncio
import re

from fusion_tool.errors import BlockedAddress
from fusion_tool.grounding.passages import sentences
from fusion_tool.grounding.sources import Found, found, merged
from fusion_tool.tools.builtin import find_documents, find_results, read_page
from fusion_tool.tools.fetch.page import ExcludedDomain, FetchFailed, PageWithheld
from fusion_tool.tools.search.base import SearchFailed
from fusion_tool.tools.toolkit import Kit, SeatLog

_PAGES = 3


async def gather(question: str, limit: int, *, kit: Kit, log: SeatLog, excerpt: int | None = None) -> list[Found]:
    """Up to `limit` sources for `question`, from the user's documents and from the web.

    Args:
        question: Used as the query.
        limit: Most sources.
        kit: The run's kit.
        log: Where each look-up is written down.
        excerpt: Most characters of each source's text, the sentences nearest to the question; `None` leaves all.
    """
    config = kit.config
    gathered: list[Found] = []
    if config.documents is not None:
        log.begin()
        gathered = await find_documents(kit, question, limit)
        log.note("search_documents", question, gathered)
    if config.search is not None and len(gathered) < limit:
        gathered += await _from_web(question, limit - len(gathered), kit=kit, log=log)
    found = list(merged(gathered).values())
    return found if excerpt is None else [{**one, "text": focused(one["text"], question, excerpt)} for one in found]


def focused(text: str, question: str, room: int) -> str:
    """The sentences of `text` that share most words with `question`, in their order, within `room` characters."""
    wanted = _words(question)
    spans = [text[begin:end] for begin, end in sentences(text)]
    ranked = sorted(range(len(spans)), key=lambda i: -len(wanted & _words(spans[i])))
    chosen: list[int] = []
    for i in ranked:
        if sum(len(spans[j]) + 1 for j in [*chosen, i]) <= room:
            chosen.append(i)
    return " ".join(" ".join(spans[i].split()) for i in sorted(chosen)) or text[:room]


def _words(text: str) -> set[str]:
    """Long words by their first five letters, so that plural and verb endings do not matter."""
    return {word[:5] for word in re.findall(r"\w{4,}", text.casefold())}


async def _from_web(question: str, limit: int, *, kit: Kit, log: SeatLog) -> list[Found]:
    log.begin()
    try:
        results, dropped = await find_results(kit, question, log.pay)
    except SearchFailed as error:
        log.note("web_search", question, [], error.dropped)
        return []
    log.note("web_search", question, results[:limit], dropped)
    pages = await asyncio.gather(*(_page(one["url"], kit=kit, log=log) for one in results[:_PAGES]))
    return [*results[:limit], *(page for page in pages if page is not None)]


async def _page(url: str, *, kit: Kit, log: SeatLog) -> Found | None:
    log.begin()
    try:
        page = await read_page(kit, url)
    except (BlockedAddress, FetchFailed) as error:
        log.note("fetch_page", url, [], int(isinstance(error, (ExcludedDomain, PageWithheld))))
        return None
    source = found(page.url, title=page.title, kind="page", text=page.text)
    log.note("fetch_page", url, [source])
    return source
