"""What of a model's text is its answer: leaked reasoning taken out, in one piece or in a stream of deltas.

Reasoning is what stands between a notation's marks, at the beginning of the text or on lines of its own; and what
stands before a closing mark that was never opened, since many chat templates write the opening one into the prompt.
"""

# ruff: noqa: RUF001

import regex

from fusion_tool.models.wire.prose import is_in_code, is_quoted, line_before
from fusion_tool.models.wire.reasoning_marks import (
    ANSWER_TAGS,
    ANSWER_TOKENS,
    BEGINNINGS,
    BEGINS_THOUGHT,
    CLOSES_ALONE,
    END,
    END_IN_TAGS,
    HEADS,
    MARKS,
    OPENS_ANY,
    TOOL_CALL_OPENS,
    ReasoningMark,
    begins_with_mark,
    find_closing,
)

_SENTENCE_ENDS = ".!?…。！？)]}\"'”’»*>"
_ABOUT_TAGS = regex.compile(r"\b(?:tags?|tokens?|markers?|elements?|write[sn]?|between|clos(?:es?|ing))\b", regex.I)
_LINE_OPENING = regex.compile(r"\n[ \t]*(?=[<\[◁])")
_LINE_END = regex.compile(r"[ \t]*(?:\n|\Z)")
_WORD = regex.compile(r".[^\s<]*", regex.DOTALL)
_LONGEST_CLOSING = 80
_LONGEST_END = 32  # each of the tokens with which a text may end begins with "<"
_WHITE = "".join(regex.findall(r"\s", "".join(map(chr, range(0x3001)))))


