"""Where citations stand in Markdown: a scanner whose result is the same for a text read whole and read in pieces.

What counts as a citation, for the whole package:

- An id is eight hex digits. In one pair of brackets (ASCII, lenticular `【】` or full-width) stand one or more
  ids, with marks (`^ # @ :` and quotes), labels (`source:`, `see`) and places (`p. 3`, `†L4`) around them.
  Neighbouring brackets are one citation: `[1a2b3c4d][5e6f7a8b]`, `[1a2b3c4d], [5e6f7a8b]`, `([1a2b3c4d])`.
- A link whose text is ids, `[1a2b3c4d](https://…)`, is a citation: the retrieved address wins over the
  one that the model wrote. Other links are text.
- Code is left alone: fenced blocks at any indent (an unclosed one runs to the end), and inline code that
  closes on its own line. Indented blocks are not code: in answers they are nested lists.
- `[3]` is a number that the model wrote, no citation of ours. Glued to a word (`a[3]`) it is an index:
  text. Where nothing was retrieved it is text behind `=` as well (a value), and alone on its line (a list of one).
- What only looks like an id (`[1a2b3c4]`: a digit too few, too many, or none of the hex digits) is a citation of what
  was never retrieved.
- A backslash before a bracket makes it text; a calendar date such as `[20240131]` is no unknown id.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import regex

Kind: TypeAlias = Literal["text", "space", "citation", "number"]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; the `raw` of all tokens, joined, is the text.

    Args:
        kind: `space` is blanks within a line, `number` a bare `[3]` with its link target if it has one.
        raw: The piece as it stands in the text.
        start: Its offset in the whole text, in characters.
        ids: The cited ids in lower case, in order, with repeats; empty unless `kind` is `citation`.
        in_parentheses: The citation stands in parentheses of its own, which `raw` includes.
    """

    kind: Kind
    raw: str
    start: int
    ids: tuple[str, ...] = ()
    in_parentheses: bool = False


BRACKETS = "[\u3010\uff3b"
"""What opens a citation: ASCII's bracket, a lenticular one, a full-width one."""
_LABEL = r"(?:sources?|src|refs?|references?|cites?|citations?|docs?|documents?|see|from|and|ids?|pages?|pp?|lines?)"
_BREAK = r"[ \t,;|&:^#@`\"'\u2019.†*/\u2013-]"
_TARGET = r"(?: \( [^()\s]* \) )"
_BRACKET = rf"""
    [\[【\uff3b] (?:{_BREAK}|(?i:{_LABEL})(?={_BREAK}))*
    (?P<id>(?i:[0-9a-f]{{8}}))
    (?: {_BREAK}+ (?: (?P<id>(?i:[0-9a-f]{{8}})) | (?i:{_LABEL}) | L?[0-9]{{1,4}} (?![0-9a-zA-Z]) ) )*
    {_BREAK}* [\]】\uff3d] {_TARGET}?
"""
_JOIN = r"[ \t]*[,;]?[ \t]*"
_CLUSTER = rf"{_BRACKET} (?: {_JOIN} {_BRACKET} )*"
_WRAPPED = rf"""
    (?: (?P<paren>\() [ \t]* (?: (?i:{_LABEL}) [ \t:]+ )? {_CLUSTER} [ \t]* \)
      | \[ [ \t]* (?: (?i:{_LABEL}) [ \t:]+ )? {_CLUSTER} [ \t]* \] {_TARGET}? )
"""


def _compile(pattern: str) -> "regex.Pattern[str]":
    # `regex` and not `re`: it can tell that the text so far may become a match (`partial`), and `id` may repeat.
    return regex.compile(pattern, regex.VERBOSE)


# The form with its own brackets first: at "[[a]]" the bare form would find nothing and leave the outer pair as text.
_CITATIONS = (_compile(_WRAPPED), _compile(_CLUSTER))
_CONTINUES = _compile(rf"{_JOIN} {_BRACKET} | {_TARGET}")
_LOOKALIKE = _compile(
    r"[\[\u3010\uff3b] [\^#@]? (?P<id> (?i:[0-9a-f]{7} | [0-9a-f]{9,10}) | [0-9a-f]{3} [0-9a-z]{5} ) [\]\u3011\uff3d]"
    r" (?!\()"  # a link keeps its text
)
_FEWEST_DIGITS = 2
"""Digits of what looks like an id; it has a letter, too, so that neither a word nor a number is taken for one."""
_LIST_OF_ONE = _compile(r"\[ [0-9]{1,3} \] [ \t]* (?: \n | \Z )")
_NUMBER = _compile(rf"\[ [0-9]{{1,3}} \] {_TARGET}?")
# A complete match of these can still grow: a neighbouring citation may join it, or a link target follow.
_GROWING = (*_CITATIONS, _NUMBER)
_OPERATORS = "=^\u2248\u2208\u2192\u21d2\u2264\u2265"

_TICKS = _compile(r"`+")
_FENCE = _compile(r"[ \t>]* (?P<mark>`{3,}|~{3,}) [^`\n]* \n")
_WORD = r"[^ \t\n`\\(\[【\uff3b]+"
_TEXT = _compile(rf"\\. | \n | {_WORD} (?: [ \t]+ {_WORD} )* | .")
_SPACE = _compile(r"[ \t]+")
_DATE = _compile(r"(?:19|20)[0-9]{2} (?:0[1-9]|1[0-2]) (?:0[1-9]|[12][0-9]|3[01])")


class _UnfinishedError(Exception):
    """The text held so far may still become another token; more of it must be read."""


