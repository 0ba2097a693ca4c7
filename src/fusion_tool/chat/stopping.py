"""Stop sequences, kept over a text that arrives in pieces."""

from collections.abc import Sequence


class Until:
    """Passes a text on up to the first of its stop sequences; nothing behind it.

    The joined output is the same for every way of cutting the text into pieces. Held back is only what may still
    become a stop sequence.

    Args:
        stops: The sequences; empty ones never stop.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self._is_over = False

    def feed(self, text: str) -> str:
        """What is certain after `text`; may be empty."""
        if self._is_over:
            return ""
        text = self._held + text
        ends = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        self._is_over = bool(ends)
        certain = min(ends) if ends else len(text) - self._begun(text)
        self._held = text[certain:]
        return text[:certain]

    def close(self) -> str:
        """The rest, once the text has ended."""
        return "" if self._is_over else self._held

    def _begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a stop sequence."""
        return max((n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)


def until(stops: Sequence[str], text: str) -> str:
    """`text` up to the first of `stops`."""
    kept = Until(stops)
    return kept.feed(text) + kept.close()
