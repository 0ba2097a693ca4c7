"""The graph's state: plain dicts and lists, so that any checkpointer, the Agent Server and Studio take it.

Stored runs hold these keys: they are never renamed. First the parts, then the state, then what builds and reads it.
"""

import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, NotRequired

from langchain_core.messages import AnyMessage
from langgraph.channels import EphemeralValue
from langgraph.graph import add_messages
from pydantic import Field
from typing_extensions import TypedDict

from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import dump_config
from fusion_tool.errors import ToolReason
from fusion_tool.graph.earlier import EarlierRun
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.tools.documents.store import DocumentCoverage


class Run(TypedDict):
    """The facts of a run that `route` fixes; `from_messages` says whether the question came as a message.

    `instructions` is how the answer shall be written, `answer_schema` its JSON schema, if any, `max_tokens` its length.
    `earlier` is the run that this one goes on from, if any; older runs lack it. `started` is Unix time in seconds,
    `nonce` the token of this run's fences, `config` the configuration as JSON (it holds no secrets), `decided` what
    `route` made of it, `None` where nothing else.
    """

    id: str
    question: str
    context: str
    instructions: str
    answer_schema: dict[str, Any] | None
    max_tokens: NotRequired[int | None]
    earlier: NotRequired[EarlierRun | None]
    from_messages: bool
    started: float
    created_at: str
    nonce: str
    config: dict[str, Any]
    decided: dict[str, Any] | None


class Plan(TypedDict):
    """Strategy and seats (indices into the configuration's panel), with the reason and what the shell is.

    `waves` are the seats in the order in which they may be asked, those of one wave side by side; `documents` what of
    the user's documents could be read, `None` where there are none.
    """

    strategy: str
    seats: list[int]
    waves: list[list[int]]
    reason: str
    bash: str
    documents: NotRequired[DocumentCoverage | None]


class SeatAssignment(TypedDict):
    """The work of one seat in a wave.

    `point` is what the seat shall look at, empty for the question as a whole; `shown` are the answers that it sees.
    """

    seat: int
    point: str
    shown: str


class Failure(TypedDict):
    """One model of a seat, the judge or the synthesizer that gave no usable, or no whole, reply."""

    model: str
    reason: str
    message: str
    status_code: int | None


class ToolFailureRow(TypedDict):
    """One call of a tool that could not do its work, or one request to a search provider (`search:name`)."""

    tool: str
    reason: ToolReason


