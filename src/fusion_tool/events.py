"""The closed set of progress events, as typed dicts. `t` is seconds since the run's start."""

from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict


class _Event(TypedDict):
    run_id: str
    t: float


class RunStarted(_Event):
    """The run has begun."""

    type: Literal["run.started"]
    question: str


class PlanChosen(_Event):
    """Strategy and seats are settled; `seats` are labels."""

    type: Literal["plan.chosen"]
    strategy: str
    seats: list[str]
    reason: str


class WaveStarted(_Event):
    """A wave of seats is sent out; the first is 1."""

    type: Literal["wave.started"]
    wave: int
    seats: list[str]


class PanelistStarted(_Event):
    """A seat has begun."""

    type: Literal["panelist.started"]
    seat: str
    model: str
    wave: int


class PanelistTool(_Event):
    """A seat used a tool; `found` counts the sources that it brought."""

    type: Literal["panelist.tool"]
    seat: str
    tool: str
    query: str
    found: int


class PanelistAnswered(_Event):
    """A seat gave a usable answer; `cost_usd` is `None` where unknown."""

    type: Literal["panelist.answered"]
    seat: str
    model: str
    seconds: float
    cost_usd: float | None


class PanelistFailed(_Event):
    """A seat gave none."""

    type: Literal["panelist.failed"]
    seat: str
    model: str
    reason: str
    message: str


class PanelClosed(_Event):
    """No more answers are waited for."""

    type: Literal["panel.closed"]
    answered: int
    failed: int


class JudgeCompleted(_Event):
    """The comparison is done; counts are `None` where there is no analysis."""

    type: Literal["judge.completed"]
    consensus: int | None
    contradictions: int | None


class SynthesisDelta(_Event):
    """A piece of the answer. The joined pieces of the last `attempt` are the answer."""

    type: Literal["synthesis.delta"]
    text: str
    attempt: int


class RunCompleted(_Event):
    """The run is over; `result` is the `FusionResult` as a dict."""

    type: Literal["run.completed"]
    status: Literal["ok", "partial"]
    result: dict[str, Any]


Event: TypeAlias = (
    RunStarted
    | PlanChosen
    | WaveStarted
    | PanelistStarted
    | PanelistTool
    | PanelistAnswered
    | PanelistFailed
    | PanelClosed
    | JudgeCompleted
    | SynthesisDelta
    | RunCompleted
)
