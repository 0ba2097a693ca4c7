"""The graph's state: plain dicts and lists, so that any checkpointer, the Agent Server and Studio take it."""

from typing import Annotated, Any, NotRequired

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from langgraph.graph import add_messages
from pydantic import Field
from typing_extensions import TypedDict

from fusion_tool.grounding.sources import RetrievedSource


class Run(TypedDict):
    """What `route` fixes for the whole run; `from_messages` says whether the question came as a message.

    `instructions` is how the answer shall be written, `answer_schema` the JSON schema that it shall have, if any.
    `started` is Unix time in seconds, `nonce` the token of this run's fences, `config` the configuration as JSON (it
    holds no secrets), `decided` what `route` made of it, `None` where nothing else.
    """

    id: str
    question: str
    context: str
    instructions: str
    answer_schema: dict[str, Any] | None
    from_messages: bool
    started: float
    created_at: str
    nonce: str
    config: dict[str, Any]
    decided: dict[str, Any] | None


class Plan(TypedDict):
    """Strategy and seats (indices into the configuration's panel), with the reason and what the shell is.

    `waves` are the seats in the order in which they may be asked, those of one wave side by side.
    """

    strategy: str
    seats: list[int]
    waves: list[list[int]]
    reason: str
    bash: str


class SeatAssignment(TypedDict):
    """What one seat is asked in a wave.

    `point` is what it shall look at, empty for the question as a whole; `shown` are the answers that it sees.
    """

    seat: int
    point: str
    shown: str


class Failure(TypedDict):
    """One model of a seat that gave no usable answer."""

    model: str
    reason: str
    message: str
    status_code: int | None


class SeatRecord(TypedDict):
    """What became of one seat in one wave.

    `index` is its place in the panel, `seat` its label, `point` what it was asked to look at; `answered` says
    whether `content` is usable, `truncated` whether it was cut off at the model's token limit, `unread` whether it
    was written without a look at the sources that there were; `spent` is dollars and tokens that count against the
    limits.
    """

    run_id: str
    wave: int
    index: int
    seat: str
    model: str
    point: str
    answered: bool
    truncated: bool
    unread: NotRequired[bool]
    content: str
    found: list[RetrievedSource]
    tool_calls: int
    dropped: int
    seconds: float
    failures: list[Failure]
    calls: list[dict[str, Any]]
    spent: list[float]


class StageRecord(TypedDict):
    """What the judge or the synthesizer made: its product, its calls, its seconds, and what was lost.

    `spent` is dollars and tokens that count against the limits; `output` is the analysis (a dict, still
    with letters for the answers) or the raw text of the answer, `None` where there is none.
    """

    output: Any
    calls: list[dict[str, Any]]
    spent: list[float]
    seconds: float
    degraded: list[str]


def merge_records(old: list[SeatRecord], new: list[SeatRecord]) -> list[SeatRecord]:
    """Records by (run, wave, seat); a later one replaces an earlier one, so that a resumed seat counts once."""
    merged = {(r["run_id"], r["wave"], r["seat"]): r for r in [*old, *new]}
    return list(merged.values())


class FusionInput(TypedDict, total=False):
    """Either `question` (and what the caller already knows, `context`) or `messages`.

    `instructions` says how the answer shall be written, as a system message does; `answer_schema`, a JSON schema,
    makes it a JSON object.
    """

    question: Annotated[str, Field(description="One self-contained question: name what, which, when.")]
    context: Annotated[str, Field(description="What is already known and should not be searched again.")]
    instructions: Annotated[str, Field(description="How the answer shall be written.")]
    answer_schema: Annotated[dict[str, Any], Field(description="A JSON schema that the answer shall have.")]
    messages: Annotated[list[AnyMessage], Field(description="A conversation, instead of a question.")]


class FusionOutput(TypedDict, total=False):
    """`result` is a `FusionResult` as a dict; `messages` gains the answer where messages came in."""

    result: dict[str, Any]
    messages: Annotated[list[AnyMessage], add_messages]


class FusionState(TypedDict, total=False):
    """Everything between `route` and the end.

    `question`, `context`, `instructions` and `answer_schema` are what came in, gone once `route` has read them, so
    that a thread's next run never sees them; `run` keeps them. `asks` is what the next wave is asked, `agreed` the
    key of the answer that stands as it is, where one does.
    """

    question: Annotated[str, EphemeralValue]
    context: Annotated[str, EphemeralValue]
    instructions: Annotated[str, EphemeralValue]
    answer_schema: Annotated[dict[str, Any], EphemeralValue]
    messages: Annotated[list[AnyMessage], add_messages]
    run: Run
    plan: Plan
    wave: int
    asks: list[SeatAssignment]
    agreed: str | None
    records: Annotated[list[SeatRecord], merge_records]
    judgement: StageRecord | None
    synthesis: StageRecord | None
    result: dict[str, Any] | None


class SeatTask(TypedDict):
    """What one `Send` carries to one seat.

    `ask` is what the seat is asked, `seats` how many share the panel's part of the limits, `seconds` how long the
    wave may take, `spent` the dollars and tokens that are gone.
    """

    run: Run
    wave: int
    ask: SeatAssignment
    seats: int
    seconds: float
    spent: list[float]


def answer_key(record: SeatRecord) -> str:
    """What tells one answer of a run from every other: its seat and, from the second on, its wave."""
    return record["seat"] if record["wave"] == 1 else f"{record['seat']}/{record['wave']}"


def records_of_run(state: FusionState) -> list[SeatRecord]:
    """This run's records in the panel's order."""
    mine = [record for record in state["records"] if record["run_id"] == state["run"]["id"]]
    return sorted(mine, key=lambda record: (record["wave"], record["index"]))
