"""A text in chunks: whole paragraphs where they are short, whole sentences where they are long."""

import re
from collections.abc import Iterator

_MOST_WORDS = 120
_MOST_CHARS = 1000  # for scripts that put no spaces between words
_TAIL_WORDS = 40  # a shorter rest goes with the chunk before it

_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+")


def chunked(text: str) -> list[str]:
    """Cut `text` into chunks of about 60 to 120 words, none above 160 words; lines are kept."""
    chunks: list[str] = []
    lines: list[str] = []
    words = chars = 0
    for piece in _pieces(text.replace("\0", " ")):
        count = len(piece.split())
        if lines and (words + count > _MOST_WORDS or chars + len(piece) > _MOST_CHARS):
            chunks.append("\n".join(lines))
            lines, words, chars = [], 0, 0
        lines.append(piece)
        words, chars = words + count, chars + len(piece)
    if lines and chunks and words < _TAIL_WORDS and chars < _MOST_CHARS // 3:
        chunks[-1] += "\n" + "\n".join(lines)
    elif lines:
        chunks.append("\n".join(lines))
    return chunks


def _pieces(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line := line.strip():
            yield from _split(line) if _too_long(line) else [line]


def _split(line: str) -> Iterator[str]:
    """Pack sentences, and the words of a sentence that is too long itself, up to half of a chunk."""
    packed = ""
    for sentence in _SENTENCE_END.split(line):
        for part in _hard_split(sentence) if _too_long(sentence) else [sentence]:
            if packed and _too_long(f"{packed} {part}", share=2):
                yield packed
                packed = part
            else:
                packed = f"{packed} {part}".strip()
    if packed:
        yield packed


def _hard_split(sentence: str) -> Iterator[str]:
    words = sentence.split()
    step = _MOST_WORDS // 2
    for start in range(0, len(words), step):
        part = " ".join(words[start : start + step])
        yield from (part[at : at + _MOST_CHARS // 2] for at in range(0, len(part), _MOST_CHARS // 2))


def _too_long(text: str, share: int = 1) -> bool:
    return len(text) > _MOST_CHARS // share or len(text.split()) > _MOST_WORDS // share
