"""The closed set of progress events as typed dicts, and how strangers' texts and figures are written in a line.

`t` is seconds since the run's start.
"""

import re
from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict


class EventStamp(TypedDict):
    """The fields of all events: the run's id, and the seconds since its start."""

    run_id: str
    t: float


class RunStarted(EventStamp):
    """The beginning of a run."""

    type: Literal["run.started"]
    question: str


class PlanChosen(EventStamp):
    """The choice of strategy and seats; `seats` are labels.

    `expected_seconds` is how long models on the user's own machines will work; `None` where none does, or none was
    measured.
    """

    type: Literal["plan.chosen"]
    strategy: str
    seats: list[str]
    reason: str
    expected_seconds: float | None


class WaveStarted(EventStamp):
    """The beginning of a wave of seats; the first is 1."""

    type: Literal["wave.started"]
    wave: int
    seats: list[str]


class PanelistStarted(EventStamp):
    """The beginning of a seat's work."""

    type: Literal["panelist.started"]
    seat: str
    model: str
    wave: int


class TrialStarted(EventStamp):
    """The beginning of a trial, by `seat`, of one of the user's own models at its first use."""

    type: Literal["trial.started"]
    seat: str
    model: str


class TrialCompleted(EventStamp):
    """What a model did in its trial, and the path to an answer that is taken: `tools`, `evidence` or `claims`.

    `calls_tools` and `cites` are `None` where the trial failed; `failure` says why, and is `None` where it did not.
    """

    type: Literal["trial.completed"]
    seat: str
    model: str
    seconds: float
    calls_tools: bool | None
    cites: bool | None
    path: str
    failure: str | None


class PanelistTool(EventStamp):
    """A seat's use of a tool; `found` counts the sources that it returned.

    `failure` is one of `fusion_tool.errors.TOOL_REASONS` where the tool could not do its work, else `None`.
    """

    type: Literal["panelist.tool"]
    seat: str
    tool: str
    query: str
    found: int
    failure: str | None


class PanelistAnswered(EventStamp):
    """A seat's usable answer; `cost_usd` is US dollars, `None` where unknown.

    `text` is at most 4,000 characters of it, with its citations by id; `None` with `trace_content = false`.
    """

    type: Literal["panelist.answered"]
    seat: str
    model: str
    seconds: float
    cost_usd: float | None
    text: str | None


class PanelistFailed(EventStamp):
    """A seat's end without a usable answer; `reason` is one of `fusion_tool.errors.REASONS`."""

    type: Literal["panelist.failed"]
    seat: str
    model: str
    reason: str
    message: str


class PanelClosed(EventStamp):
    """The end of the wait for answers."""

    type: Literal["panel.closed"]
    answered: int
    failed: int


class JudgeCompleted(EventStamp):
    """The judge's comparison, and whose it is; all of them are `None` where there is no analysis.

    `analysis` is that of the result; `None` with `trace_content = false` too.
    """

    type: Literal["judge.completed"]
    model: str | None
    consensus: int | None
    contradictions: int | None
    analysis: dict[str, Any] | None


class SynthesisDelta(EventStamp):
    """A piece of the answer, by `model`. The joined pieces of the last `attempt` are the answer."""

    type: Literal["synthesis.delta"]
    text: str
    attempt: int
    model: str


class VerificationCompleted(EventStamp):
    """A second reader's verdicts on the citations; `unread` counts those without one, `model` is `None` without any."""

    type: Literal["verification.completed"]
    model: str | None
    supports: int
    contradicts: int
    says_nothing: int
    unread: int


class RunCompleted(EventStamp):
    """The end of a run; `result` is the `FusionResult` as a dict."""

    type: Literal["run.completed"]
    status: Literal["ok", "partial"]
    result: dict[str, Any]


Event: TypeAlias = (
    RunStarted
    | PlanChosen
    | WaveStarted
    | PanelistStarted
    | TrialStarted
    | TrialCompleted
    | PanelistTool
    | PanelistAnswered
    | PanelistFailed
    | PanelClosed
    | JudgeCompleted
    | SynthesisDelta
    | VerificationCompleted
    | RunCompleted
)


def run_started(result: dict[str, Any]) -> RunStarted:
    """Return the first event of a run whose result is there already."""
    return RunStarted(type="run.started", run_id=result["run_id"], t=0.0, question=result["question"])


def run_completed(result: dict[str, Any]) -> RunCompleted:
    """Return the last event of a run whose result is there already."""
    stamp = EventStamp(run_id=result["run_id"], t=result["timing"]["total_seconds"])
    return RunCompleted(type="run.completed", **stamp, status=result["status"], result=result)


UNKNOWN = "unknown"

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, those that turn the direction of writing, and halves of characters."""


def printable(text: str) -> str:
    """Return `text` without what could steer a terminal: models and pages are data."""
    return _UNSAFE.sub("", text)


def one_line(text: str, longest: int = 200) -> str:
    """Return `text` as one printable line of at most `longest` characters; what is cut off is marked."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= longest else f"{flat[: max(0, longest - 1)]}…"


_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def plain_line(text: str, longest: int = 300) -> str:
    """Return `text` as one line of at most `longest` characters, all of them visible; what is cut off is marked.

    For error messages in a stranger's words, which models read too: unlike `one_line` it lets no character through
    that has no shape of its own, not even the joiners that some scripts need.
    """
    # Cut first: an error may be a whole page, of which the line is the beginning.
    beginning = _COLOUR.sub("", text[: 20 * longest])
    flat = " ".join("".join(char if char.isprintable() else " " for char in beginning).split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"


def format_usd(cost: float | None) -> str:
    """Return an amount of US dollars as text; unknown is said, never 0."""
    return UNKNOWN if cost is None else f"${cost:.4f}"


def format_cost(cost_usd: float | None, unpriced: int) -> str:
    """Return a sum of costs as text, with the number of calls that it leaves out; of no calls it is nothing.

    Args:
        cost_usd: The known costs together, in US dollars; `None` where none is known.
        unpriced: How many calls have no known cost.
    """
    if cost_usd is None and not unpriced:
        return "nothing"
    remainder = f" + {unpriced} of unknown cost" if unpriced and cost_usd is not None else ""
    return format_usd(cost_usd) + remainder


def format_seconds(value: float | None) -> str:
    """Return a duration in seconds as text; unknown is said, never 0."""
    return UNKNOWN if value is None else f"{value:.1f} s"


_IN_SECONDS = 90
"""Up to this many seconds a duration is told in them, beyond it in minutes."""


def format_duration(seconds: float) -> str:
    """Return about how long something takes, as people say it."""
    if seconds < _IN_SECONDS:
        return f"{max(1, round(seconds / 5)) * 5} seconds"
    return f"{round(seconds / 60)} minutes"
