"""A client's last results as MCP resources: `fusion://results`, and `fusion://results/RUN_ID` for each.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/server/resources. They stay in memory, and no other
session sees them.
"""

import json
from typing import Any

from mcp import types

from fusion_tool.servers.mcp.sdk import protocol_error

_ROOT = "fusion://results"
_JSON = "application/json"
_NOT_FOUND = -32002
"""The protocol's code for a resource that does not exist."""
_LONGEST_TITLE = 80

TEMPLATE = types.ResourceTemplate(
    uriTemplate=f"{_ROOT}/{{run_id}}",
    name="result",
    title="One result, whole",
    description="Answer, citations, analysis, every seat's own answer, the bill: all that a run left.",
    mimeType=_JSON,
)


class ResultResources:
    """The last results of one session.

    Args:
        max_results: How many are stored; the oldest goes first.
    """

    def __init__(self, max_results: int = 20) -> None:
        self._max_results = max_results
        self._results: dict[str, dict[str, Any]] = {}

    def add(self, result: dict[str, Any]) -> None:
        """Keep a `FusionResult` as a dict."""
        self._results[result["run_id"]] = result
        # Bounded: a client may stay connected for days, and a result holds all sources. The first key is the oldest.
        while len(self._results) > self._max_results:
            del self._results[next(iter(self._results))]

    def get(self, run_id: str) -> dict[str, Any] | None:
        """Return the result of a run; `None` where it is not, or no longer, here."""
        return self._results.get(run_id)

    @property
    def run_ids(self) -> list[str]:
        """The ids of the runs, the oldest first."""
        return list(self._results)

    def list_resources(self) -> list[types.Resource]:
        """Answer `resources/list`: the list, then the results, the newest first."""
        about = "The last results of this session: run_id, question, status, created_at."
        overview = types.Resource(
            uri=_uri(_ROOT), name="results", title="The last results", description=about, mimeType=_JSON
        )
        return [overview, *(_resource(result) for result in reversed(self._results.values()))]

    def read(self, uri: str) -> types.ReadResourceResult:
        """Answer `resources/read`: the list as JSON, or one result.

        Args:
            uri: The resource's address, as `list_resources` gives it.

        Raises:
            Exception: The package's own: there is no such result, or not any more.
        """
        root, _, run_id = uri.partition(f"{_ROOT}/")
        if not run_id and root.rstrip("/") == _ROOT:
            return _contents(uri, [_row(result) for result in reversed(self._results.values())])
        if root or run_id not in self._results:
            message = f"no result at {uri}; {_ROOT} lists the last {self._max_results} of this session"
            raise protocol_error(_NOT_FOUND, message, {"uri": uri})
        return _contents(uri, self._results[run_id])


class SessionResults:
    """The last results of each session.

    Args:
        max_sessions: How many sessions' are stored; those of the session that asked longest ago go first.
    """

    def __init__(self, max_sessions: int = 100) -> None:
        self._max_sessions = max_sessions
        self._sessions: dict[tuple[str, ...], ResultResources] = {}

    def of(self, *session: str) -> ResultResources:
        """Return the results of a session, by whatever names it."""
        results = self._sessions.pop(session, None) or ResultResources()
        self._sessions[session] = results  # last again
        while len(self._sessions) > self._max_sessions:
            del self._sessions[next(iter(self._sessions))]
        return results


def _resource(result: dict[str, Any]) -> types.Resource:
    question = " ".join(result["question"].split())
    return types.Resource(
        uri=_uri(f"{_ROOT}/{result['run_id']}"),
        name=f"result {result['run_id'][:8]}",
        title=question[:_LONGEST_TITLE],
        description=f"{result['status']}, {result['created_at']}",
        mimeType=_JSON,
    )


def _row(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("run_id", "question", "status", "created_at")}


def _contents(uri: str, value: Any) -> types.ReadResourceResult:
    text = json.dumps(value, ensure_ascii=False)
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=_uri(uri), mimeType=_JSON, text=text)])


def _uri(text: str) -> Any:
    """Return an address for the package's models: its first major reads it as a URL, its second leaves it a text."""
    return text
