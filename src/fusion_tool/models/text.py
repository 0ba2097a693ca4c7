"""What of a model's message is its answer: leaked reasoning stripped, in one piece or in a stream of deltas."""

_OPEN, _CLOSE = "<think>", "</think>"


class AnswerStream:
    """Passes on a stream's answer text and holds back the rest.

    Dropped: white space at either end, and a leading `<think>...</think>` that a server left in the content.
    The joined output is the same for every way of cutting the text into deltas.
    """

    def __init__(self) -> None:
        self._held = ""
        self._started = False

    def feed(self, delta: str) -> str:
        """The part of the answer that is certain after `delta`."""
        self._held += delta
        if not self._started and not self._start():
            return ""
        certain = self._held.rstrip()
        self._held = self._held[len(certain) :]
        return certain

    def _start(self) -> bool:
        """Whether the answer proper has begun."""
        text = self._held.lstrip()
        while text.startswith(_OPEN) and _CLOSE in text:
            text = text.split(_CLOSE, 1)[1].lstrip()
        self._held = text
        self._started = bool(text) and not text.startswith(_OPEN) and not _OPEN.startswith(text)
        return self._started

    def close(self) -> str:
        """The rest, once the stream has ended: nothing, or a short answer that looked like a tag's beginning."""
        held, self._held = self._held, ""
        return "" if self._started or held.startswith(_OPEN) else held


def answer_text(content: str) -> str:
    """The answer in a whole message's text."""
    stream = AnswerStream()
    return stream.feed(content) + stream.close()
