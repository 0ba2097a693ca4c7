"""The last results of a tool, by the ids that its answers name: what a later call may go on from."""

from collections.abc import Mapping
from typing import Any

from fusion_tool.errors import ConfigError
from fusion_tool.graph.inputs import parse_result
from fusion_tool.graph.result import FusionResult

_MOST = 20


class RecentResults:
    """The last results of one tool object, which several conversations may share; the oldest goes first."""

    def __init__(self) -> None:
        self._results: dict[str, dict[str, Any]] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._results

    def add(self, result: dict[str, Any]) -> None:
        """Remember a `FusionResult` as a dict."""
        self._results[result["run_id"]] = result
        while len(self._results) > _MOST:
            self._results.pop(next(iter(self._results)), None)  # another thread may have been faster

    def find(self, run_id: str, conversation: Mapping[str, Any] | None = None) -> FusionResult:
        """Return the result of the run `run_id`.

        Args:
            run_id: The id.
            conversation: The results that the calling conversation holds itself, by id; `None` where there is none.

        Raises:
            ConfigError: It is not known; names the ids that are. Or it is another version's.
        """
        result = self._results.get(run_id) or (conversation or {}).get(run_id)
        if result is not None:
            try:
                return parse_result(result)
            except ConfigError as error:  # in the words of a caller of the graph, who could mend it
                unread = "the answer of that id is none that this version reads; leave it out, and ask anew"
                raise ConfigError(unread, field="continues") from error
        # Of a conversation only its own: an id is all that another user of the tool needs to read its answer.
        known = list(self._results if conversation is None else conversation)
        cure = f"take one of {', '.join(known)}, or leave it out" if known else "there is none yet: leave it out"
        raise ConfigError(f"no earlier answer has the id {run_id[:80]!r}; {cure}", field="continues")