class Scanner:
    """A reader of a text in pieces that yields each token as soon as it is certain.

    Where the pieces are cut may change where `text` and `space` tokens are cut, and nothing else.

    Args:
        known_ids: The retrieved ids; used only to tell an unknown id from a date.
    """

    def __init__(self, known_ids: frozenset[str] = frozenset()) -> None:
        self._known = known_ids
        self._held = ""
        self._offset = 0
        # The character before `_held`. A text begins like a line, so that it may open with a code fence.
        self._before = "\n"
        # The last character that is no blank.
        self._visible = "\n"
        self._fence = ""
        self._final = False

    def feed(self, piece: str) -> Iterator[Token]:
        """Yield the tokens that `piece` makes certain."""
        self._held += piece
        position = 0
        try:
            while position < len(self._held):
                token = self._fenced_line(position) if self._fence else self._next(position)
                position += len(token.raw)
                self._before = token.raw[-1]
                if token.kind != "space":
                    self._visible = token.raw.rstrip(" \t")[-1:] or self._visible
                yield token
        except _UnfinishedError:
            pass  # not a fault: the rest is held until the next piece, or until `close`
        self._offset += position
        self._held = self._held[position:]

    def close(self) -> Iterator[Token]:
        """Yield the tokens that were held back; nothing may be fed afterwards."""
        self._final = True
        return self.feed("")

    def _next(self, at: int) -> Token:
        # Code before citations: what stands in a fence or in backticks must never be taken for one.
        if self._before == "\n" and (fence := self._match(_FENCE, at)):
            self._fence = fence["mark"]
            return self._token("text", at, fence.end())
        if space := _SPACE.match(self._held, at):
            return self._token("space", at, space.end())
        if self._held[at] == "`":
            return self._token("text", at, self._inline(at))
        if (self._held[at] == "(" or self._held[at] in BRACKETS) and (token := self._citation(at) or self._number(at)):
            return token
        if self._held[at] == "\\" and at + 1 == len(self._held) and not self._final:
            raise _UnfinishedError
        text = _TEXT.match(self._held, at)
        return self._token("text", at, text.end() if text else at + 1)

    def _inline(self, at: int) -> int:
        """Return the end of the inline code that opens at `at`; of the backticks alone if nothing closes them."""
        # To the end of the line, although CommonMark lets inline code run on: a stray backtick would hold back the
        # rest of a stream, and hide every citation in it.
        stop = self._held.find("\n", at)
        runs = _TICKS.finditer(self._held, at, stop if stop >= 0 else len(self._held))
        opening = next(runs)
        closing = next((run for run in runs if len(run[0]) == len(opening[0])), None)
        end = int((closing or opening).end())
        if not self._final and stop < 0 and (closing is None or end == len(self._held)):
            raise _UnfinishedError
        return end

    def _citation(self, at: int) -> Token | None:
        for pattern in _CITATIONS:
            if (match := self._match(pattern, at)) is None:
                continue
            ids = tuple(source_id.lower() for source_id in match.captures("id"))
            # "[20240131]" has eight hex digits, too: as an unknown id it would be dropped from the answer.
            if all(source_id not in self._known and _DATE.fullmatch(source_id) for source_id in ids):
                return None
            in_parentheses = match.groupdict().get("paren") is not None
            return self._token("citation", at, match.end(), ids, in_parentheses=in_parentheses)
        if self._is_index() or not (match := self._match(_LOOKALIKE, at)):
            return None
        digits = sum(character.isdigit() for character in match["id"])
        if not _FEWEST_DIGITS <= digits < len(match["id"]):
            return None
        return self._token("citation", at, match.end(), (match["id"].lower(),))

    def _is_index(self) -> bool:
        """Tell whether a bracket here is glued to a word or, where nothing was retrieved, stands behind `=`."""
        is_value = not self._known and self._visible in _OPERATORS
        return self._before.isalnum() or self._before in "_])" or is_value

    def _number(self, at: int) -> Token | None:
        if self._is_index():
            return None
        if not self._known and self._before == "\n" and self._match(_LIST_OF_ONE, at):
            return None
        match = self._match(_NUMBER, at)
        return self._token("number", at, match.end()) if match else None

    def _fenced_line(self, at: int) -> Token:
        """Return the rest of the line inside a fenced block, and leave the block if the line closes it."""
        end = self._held.find("\n", at) + 1
        if self._before == "\n":
            mark = self._fence[0]
            # CommonMark: the closing fence is at least as long as the opening one, and nothing follows it.
            closing = _compile(rf"[ \t>]* {mark}{{{len(self._fence)},}} [ \t]*")
            line = self._held[at:end].rstrip("\n") if end else self._held[at:]
            if not end and not self._final and closing.fullmatch(line, partial=True):
                raise _UnfinishedError
            if end and closing.fullmatch(line):
                self._fence = ""
        return self._token("text", at, end or len(self._held))

    def _match(self, pattern: "regex.Pattern[str]", at: int) -> "regex.Match[str] | None":
        match = pattern.match(self._held, at, partial=not self._final)
        if match and not self._final:
            more = pattern in _GROWING and _CONTINUES.fullmatch(self._held, match.end(), partial=True)
            if match.partial or match.end() == len(self._held) or more:
                raise _UnfinishedError
        return match

    def _token(
        self, kind: Kind, start: int, end: int, ids: tuple[str, ...] = (), *, in_parentheses: bool = False
    ) -> Token:
        return Token(kind, self._held[start:end], self._offset + start, ids, in_parentheses)


def tokens(text: str, known_ids: frozenset[str] = frozenset()) -> Iterator[Token]:
    """Yield all tokens of `text`, in order.

    Args:
        text: Markdown.
        known_ids: The retrieved ids; used only to tell an unknown id from a date.
    """
    scanner = Scanner(known_ids)
    yield from scanner.feed(text)
    yield from scanner.close()
