"""The panel's answers as judge and synthesizer see them: anonymous, shuffled, fenced, cut to fit."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from string import ascii_uppercase
from typing import TypeVar

from langchain_core.messages import BaseMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.flags import MOST_FLAGS, Flag, flags_of, render_flags
from fusion_tool.graph.agents.packing import take_evenly, truncate_evenly
from fusion_tool.graph.agents.window import prompt_length, prompt_room
from fusion_tool.graph.prompts import render
from fusion_tool.graph.state import FusionState, SeatRecord, answer_key, records_of_run
from fusion_tool.grounding.audit import Audit, audit_citations
from fusion_tool.grounding.citations import cited_ids, number_citations
from fusion_tool.grounding.sources import RetrievedSource, merge_sources
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.capabilities import Capabilities
from fusion_tool.tools.untrusted import fence

ReplyT = TypeVar("ReplyT")


def assign_letters(keys: Sequence[str], *, nonce: str) -> dict[str, str]:
    """Assign a letter to each answer, at random but always the same for one run.

    Args:
        keys: The answers' keys, in any order.
        nonce: The token of the run's fences, which seeds the order.

    Returns:
        `{letter: key}`, in the letters' order.
    """
    # Sorted first: seats end in any order, and a resumed run must see the letters that the judge saw.
    order = sorted(keys)
    random.Random(nonce).shuffle(order)  # noqa: S311 - it hides an order, it protects nothing
    return dict(zip(ascii_uppercase, order, strict=False))


_LEAST_ROOM = 300
_FLAGS_PART = 4
"""The part of the room, one in so many, that flagged sentences may take from the answers."""


@dataclass(frozen=True)
class PanelAnswers:
    """The usable answers of a run.

    Args:
        records: The records of the seats that gave them, in the panel's order.
        letters: Each answer's letter and its key.
        nonce: The token of the run's fences.
        is_truncated: Whether answers were cut to fit a model's window.
        flags: The flagged sentences of an answer that are shown, by its key.
        carried: The sources of an earlier run, which every answer may cite.
    """

    records: Sequence[SeatRecord]
    letters: Mapping[str, str]
    nonce: str
    is_truncated: bool = False
    flags: Mapping[str, tuple[Flag, ...]] = field(default_factory=dict)
    carried: Sequence[RetrievedSource] = ()

    def with_flags(self, most: int = MOST_FLAGS) -> "PanelAnswers":
        """Return these answers with the sentences that the audit flagged, at most so many of each."""
        flags = {answer_key(record): flags_of(self.audit_of(record), most) for record in self.records}
        return replace(self, flags=flags)

    def truncated(self, room: int | None) -> "PanelAnswers":
        """Return these answers, cut fairly to `room` characters together; `None` is room enough."""
        if room is None or self._size <= room:
            return self
        flags = take_evenly(self.flags, room // _FLAGS_PART, lambda flag: flag.size)
        contents = truncate_evenly([record["content"] for record in self.records], room - _size_of_flags(flags))
        cut = [
            SeatRecord(**{**record, "content": content}) for record, content in zip(self.records, contents, strict=True)
        ]
        return replace(self, records=cut, flags=flags, is_truncated=True)

    def halved(self) -> "PanelAnswers":
        """Return these answers with half of their characters."""
        return self.truncated(self._size // 2)

    @property
    def _size(self) -> int:
        return sum(len(record["content"]) for record in self.records) + _size_of_flags(self.flags)

    @property
    def names(self) -> dict[str, str]:
        """What each letter stands for: the model's name, or the seat's label where two seats share a model."""
        # By label, not by record: a seat that answered in two waves is one seat, and its model's name tells it.
        seats_of: dict[str, set[str]] = {}
        for record in self.records:
            seats_of.setdefault(record["model"], set()).add(record["seat"])
        return {
            letter: record["seat"] if len(seats_of[record["model"]]) > 1 else record["model"]
            for letter, record in self._records_by_letter()
        }

    @property
    def seats(self) -> dict[str, int]:
        """Each letter's place in the panel."""
        return {letter: record["index"] for letter, record in self._records_by_letter()}

    @property
    def sources(self) -> dict[str, RetrievedSource]:
        """Everything that these seats retrieved or an earlier run handed on, by id."""
        return merge_sources([*self.carried, *(source for record in self.records for source in record["found"])])

    def answers(self) -> str:
        """Return the answers as text, each in a fence of its own, in the letters' order."""
        return "\n\n".join(self._answer(letter, record) for letter, record in self._records_by_letter())

    def unfenced_answers(self) -> str:
        """Return the answers with their citations, as somebody who answers next sees them; to be fenced as a whole."""
        return "\n\n".join(
            f"Answer {letter}, not checked:\n{record['content']}" for letter, record in self._records_by_letter()
        )

    def plain_answers(self) -> str:
        """Return the answers for a model with little context: letters and texts without citations, in one fence."""
        # Numbered against no sources: no id is known, so that every citation is dropped.
        lines = [
            f"Answer {letter}:\n{number_citations(record['content'], {}).text}"
            for letter, record in self._records_by_letter()
        ]
        return fence("\n\n".join(lines), label="answers", nonce=self.nonce)

    def flagged(self) -> str:
        """Return the flagged sentences as a section of a prompt; nothing where there are none."""
        text = fence(render_flags(self.doubtful()), label="flagged sentences", nonce=self.nonce)
        return render("flagged", flagged=text) + "\n\n" if any(self.flags.values()) else ""

    def doubtful(self) -> list[tuple[str, Flag]]:
        """Return the flagged sentences with their answers' letters."""
        return [
            (letter, flag)
            for letter, record in self._records_by_letter()
            for flag in self.flags.get(answer_key(record), ())
        ]

    def statements(self) -> list[str]:
        """Return the answers' lines without their citations, each once."""
        texts = [number_citations(record["content"], {}).text for record in self.records]
        return list(dict.fromkeys(line.strip("- ") for text in texts for line in text.splitlines() if line.strip("- ")))

    def cited_lines(self) -> list[RetrievedSource]:
        """Return the answers' cited lines, each as a note that stands for the first source it cites."""
        lines = [line for record in self.records for line in record["content"].splitlines()]
        return [
            RetrievedSource(
                id=cited[0],
                url=self.sources[cited[0]]["url"],
                title="",
                kind="result",
                text=number_citations(line, {}).text.lstrip("- "),
            )
            for line in dict.fromkeys(lines)
            if (cited := [key for key in cited_ids(line) if key in self.sources])
        ]

    def audit_of(self, record: SeatRecord) -> Audit:
        """Audit one answer's citations against what its seat retrieved or was shown."""
        shown = [source for other in self.records if other["wave"] < record["wave"] for source in other["found"]]
        return seat_audit(record, [*self.carried, *shown])

    def _records_by_letter(self) -> list[tuple[str, SeatRecord]]:
        by_key = {answer_key(record): record for record in self.records}
        return [(letter, by_key[key]) for letter, key in self.letters.items()]

    def _answer(self, letter: str, record: SeatRecord) -> str:
        counts = self.audit_of(record).counts
        # To a reader of the prompt an id that was never retrieved is not unknown but made up.
        audit = ", ".join(f"{number} {verdict}" for verdict, number in counts.items()).replace("unknown", "invented")
        audit = audit if any(counts.values()) else "none"
        notes = " This answer was cut off." if record["truncated"] else ""
        # Runs that an older version stored have no such key.
        notes += " It was written without a look at the sources." if record.get("unread") else ""
        notes += (
            f" It was spoiled, and what is left of it stands here: {fault}." if (fault := record.get("spoiled")) else ""
        )
        body = fence(record["content"], label=f"answer {letter}", nonce=self.nonce)
        # A point was put together from models' words, which are outside text like the answer itself.
        point = fence(record["point"], label="point", nonce=self.nonce) if record["point"] else ""
        notes += f" It was asked about one open point alone:\n\n{point}" if point else ""
        return f"## Answer {letter}\n\nIts citations: {audit}.{notes}\n\n{body}"