class ReasoningFilter:
    """Passes on a stream's answer text and holds back the rest.

    Dropped: leaked reasoning, tokens that end a message, and white space at either end. The joined output is the
    same for every way of cutting the text into deltas, and the same as of `strip_reasoning`.

    Args:
        begins_inside: Whether the text may begin amid reasoning that only a closing mark ends. It is then held back
            until that mark, or the end: `False` for a model that is known not to, so that its text goes on at once.
        only_thoughts: Whether only a text that begins as a thought waits for a closing mark, as one must that is shown
            while it is written.
    """

    def __init__(self, *, begins_inside: bool = True, only_thoughts: bool = False) -> None:
        self._begins_inside, self._only_thoughts = begins_inside, only_thoughts
        self._held = ""
        self._passed = ""
        self._started = False
        self._within: ReasoningMark | None = None
        self._scanned = 0
        """How far `_held` has been searched for a closing mark."""
        self._end = END
        self._run = 0
        """How much of `_held`, from its beginning, is white space and tokens with which the text may end."""
        self._has_reasoned = False

    def feed(self, delta: str) -> str:
        """Return the part of the answer that is certain after `delta`."""
        self._held += delta
        return self._advance(final=False)

    def close(self) -> str:
        """Return the rest, once the stream has ended."""
        return self._advance(final=True)

    def apply(self, content: str) -> str:
        """Return the answer in a whole text."""
        self._held += content
        return self.close()

    def _advance(self, *, final: bool) -> str:
        while not self._started:
            if not self._begin(final=final):
                return ""
        # What has gone on cannot be taken back, so only what no later text can change does.
        certain = self._certain(final=final)
        text, self._held = self._held[:certain], self._held[certain:]
        self._passed += text
        if final:
            self._held = ""
        return text

    def _begin(self, *, final: bool) -> bool:
        """Take one step towards the answer; `False` where that needs more text, or none is left."""
        if self._within:
            return self._leave(self._within, final=final)
        if begins_with_mark(self._held) and (is_on := self._pass_mark(final=final)) is not None:
            return is_on
        if not self._held:
            return False
        self._started = not self._begins_inside or self._is_answer(final=final)
        return self._started or not self._begins_inside

    def _pass_mark(self, *, final: bool) -> bool | None:
        """Pass what stands before an answer, as `_begin` does; `None` where nothing does."""
        # Templates and servers put white space around every mark.
        self._held = HEADS.sub("", self._held, count=1)
        if not self._held:
            return False
        if mark := next((mark for mark in MARKS if mark.opens.match(self._held)), None):
            self._within, self._scanned = mark, 0
            return True
        tag = ANSWER_TAGS.match(self._held) if self._has_reasoned else None
        if beside := tag or ANSWER_TOKENS.match(self._held) or CLOSES_ALONE.match(self._held):
            self._drop(beside.end())
            self._end = END_IN_TAGS if tag else self._end
            return True
        if not final and any(beginning.match(self._held, partial=True) for beginning in BEGINNINGS):
            return False
        return None

    def _leave(self, mark: ReasoningMark, *, final: bool) -> bool:
        """Drop reasoning that was opened, as soon as it is closed."""
        opened = mark.opens.match(self._held)
        if closing := mark.closes.search(self._held, max(self._scanned, opened.end() if opened else 0)):
            self._drop(closing.end())
            return True
        self._scanned = len(self._held) - _LONGEST_CLOSING
        # Some models call a tool amid reasoning that they never close; the call must not go with it.
        if final and mark.is_sure:
            call = TOOL_CALL_OPENS.search(self._held)
            self._held = self._held[call.start() :] if call else ""
        self._started = final and bool(self._held)
        return self._started

    def _drop(self, end: int) -> None:
        self._held = self._held[end:]
        self._within, self._scanned = None, 0
        self._begins_inside, self._has_reasoned = False, True

    def _is_answer(self, *, final: bool) -> bool:
        """Return whether no closing mark comes any more; where one has come, what stands before it goes."""
        if self._only_thoughts and not BEGINS_THOUGHT.match(self._held, partial=not final):
            return True
        while closing := find_closing(self._held, max(self._scanned, 0)):
            ends = _ends_reasoning(self._held, closing.start(), closing.end(), final=final)
            if ends is None:
                return False
            if ends:
                self._drop(closing.end())
                return False
            self._scanned = closing.end()
        self._scanned = max(self._scanned, len(self._held) - _LONGEST_CLOSING)
        return final

    def _certain(self, *, final: bool) -> int:
        """Return how much of an answer that has begun can go on; reasoning on lines of its own is cut out of it."""
        place = 0
        while line := _LINE_OPENING.search(self._held, place):
            place = line.end()
            opening = OPENS_ANY.match(self._held, place, partial=not final)
            if opening is None:
                continue
            block = 0 if opening.partial else self._block_end(place, final=final)
            if opening.partial or (block is None and not final):
                return self._last_run(line.start(), final=False)
            if block:
                self._held, place, self._run = self._held[: line.start()] + self._held[block:], line.start(), 0
        return self._last_run(len(self._held), final=final)

    def _last_run(self, limit: int, *, final: bool) -> int:
        """Return where the white space and the tokens begin with which the text up to `limit` may end."""
        bare = len(self._held[:limit].rstrip(_WHITE))
        # Most texts end without such a token, and going through them word by word took a tenth of a run.
        if bare > self._run and "<" not in self._held[max(0, bare - _LONGEST_END) : limit]:
            self._run = limit - bare
            return bare
        start, place = 0, self._run
        while place < limit:
            if end := self._end.match(self._held, place, limit):
                place = end.end()
            elif not final and self._end.match(self._held, place, limit, partial=True):
                break
            else:
                word = _WORD.match(self._held, place, limit)
                start = place = word.end() if word else limit
        self._run = place - start
        return start

    def _block_end(self, place: int, *, final: bool) -> int | None:
        """Return where the reasoning opened at `place` ends; 0 where it is none, `None` where that is not known."""
        if is_in_code(self._passed + self._held, len(self._passed) + place):
            return 0
        mark = next(mark for mark in MARKS if mark.opens.match(self._held, place))
        closing = mark.closes.search(self._held, place + 1)
        if closing is None:
            return None
        rest = self._held[closing.end() :]
        if not rest.strip(" \t") and not final:
            return None
        return closing.end() if _LINE_END.match(rest) else 0


def strip_reasoning(content: str, *, begins_inside: bool = True) -> str:
    """Return the answer in a whole message's text; for `begins_inside` see `ReasoningFilter`."""
    return ReasoningFilter(begins_inside=begins_inside).apply(content)


def begins_amid_reasoning(content: str) -> bool:
    """Return whether a whole text begins amid reasoning that only a closing mark ends."""
    is_closed = find_closing(content) is not None
    return is_closed and strip_reasoning(content) != strip_reasoning(content, begins_inside=False)


def _ends_reasoning(text: str, start: int, end: int, *, final: bool) -> bool | None:
    """Return whether a closing mark ends reasoning or is written about; `None` if the next characters tell."""
    if end == len(text) and not final:
        return None
    before, after = line_before(text, start), text[end:].lstrip(" \t")
    if is_in_code(text, start) or is_quoted(text, start, end):
        return False
    if not text[start:end].endswith(("|>", "▷")):  # no text writes tokens by the way
        if OPENS_ANY.search(text, 0, start):
            return False
        if before[-1:].isspace() and before.strip() and before.rstrip()[-1] not in _SENTENCE_ENDS:
            return None if not after and not final else after.startswith("\n") and not _ABOUT_TAGS.search(before)
    return True
