"""A second reader of an answer's citations: batches of cited sentences with the passages that come nearest to them.

Its verdict stands beside the audit's and changes nothing. It counts where the words that it quotes are in the passages
that it was shown: who must quote cannot nod.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from fusion_tool.events import one_line
from fusion_tool.graph.agents.answers import answer_room
from fusion_tool.graph.agents.attempts import Attempt, StageReply, ask_stage, models_of_role
from fusion_tool.graph.agents.verifier_reply import QuotedVerdict, parse_verdicts, reply_schema
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import Verification
from fusion_tool.graph.runtime import Stage
from fusion_tool.graph.state import Failure
from fusion_tool.grounding.passages import EXCERPT, index_source, nearest_passages, parse_statement
from fusion_tool.grounding.wording import normalize_text
from fusion_tool.models.call import call_model
from fusion_tool.models.capabilities import (
    StructuredModel,
    ask_structured,
    capabilities_of,
    reply_parts,
    structured_output_methods,
)
from fusion_tool.models.factory import chat_model
from fusion_tool.tools.untrusted import fence

BATCH = 10
"""Citations of one call: with many more a reader begins to mix them up, with fewer the instructions cost most."""
MOST_CITATIONS = 80
"""Citations of one answer that are read; an answer with more is a table."""
PASSAGES = 800
"""Characters of a source that are shown for one citation, about 200 tokens."""
BATCH_BYTES = 4 * BATCH * (PASSAGES + EXCERPT + 100)
"""The citations of one call in its prompt, at most."""
_SCHEMA = "report_verdicts"


class CitedSentence(NamedTuple):
    """A sentence, or the part of it that a citation stands for, and the source that it cites."""

    claim: str
    source_id: str


@dataclass(frozen=True)
class Reading:
    """What the second reader came to.

    Args:
        verifications: By sentence and source; one without a usable verdict has no entry.
        unread: How many have none.
        failures: The models that gave no usable, or no whole, reply.
        models: The models that answered, in the order of the batches.
    """

    verifications: Mapping[CitedSentence, Verification]
    unread: int
    failures: list[Failure]
    models: list[str]


class _Item(NamedTuple):
    sentence: CitedSentence
    passages: str


async def verify_citations(
    stage: Stage, cited: Sequence[CitedSentence], texts: Mapping[str, str], *, nonce: str
) -> Reading:
    """Let the verifier's models read each cited sentence against its source, all batches side by side.

    Args:
        stage: The verifier's stage.
        cited: The cited sentences, in the order of the answer.
        texts: The sources' titles and texts, by id.
        nonce: The token of the run's fences.
    """
    owner = stage.config.verifier
    assert owner is not None  # noqa: S101 - the stage is opened only where there is one
    different = list(dict.fromkeys(cited))
    items = [_Item(row, nearest_words(row.claim, texts[row.source_id])) for row in different[:MOST_CITATIONS]]
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    outcomes = await asyncio.gather(
        *(
            ask_stage(stage, models_of_role(owner), partial(_read_batch, stage, batch, nonce), is_whole=_is_whole)
            for batch in batches
        )
    )
    verifications = dict(
        found for batch, outcome in zip(batches, outcomes, strict=True) for found in _usable(batch, outcome)
    )
    # A model that refuses its key refuses it for each batch; once is enough to know.
    failures = {tuple(row.values()): row for outcome in outcomes for row in outcome.failures}
    models = [outcome.model for outcome in outcomes if outcome.model]
    return Reading(verifications, len(different) - len(verifications), list(failures.values()), models)


def nearest_words(claim: str, source_text: str) -> str:
    """Return the sentences of a source that come nearest to `claim`, each on a line, 800 characters at most.

    Where none shares a word with it, as in another language, the beginning of the source.
    """
    source = index_source(source_text)
    _, nearest = nearest_passages(parse_statement(normalize_text(claim)), source)
    sentences = [sentence for passage in nearest for sentence in passage.text.split("\n")] or source.sentences
    lines: list[str] = []
    room = PASSAGES
    for sentence in dict.fromkeys(one_line(sentence, EXCERPT) for sentence in sentences):
        if len(sentence) > room:
            break
        lines.append(sentence)
        room -= len(sentence)
    return "\n".join(lines)


class _BatchReply(NamedTuple):
    verdicts: Mapping[int, QuotedVerdict]
    is_cut_off: bool


def _is_whole(reply: _BatchReply) -> bool:
    return not reply.is_cut_off


async def _read_batch(stage: Stage, batch: Sequence[_Item], nonce: str, attempt: Attempt) -> _BatchReply:
    """Ask one model for its verdicts on a batch; what its window cannot hold is left out from the end.

    Raises:
        ModelCallError: The model gave no reply.
        InvalidReplyError: Neither of two replies holds verdicts.
    """
    panelist = attempt.panelist
    model = await chat_model(panelist)
    capabilities = capabilities_of(panelist, model)
    room = answer_room(capabilities, panelist, partial(_prompt, [], nonce))
    shown = list(_fitting(batch, room, nonce))
    schema = reply_schema(len(shown))
    methods = structured_output_methods(
        model, _SCHEMA, schema, takes_schema=capabilities.json_schema, tools=capabilities.tools
    )
    truncated = False

    def parse(reply: Any) -> Mapping[int, QuotedVerdict]:
        nonlocal truncated
        truncated = reply.truncated
        return parse_verdicts(reply_parts(reply), len(shown))

    verdicts = await ask_structured(
        StructuredModel(methods),
        _prompt(shown, nonce),
        ask=partial(call_model, account=stage.call_context(panelist), deadline=attempt.deadline),
        parse=parse,
        correction=lambda error: render("verifier_retry", error=error),
    )
    return _BatchReply(verdicts, truncated)


def _fitting(batch: Sequence[_Item], room: int | None, nonce: str) -> Iterator[_Item]:
    left = room
    for number, item in enumerate(batch, 1):
        if left is not None:
            left -= len(_shown(number, item, nonce))
            # One at least: a window that is too small even for it is the provider's to refuse.
            if left < 0 and number > 1:
                return
        yield item


def _usable(batch: Sequence[_Item], outcome: StageReply[_BatchReply]) -> Iterator[tuple[CitedSentence, Verification]]:
    """Yield the verdicts whose quotation stands in the passages that were shown."""
    if outcome.reply is None:
        return
    for number, item in enumerate(batch, 1):
        found = outcome.reply.verdicts.get(number)
        if found and _is_quoted(found, item.passages):
            yield item.sentence, Verification(verdict=found.verdict, by=outcome.model or "", quote=found.quote)


def _is_quoted(verdict: QuotedVerdict, passages: str) -> bool:
    if not verdict.quote:
        return verdict.verdict == "says nothing"
    return _folded(verdict.quote) in _folded(passages)


def _folded(text: str) -> str:
    return " ".join(normalize_text(text).split()).casefold()


def _prompt(batch: Sequence[_Item], nonce: str) -> list[BaseMessage]:
    shown = "\n\n".join(_shown(number, item, nonce) for number, item in enumerate(batch, 1))
    return [SystemMessage(render("verifier", nonce=nonce)), HumanMessage(shown)]


def _shown(number: int, item: _Item, nonce: str) -> str:
    # On one line each: a page cannot write a line that looks like the next sentence to be read.
    text = f"Sentence: {one_line(item.sentence.claim, EXCERPT)}\nPassages: {' '.join(item.passages.splitlines())}"
    return fence(text, label=f"id {number}", nonce=nonce)
