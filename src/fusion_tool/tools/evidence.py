"""Evidence for models that cannot call tools, gathered before they are called: one search and its first pages."""

import asyncio
import re

from fusion_tool.errors import BlockedAddress
from fusion_tool.grounding.passages import split_sentences
from fusion_tool.grounding.sources import RetrievedSource, make_source, merge_sources
from fusion_tool.tools.builtin import document_sources, read_page, record_unread_page, search_sources
from fusion_tool.tools.fetch.body import FetchError
from fusion_tool.tools.search.base import SearchError
from fusion_tool.tools.toolkit import Toolkit, ToolLog

_PAGES = 3


async def gather_evidence(
    question: str, limit: int, *, toolkit: Toolkit, log: ToolLog, excerpt: int | None = None
) -> list[RetrievedSource]:
    """Gather sources for `question` from the user's documents and from the web.

    Args:
        question: Used as the query.
        limit: The most documents; the web adds half as many results, or more where there are fewer documents.
        toolkit: The run's toolkit.
        log: The seat's log; it records each look-up.
        excerpt: The most characters of each source's text, chosen by `relevant_sentences`; `None` for all of it.
    """
    config = toolkit.config
    evidence: list[RetrievedSource] = []
    # The user's own documents first: they were handed in for this question. The web has its share all the same.
    if config.documents is not None:
        log.count_call()
        evidence = await document_sources(toolkit, question, limit)
        log.record("search_documents", question, evidence)
    if config.search is not None:
        share = max(limit - len(evidence), (limit + 1) // 2)
        evidence += await _from_web(question, share, toolkit=toolkit, log=log)
    sources = list(merge_sources(evidence).values())
    if excerpt is None:
        return sources
    return [{**source, "text": relevant_sentences(source["text"], question, excerpt)} for source in sources]


def relevant_sentences(text: str, question: str, room: int) -> str:
    """Return the sentences of `text` that share most words with `question`, in their order.

    Args:
        text: A source's text.
        question: The question.
        room: The most characters of the result; where no sentence fits, the text is cut there.
    """
    question_words = _words(question)
    spans = [text[begin:end] for begin, end in split_sentences(text)]
    ranking = sorted(range(len(spans)), key=lambda i: -len(question_words & _words(spans[i])))
    selection: list[int] = []
    # A sentence that does not fit is passed over, not the end: a shorter one behind it may still fit.
    for i in ranking:
        if len(spans[i]) < room:
            selection.append(i)
            room -= len(spans[i]) + 1
    return " ".join(" ".join(spans[i].split()) for i in sorted(selection)) or text[:room]


def _words(text: str) -> set[str]:
    """Return the words of four letters and more by their first five, so that endings do not matter."""
    return {word[:5] for word in re.findall(r"\w{4,}", text.casefold())}


async def _from_web(question: str, limit: int, *, toolkit: Toolkit, log: ToolLog) -> list[RetrievedSource]:
    log.count_call()
    try:
        results, dropped = await search_sources(toolkit, question, log.pay_for_search)
    # Recorded, not raised: without the web the seat still answers, and its log shows that nothing was retrieved.
    except SearchError as error:
        log.record("web_search", question, [], error.dropped, error.reason)
        return []
    log.record("web_search", question, results[:limit], dropped)
    results = results[:limit]
    pages = await asyncio.gather(*(_page(result["url"], toolkit=toolkit, log=log) for result in results[:_PAGES]))
    return [*results, *(page for page in pages if page is not None)]


async def _page(url: str, *, toolkit: Toolkit, log: ToolLog) -> RetrievedSource | None:
    log.count_call()
    try:
        page = await read_page(toolkit, url)
    except (BlockedAddress, FetchError) as error:
        record_unread_page(log, url, error)
        return None
    source = make_source(page.url, title=page.title, kind="page", text=page.text)
    log.record("fetch_page", url, [source])
    return source
