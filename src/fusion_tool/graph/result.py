"""`FusionResult`: what a run returns, and the JSON of `fusion-tool ask --json`."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from fusion_tool.budget.usage import StageName, Usage
from fusion_tool.config.choices import PlannedStrategy
from fusion_tool.errors import Reason, ToolReason
from fusion_tool.graph.degradation import Degradation
from fusion_tool.graph.result_text import summary_line, to_markdown
from fusion_tool.grounding.sources import Source
from fusion_tool.grounding.support import Support

SCHEMA_VERSION = 1
"""Of the result's JSON; a field that is only added leaves it as it is."""

ReaderVerdict: TypeAlias = Literal["supports", "contradicts", "says nothing"]
"""What the passages of a source do for the sentence that cites it, as a second reader sees it."""


class _Value(BaseModel):
    # No extras: a stored result of another shape is refused, not read by halves.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verification(_Value):
    """What a second reader found: its verdict, its model, and the words of the source that it relies on.

    `quote` stands in the passages that it was shown, blanks and case aside; it is empty where they say nothing.
    """

    verdict: ReaderVerdict
    by: str
    quote: str


class Occurrence(_Value):
    """One place where the answer cites a source, and what the audit found there.

    `start` and `end` are the offsets of the mark `[1]` in `answer`, in characters; `sentence` is the sentence as it
    stands there; `passage` are the words of the source that it was compared with, at most 400 characters, empty where
    none speak of the matter. `verification` is a second reader's (`verify`), `None` where there was none, or where it
    gave no verdict that can be used; it leaves `support` as it is.
    """

    start: int
    end: int
    sentence: str
    support: Support
    passage: str
    verification: Verification | None = None


class Citation(_Value):
    """One numbered source of the answer; `support` is the worst verdict over its `occurrences`.

    `from_run` is the earlier run that retrieved it, as in `Source`; `None` where this one did.
    """

    number: int
    source_id: str
    url: str
    title: str
    support: Support
    occurrences: list[Occurrence] = []
    from_run: str | None = None


class UncitedSentence(_Value):
    """A sentence of the answer that makes a claim and cites nothing that was retrieved.

    `source_id` is the retrieved source that comes nearest to it and `support` how far that carries it; both `None`
    where none is near. `invented` says that it did cite, but a source that was never retrieved.
    """

    sentence: str
    start: int
    end: int
    source_id: str | None
    support: Support | None
    invented: bool = False


class Stance(_Value):
    """What one model says about a disputed topic."""

    model: str
    stance: str


class Contradiction(_Value):
    """A topic on which panelists disagree."""

    topic: str
    stances: list[Stance]


class PartialCoverage(_Value):
    """A point that only some panelists make."""

    models: list[str]
    point: str


class UniqueInsight(_Value):
    """A point that one panelist alone makes."""

    model: str
    insight: str


class UnsupportedClaim(_Value):
    """A claim that one panelist makes and its sources do not carry; `why`, as the judge says, may be empty."""

    model: str
    claim: str
    why: str = ""


class Analysis(_Value):
    """The judge's comparison of the panel's answers; runs of older versions have no `unsupported_claims`."""

    consensus: list[str]
    contradictions: list[Contradiction]
    partial_coverage: list[PartialCoverage]
    unique_insights: list[UniqueInsight]
    blind_spots: list[str]
    unsupported_claims: list[UnsupportedClaim] = []


class AuditCounts(_Value):
    """How many of a seat's citations the audit found supported, weak, mismatched, or never retrieved."""

    supported: int = 0
    weak: int = 0
    mismatch: int = 0
    unknown: int = 0


class Response(_Value):
    """One seat's usable answer; `tool_calls` counts them, `seconds` is wall time.

    `invented` is the number of its citations of sources that were never retrieved; `audit.unknown` counts those
    sources.
    """

    seat: str
    model: str
    content: str
    sources: list[str]
    tool_calls: int
    seconds: float
    wave: int
    audit: AuditCounts
    invented: int = 0


class FailedModel(_Value):
    """One model that was to answer, to compare, to write or to verify, and gave no usable, or no whole, reply.

    `stage` says which, as in the bill; `seat` is a panelist's label, else the stage's name; `status_code` is the
    provider's HTTP status if any.
    """

    stage: StageName = "panelist"
    seat: str
    model: str
    reason: Reason
    message: str
    status_code: int | None


class ToolFailure(_Value):
    """How often a tool could not do what it was called for, why, and in whose seats.

    `tool` is `search:name` for a provider whose request failed, whether or not the next one answered; a search that
    nobody answered is a row of `web_search` besides.
    """

    tool: str
    reason: ToolReason
    count: int
    seats: list[str]

    @property
    def is_quiet(self) -> bool:
        """Whether it is told in the result alone: another provider may have answered in its place."""
        return self.tool.startswith("search:")

    def __str__(self) -> str:
        """Return the row in a few words."""
        return f"{self.tool} {self.reason}{f' ({self.count} times)' if self.count > 1 else ''}"


class PlanResult(_Value):
    """How the run was carried out, and why.

    `stays_local` is the setting by which its answer stays on this machine, in a run that goes on from it, too; `None`
    where none does.
    """

    strategy: PlannedStrategy
    seats: list[str]
    reason: str
    bash: str
    stays_local: Literal["privacy", "documents.send_to"] | None = None


class SkippedDocument(_Value):
    """One of the user's files that was not read, or a kind of them, and why."""

    path: str
    reason: str


class DocumentsResult(_Value):
    """What of the user's documents the seats could search."""

    indexed: int
    skipped: list[SkippedDocument]


class Timing(_Value):
    """Wall time in seconds; `None` where the stage did not run."""

    total_seconds: float
    panel_seconds: float | None
    judge_seconds: float | None
    synthesis_seconds: float | None
    verification_seconds: float | None = None


class FusionResult(_Value):
    """The outcome of a run that produced an answer; a failed run raises instead.

    `dropped` counts what `excluded_domains` and `blocked_fragments` kept out, `invented` the citations of sources that
    were never retrieved, which do not stand in `answer`. `continues` is the id of the run that this one goes on from,
    `None` where it began anew.
    """

    status: Literal["ok", "partial"]
    schema_version: int = SCHEMA_VERSION
    cached: bool = False
    answer: str
    citations: list[Citation]
    sources: list[Source]
    analysis: Analysis | None
    responses: list[Response]
    failed_models: list[FailedModel]
    tool_failures: list[ToolFailure] = []
    degraded: list[Degradation]
    dropped: int = 0
    uncited: list[UncitedSentence] = []
    invented: int = 0
    documents: DocumentsResult | None = None
    plan: PlanResult
    usage: Usage
    timing: Timing
    run_id: str
    continues: str | None = None
    question: str
    created_at: str
    version: str

    @property
    def broken_tools(self) -> str:
        """The tools that failed, in one line; empty where none did."""
        return ", ".join(str(row) for row in self.tool_failures if not row.is_quiet)

    def __repr__(self) -> str:
        """Return one line: a notebook or a log that shows the object is not flooded with all that was read."""
        return f"<FusionResult {self.question[:60]!r}: {summary_line(self)}>"

    def __str__(self) -> str:  # pydantic has one of its own
        return repr(self)

    def _repr_markdown_(self) -> str:
        # IPython's name: what a notebook shows.
        return to_markdown(self)