class SeatRecord(TypedDict):
    """The outcome of one seat in one wave.

    `index` is the seat's place in the panel, `seat` its label, `point` as in its assignment; `answered` says
    whether `content` is usable, `truncated` whether it was cut off, `unread` whether it was written without a look at
    the sources that there were, `spoiled` what is wrong with it, empty where nothing is; `searches` counts the searches
    that it tried, `tool_failures` are its tools' failures, which older runs lack; `spent` is dollars and tokens that
    count against the limits.
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
    spoiled: NotRequired[str]
    content: str
    found: list[RetrievedSource]
    tool_calls: int
    dropped: int
    searches: NotRequired[int]
    evidence_cut: NotRequired[bool]
    tool_failures: NotRequired[list[ToolFailureRow]]
    seconds: float
    failures: list[Failure]
    calls: list[dict[str, Any]]
    spent: list[float]


class StageRecord(TypedDict):
    """The outcome of the judge or the synthesizer: its product, its calls, its seconds, and what was lost.

    `spent` is dollars and tokens that count against the limits; `output` is the analysis (a dict, still
    with letters for the answers) or the raw text of the answer, `None` where there is none. What older runs lack:
    `model`, whose it is; `failures` of the models before it, over all waves; `message_id`, of the answer as a message.
    """

    output: Any
    calls: list[dict[str, Any]]
    spent: list[float]
    seconds: float
    degraded: list[str]
    model: NotRequired[str | None]
    failures: NotRequired[list[Failure]]
    message_id: NotRequired[str]


def merge_records(old: list[SeatRecord], new: list[SeatRecord]) -> list[SeatRecord]:
    """Merge records by (run, wave, seat); a later one replaces an earlier one, so that a resumed seat counts once."""
    # LangGraph calls this for every write, also for those that a checkpointer hands back of a step that was broken off.
    return list({(r["run_id"], r["wave"], r["seat"]): r for r in [*old, *new]}.values())


class FusionInput(TypedDict, total=False):
    """Either `question` (and what the caller already knows, `context`) or `messages`.

    `instructions` says how the answer shall be written, as a system message does; `answer_schema`, a JSON schema,
    makes it a JSON object; `max_tokens` bounds it. `earlier` is the result of the run that the question goes on from.
    """

    question: Annotated[str, Field(description="One self-contained question: name what, which, when.")]
    context: Annotated[str, Field(description="What is already known and should not be searched again.")]
    instructions: Annotated[str, Field(description="How the answer shall be written.")]
    answer_schema: Annotated[dict[str, Any], Field(description="A JSON schema that the answer shall have.")]
    max_tokens: Annotated[int, Field(description="Upper bound of the answer, in tokens.")]
    earlier: Annotated[dict[str, Any], Field(description="The result of a run that the question goes on from.")]
    messages: Annotated[list[AnyMessage], Field(description="A conversation, instead of a question.")]


class FusionOutput(TypedDict, total=False):
    """`result` is a `FusionResult` as a dict; `messages` gains the answer where messages came in."""

    result: dict[str, Any]
    messages: Annotated[list[AnyMessage], add_messages]


class FusionState(TypedDict, total=False):
    """The state between `route` and the end.

    What came in, up to `earlier`, is gone once `route` has read it, so that a thread's next run never sees it; `run`
    keeps it. `asks` are the next wave's assignments, `agreed` the key of the answer that stands, `None` for none.
    """

    question: Annotated[str, EphemeralValue]
    context: Annotated[str, EphemeralValue]
    instructions: Annotated[str, EphemeralValue]
    answer_schema: Annotated[dict[str, Any], EphemeralValue]
    max_tokens: Annotated[int, EphemeralValue]
    earlier: Annotated[dict[str, Any], EphemeralValue]
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
    """The input of the node `panelist`, one `Send` a seat.

    `ask` is the seat's assignment, `seats` how many share the panel's part of the limits, `seconds` how long the
    wave may take, `spent` the dollars and tokens that are gone.
    """

    run: Run
    wave: int
    ask: SeatAssignment
    seats: int
    seconds: float
    spent: list[float]


def answer_key(record: SeatRecord) -> str:
    """Return what tells an answer of a run from every other: its seat and, from the second on, its wave."""
    return record["seat"] if record["wave"] == 1 else f"{record['seat']}/{record['wave']}"


def records_of_run(state: FusionState) -> list[SeatRecord]:
    """Return this run's records, wave by wave in the panel's order."""
    # A thread's state still holds the records of its earlier runs until `route` has reset it.
    records = [record for record in state["records"] if record["run_id"] == state["run"]["id"]]
    return sorted(records, key=lambda record: (record["wave"], record["index"]))


def new_run(  # noqa: PLR0913 - a run has these fields
    config: FusionConfig,
    question: str,
    *,
    context: str = "",
    instructions: str = "",
    answer_schema: dict[str, Any] | None = None,
    max_tokens: int | None = None,
    earlier: EarlierRun | None = None,
    from_messages: bool = False,
    run_id: str | None = None,
    decided: FusionConfig | None = None,
) -> Run:
    """Begin a run: now, with a nonce of its own.

    Args:
        config: The configuration that the caller gave.
        question: What is asked.
        context: What is already known.
        instructions: How the answer shall be written.
        answer_schema: The JSON schema that the answer shall have, `None` for a text.
        max_tokens: Upper bound of the answer, in tokens; `None` sets none.
        earlier: The run that this one goes on from, `None` where it begins anew.
        from_messages: Whether the question came as a message.
        run_id: 32 hexadecimal digits, `None` for a new id.
        decided: What was made of `config` for this question, `None` where nothing else.
    """
    return Run(
        id=run_id or uuid.uuid4().hex,
        question=question,
        context=context,
        instructions=instructions,
        answer_schema=answer_schema,
        max_tokens=max_tokens,
        earlier=earlier,
        from_messages=from_messages,
        # Wall time: the monotonic clock is of no use to the process that may resume the run.
        started=time.time(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        # Random for each run, so that no page and no model can write a fence that closes ours.
        nonce=secrets.token_hex(6),
        config=dump_config(config),
        decided=None if decided is None else dump_config(decided),
    )


NO_OUTCOME: dict[str, Any] = {"judgement": None, "synthesis": None, "result": None}
"""The state's outcomes before there are any."""
