"""Fair shares of a model's window: texts cut so that together they fit, flagged sentences taken while they do."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

RowT = TypeVar("RowT")

_MARK = " [cut]"
_LONGEST_WORD = 40
"""Where the last white space lies further back, the text has words of another kind: Chinese, an address, a table."""


def truncate_evenly(texts: Sequence[str], room: int) -> list[str]:
    """Cut `texts` so that together they have at most `room` characters.

    Every text gets the same share; what a short one leaves over goes to the longer ones (max-min fairness, as in
    Bertsekas and Gallager, "Data Networks", section 6.5.2). A cut falls on white space where there is any.

    Args:
        texts: In any order.
        room: Characters for all together; at least a mark of a few characters is kept of each text.
    """
    if sum(map(len, texts)) <= room:
        return list(texts)
    share = fair_share([len(text) for text in texts], room)
    return [_cut(text, share) for text in texts]


def fair_share(lengths: Sequence[int], room: int) -> int:
    """Return the largest length to which all may be cut so that their sum fits."""
    left = room
    # From the shortest on: what it leaves of its share is divided among those that are longer.
    for done, length in enumerate(sorted(lengths)):
        fair = left // (len(lengths) - done)
        if length > fair:
            return fair
        left -= length
    return max(lengths, default=0)


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    start = text[: max(0, length - len(_MARK))]
    parts = start.rsplit(None, 1)
    words = parts[0] if len(parts) > 1 else start  # one word alone would be returned without the space before it
    return (words if len(start) - len(words) <= _LONGEST_WORD else start) + _MARK[: max(1, length)]


def take_evenly(
    rows: Mapping[str, Sequence[RowT]], room: int, size: Callable[[RowT], int]
) -> dict[str, tuple[RowT, ...]]:
    """Return of each list the first rows that fit its share of `room`; shares as in `truncate_evenly`.

    Args:
        rows: Lists of rows, each in the order of their weight.
        room: Characters for all together.
        size: The characters of a row.
    """
    share = fair_share([sum(map(size, several)) for several in rows.values()], room)
    taken = dict[str, tuple[RowT, ...]]()
    for key, several in rows.items():
        sums = accumulate(map(size, several))
        taken[key] = tuple(row for row, total in zip(several, sums, strict=True) if total <= share)
    return taken
