"""Cutting several texts to a common room, fairly: the longest give way first, and none is dropped."""

from collections.abc import Sequence

_MARK = " [cut]"
_LONGEST_WORD = 40
"""Where the last white space lies further back, the text has words of another kind: Chinese, an address, a table."""


def pack(texts: Sequence[str], room: int) -> list[str]:
    """`texts`, cut so that together they have at most `room` characters.

    Every text gets the same share; what a short one leaves over goes to the longer ones (max-min fairness, as in
    Bertsekas and Gallager, "Data Networks", section 6.5.2). A cut falls on white space where there is any.

    Args:
        texts: In any order.
        room: Characters for all together; at least a mark of a few characters is kept of each text.
    """
    if sum(map(len, texts)) <= room:
        return list(texts)
    share = _share([len(text) for text in texts], room)
    return [_cut(text, share) for text in texts]


def _share(lengths: Sequence[int], room: int) -> int:
    """The largest length to which all may be cut so that their sum fits."""
    left = room
    for done, length in enumerate(sorted(lengths)):
        fair = left // (len(lengths) - done)
        if length > fair:
            return fair
        left -= length
    return max(lengths, default=0)


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    kept = text[: max(0, length - len(_MARK))]
    words = kept.rsplit(None, 1)[0] if kept.strip() else kept
    return (words if len(kept) - len(words) <= _LONGEST_WORD else kept) + _MARK[: max(1, length)]