def _size_of_flags(flags: Mapping[str, Sequence[Flag]]) -> int:
    return sum(flag.size for several in flags.values() for flag in several)


def panel_answers(state: FusionState) -> PanelAnswers:
    """Return this run's usable answers, with their letters."""
    run = state["run"]
    records = [record for record in records_of_run(state) if record["answered"]]
    earlier = run.get("earlier")
    return PanelAnswers(
        records,
        assign_letters([answer_key(record) for record in records], nonce=run["nonce"]),
        run["nonce"],
        carried=earlier["found"] if earlier else (),
    )


def seat_audit(record: SeatRecord, shown: Sequence[RetrievedSource] = ()) -> Audit:
    """Audit one seat's citations.

    Args:
        record: The seat's record.
        shown: Sources that it did not retrieve and may cite too: of answers that it was shown.
    """
    retrieved = merge_sources([*shown, *record["found"]])
    return _audit(
        record["content"], tuple((source["id"], source["title"], source["text"]) for source in retrieved.values())
    )


# Judge, synthesizer and `ground` each want the same audit of the same answer; hence arguments that can be hashed.
@lru_cache(maxsize=64)
def _audit(content: str, texts: tuple[tuple[str, str, str], ...]) -> Audit:
    sources = {
        key: RetrievedSource(id=key, url="", title=title, kind="result", text=text) for key, title, text in texts
    }
    return audit_citations(content, sources)


async def retry_when_too_long(answers: PanelAnswers, ask: Callable[[PanelAnswers], Awaitable[ReplyT]]) -> ReplyT:
    """Ask with `answers`; where the model's window turns out too small for them, once more with half of them.

    Raises:
        ModelCallError: The model gave no reply.
    """
    try:
        return await ask(answers)
    except ModelCallError as failed:
        if failed.fault.reason != "context_overflow":
            raise
        return await ask(answers.halved())


def answer_room(
    capabilities: Capabilities, panelist: Panelist, without: Callable[[], Sequence[BaseMessage]]
) -> int | None:
    """Return how many characters of answers fit a model's window; `None` where the window is not known.

    Args:
        capabilities: What is known of the model.
        panelist: The model in its role, whose `max_tokens` its answer may take.
        without: Makes the prompt without answers: what it leaves of the window is theirs.
    """
    room = prompt_room(capabilities, panelist)
    return None if room is None else max(_LEAST_ROOM, room - prompt_length(without()))
