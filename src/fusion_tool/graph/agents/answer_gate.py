"""A stream of an answer that holds back what may yet turn out to be spoiled."""

from collections.abc import Callable
from dataclasses import dataclass

from fusion_tool.graph.agents.spoiled import TEMPLATE_MARK, Inspect

_BEGINNING, _LONGEST_MARK = 160, 24
"""Characters of an answer by which a stream is judged, and those that may be the beginning of a mark."""


@dataclass
class AnswerGate:
    """A stream of an answer that shows nothing that may yet turn out to be spoiled.

    Args:
        show: Takes what may be shown.
        inspect: Looks at the beginning; `None`: all is shown at once.
    """

    show: Callable[[str], None]
    inspect: Inspect | None
    shown: str = ""
    _text: str = ""

    def feed(self, piece: str) -> None:
        """Take a piece of the reply."""
        self._text += piece
        if self.inspect is None:
            self._show_up_to(len(self._text))
            return
        if not self.shown and (len(self._text) < _BEGINNING or _is_doubtful(self._text[:_BEGINNING], self.inspect)):
            return
        mark = TEMPLATE_MARK.search(self._text)
        self._show_up_to(len(self._text[: mark.start()].rstrip()) if mark else len(self._text) - _LONGEST_MARK)

    def rest_of(self, answer: str) -> str:
        """Return what of the whole answer was not shown; nothing where all is shown as it comes."""
        if self.inspect is None:
            return ""
        shown = self.shown if answer.startswith(self.shown) else self.shown.strip()
        return answer[len(shown) :] if answer.startswith(shown) else ""

    def _show_up_to(self, end: int) -> None:
        if end > len(self.shown):
            self.show(self._text[len(self.shown) : end])
            self.shown = self._text[:end]


def _is_doubtful(beginning: str, inspect: Inspect) -> bool:
    # A fence and an object are told from an answer by their ends alone.
    return inspect(beginning) != (beginning, "") or beginning.lstrip().startswith(("{", "`"))
