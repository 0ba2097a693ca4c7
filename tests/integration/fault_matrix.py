"""What may go wrong at each stage, and what then becomes of the run: the table that is tested and documented.

`python -m tests.integration.fault_matrix` writes it into docs/reliability.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

from tests.scripted_server import Cut, Hang, Reply, Scripted, faults

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- fault matrix: begin -->", "<!-- fault matrix: end -->"

Stage: TypeAlias = Literal["seat", "judge", "synthesizer"]
STAGES: tuple[Stage, ...] = get_args(Stage)
By: TypeAlias = Literal["itself", "fallback", "judge's model", "panel", "nobody"]
Billed: TypeAlias = Literal["as reported", "as unknown", "not at all"]
"""How a call that failed stands on the bill."""


class Outcome(NamedTuple):
    """What a run comes to, and who did the stage's work."""

    status: Literal["ok", "partial"]
    degraded: tuple[str, ...]
    by: By

    def __str__(self) -> str:
        marks = f": {', '.join(f'`{mark}`' for mark in self.degraded)}" if self.degraded else ""
        return f"{self.status}{marks} ({self.by})"


ITSELF = Outcome("ok", (), "itself")
FALLBACK: Mapping[Stage, Outcome] = {
    "seat": Outcome("ok", (), "fallback"),
    "judge": Outcome("ok", ("judge_replaced",), "fallback"),
    "synthesizer": Outcome("ok", ("synthesizer_replaced",), "fallback"),
}
LOST: Mapping[Stage, Outcome] = {
    "seat": Outcome("ok", ("panel_reduced",), "nobody"),
    "judge": Outcome("partial", ("analysis_unavailable",), "nobody"),
    "synthesizer": Outcome("ok", ("synthesizer_replaced",), "judge's model"),
}
LATE: Mapping[Stage, Outcome] = {
    "seat": LOST["seat"],
    "judge": Outcome("partial", ("analysis_unavailable", "deadline_reached"), "nobody"),
    "synthesizer": Outcome("partial", ("synthesis_unavailable", "deadline_reached"), "panel"),
}
PACKED: Mapping[Stage, Outcome] = {
    stage: Outcome("ok", ("answers_packed",), "itself") for stage in ("judge", "synthesizer")
}
KEPT: Mapping[Stage, Outcome] = {"seat": Outcome("ok", ("panel_reduced",), "itself")}
PASSES: Mapping[Stage, Outcome] = dict.fromkeys(STAGES, ITSELF)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Args:
        name: As the documentation calls it.
        replies: What the model says, in order and the last one over and over, given what it would have said.
        reason: The reason code, `None` where nothing fails.
        billed: How a failed call stands on the bill.
        alone: The outcomes without a fallback, where they are not `LOST`.
        backed: The outcomes with one, where they are not `FALLBACK`.
        stages: Where it can happen.
        seconds: `limits.seconds` of a run that must run out of time.
    """

    name: str
    replies: Callable[[str], Sequence[Scripted]]
    reason: str | None = None
    billed: Billed = "not at all"
    alone: Mapping[Stage, Outcome] = field(default_factory=dict)
    backed: Mapping[Stage, Outcome] = field(default_factory=dict)
    stages: Sequence[Stage] = STAGES
    seconds: float | None = None

    def outcome(self, stage: Stage, *, backed: bool) -> Outcome:
        """What becomes of the run."""
        return self.backed.get(stage, FALLBACK[stage]) if backed else self.alone.get(stage, LOST[stage])


def fails(reply: Scripted) -> Callable[[str], Sequence[Scripted]]:
    """The same fault for ever."""
    return lambda _: (reply,)


def passes(name: str, replies: Callable[[str], Sequence[Scripted]], stages: Sequence[Stage] = STAGES) -> Fault:
    """A fault that the model itself gets over."""
    return Fault(name, replies, alone=PASSES, backed=PASSES, stages=stages)


REFUSED = "connection refused"
"""Nobody listens there: the test points the model at a closed port."""

FAULTS = (
    passes("429 twice, then fine", lambda good: (faults.rate_limited(0), faults.rate_limited(), good)),
    Fault("429 for ever", fails(faults.rate_limited()), "rate_limited"),
    Fault("500", fails(faults.server_error()), "upstream_error"),
    passes("503 with Retry-After, then fine", lambda good: (faults.overloaded(7), good)),
    Fault("503 for ever", fails(faults.overloaded(7)), "upstream_error"),
    Fault("401", fails(faults.unauthorized()), "auth"),
    Fault("402", fails(faults.no_credit()), "budget"),
    Fault("404, the model is withdrawn", fails(faults.withdrawn("x")), "model_unavailable"),
    Fault("silence", fails(Hang()), "timeout", "as unknown", alone=LATE, seconds=3.0),
    Fault("the answer breaks off", fails(Cut()), "upstream_error", "as unknown"),
    Fault("an empty answer", fails(Reply("", cost=0.001)), "empty", "as reported"),
    Fault("nothing but `<think>`", fails(Reply("<think>What now?", cost=0.001)), "empty", "as reported"),
    Fault("a refusal", fails(Reply("", refusal="No.", cost=0.001)), "refused", "as reported"),
    Fault(
        "a truncated answer",
        fails(Reply("It was built in", finish_reason="length", cost=0.001)),
        "truncated",
        "as reported",
        alone=KEPT,
    ),
    Fault("a body that is not JSON", fails(faults.garbage()), "upstream_error", "as unknown"),
    Fault("a gateway's page instead of JSON", fails(faults.html()), "upstream_error", "as unknown"),
    Fault("no choice in the reply", fails(faults.no_choices()), "empty", "as unknown"),
    passes("`<think>` before the answer", lambda good: (f"<think>{{hm}}</think>{good}",)),
    passes("JSON in a code fence", lambda good: (f"```json\n{good}\n```",), ["judge"]),
    passes("JSON with trailing commas", lambda good: (good.replace("]", ",]")[:-1] + ",}",), ["judge"]),
    passes("prose instead of JSON, then fine", lambda good: ("They agree.", good), ["judge"]),
    Fault(
        "prose instead of JSON",
        fails(Reply("They agree.", cost=0.001)),
        "invalid_output",
        "as reported",
        stages=["judge"],
    ),
    Fault(
        "JSON of another shape",
        fails(Reply('{"verdict": "A wins"}', cost=0.001)),
        "invalid_output",
        "as reported",
        stages=["judge"],
    ),
    Fault("the prompt is too long", fails(faults.context_overflow("openrouter")), "context_overflow"),
    Fault(
        "the prompt is too long; half of it is not",
        lambda good: (faults.context_overflow("openrouter"), good),
        "context_overflow",
        alone=PACKED,
        backed=PACKED,
        stages=["judge", "synthesizer"],
    ),
    Fault(REFUSED, fails(""), "upstream_error"),
)


class Case(NamedTuple):
    """One cell of the matrix."""

    fault: Fault
    stage: Stage
    backed: bool

    def __str__(self) -> str:
        return f"{self.stage}-{self.fault.name}-{'with' if self.backed else 'without'} a fallback"


def cases() -> Iterator[Case]:
    """Every cell."""
    return (Case(fault, stage, backed) for fault in FAULTS for stage in fault.stages for backed in (False, True))


def as_markdown() -> str:
    """The matrix as it stands in the documentation; a cell is the outcome without and with a fallback."""
    rows = ["| what goes wrong | reason | billed | seat | judge | synthesizer |", "|---|---|---|---|---|---|"]
    for fault in FAULTS:
        told = (_cell(fault, stage) if stage in fault.stages else "-" for stage in STAGES)
        reason = f"`{fault.reason}`" if fault.reason else "-"
        rows.append(f"| {fault.name} | {reason} | {fault.billed if fault.reason else '-'} | {' | '.join(told)} |")
    return "\n".join(rows)


def _cell(fault: Fault, stage: Stage) -> str:
    alone, backed = (fault.outcome(stage, backed=backed) for backed in (False, True))
    return str(alone) if alone == backed else f"{alone}; {backed}"


def documented(page: str) -> str:
    """`page` with the matrix between its marks."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n{as_markdown()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(documented(PAGE.read_text("utf-8")), "utf-8")
