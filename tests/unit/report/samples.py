"""A run of three seats as a result and as events, and a page as a tree."""

from typing import Any

from selectolax.lexbor import LexborHTMLParser

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.graph.result import Analysis, AuditCounts, FusionResult, Response
from fusion_tool.grounding.sources import Source
from fusion_tool.report.run import to_html
from tests.unit.results import citation, result

SEATS = ("gemini-3-flash-preview", "kimi-k2.6", "deepseek-v4-pro")
MODELS = {seat: f"openrouter:maker/{seat}" for seat in SEATS}
IDS = ("aaaa1111", "bbbb2222", "cccc3333")
QUESTION = "When was the Alder mill built, and who owned it?"
ANSWER = """The Alder mill was **built in 1861** [1][2]; its owner changed twice [3].

## What is disputed

One seat says *1871* [2], the others say 1861 [1]; see also [the archive](https://example.org/archive).

| year | what happened |
|------|---------------|
| 1861 | built [1]     |
| 1902 | burned down [3] |
"""
ANALYSIS = Analysis.model_validate(
    {
        "consensus": ["The mill stands on the river Alder.", "It made paper before 1900."],
        "contradictions": [
            {
                "topic": "The year it was built",
                "stances": [
                    {"model": MODELS[SEATS[0]], "stance": "1861, by the land register"},
                    {"model": MODELS[SEATS[1]], "stance": "1871"},
                    {"model": MODELS[SEATS[2]], "stance": "1861, by the land register"},
                ],
            }
        ],
        "partial_coverage": [{"models": [MODELS[SEATS[0]], MODELS[SEATS[1]]], "point": "It burned down in 1902."}],
        "unique_insights": [{"model": MODELS[SEATS[2]], "insight": "Its owner was Ida Holm."}],
        "blind_spots": ["Who designed it."],
        "unsupported_claims": [
            {"model": MODELS[SEATS[1]], "claim": "It was built in 1871.", "why": "The register says 1861."}
        ],
    }
)


def source(key: str, url: str, title: str, kind: str = "page", by: tuple[str, ...] = SEATS[:1]) -> Source:
    return Source(id=key, url=url, title=title, kind=kind, retrieved_by=list(by))


def response(seat: str, content: str = "Built in 1861 [aaaa1111].", took: float = 12.5, wave: int = 1) -> Response:
    counts = AuditCounts(supported=2, weak=1)
    return Response(
        seat=seat,
        model=MODELS.get(seat, seat),
        content=content,
        sources=["aaaa1111"],
        tool_calls=2,
        seconds=took,
        wave=wave,
        audit=counts,
    )


def call(stage: str, seat: str | None, cost: float | None, **fields: Any) -> Call:
    model = MODELS[seat] if seat else "openrouter:maker/strong"
    source_of = "unpriced" if cost is None else "provider"
    usual = {"input_tokens": 5000, "output_tokens": 900, "seconds": 6.0, "cost_source": source_of}
    return Call(stage=stage, seat=seat, **({"model": model, "cost_usd": cost} | usual | fields))


def three_seats(**fields: Any) -> FusionResult:
    """What a run of three seats returned; `fields` stand in for its own."""
    cited = [
        citation(number, url=f"https://example.org/{key}", title=f"Source {number}", support=support)
        for number, (key, support) in enumerate(zip(IDS, ("supported", "weak", "mismatch"), strict=True), start=1)
    ]
    usual = {
        "question": QUESTION,
        "answer": ANSWER,
        "citations": [one.model_copy(update={"source_id": key}) for one, key in zip(cited, IDS, strict=True)],
        "sources": [
            source(IDS[0], f"https://example.org/{IDS[0]}", "The land register", by=SEATS[:2]),
            source(IDS[1], f"https://example.org/{IDS[1]}", "Industry on the river", "result"),
            source(IDS[2], "file:///docs/notes.md", "notes.md", "document", SEATS[2:]),
            source("dddd4444", "https://unused.example.com/", "Something else"),
        ],
        "analysis": ANALYSIS,
        "responses": [response(seat, took=took) for seat, took in zip(SEATS, (12.4, 17.2, 16.0), strict=True)],
        "plan": {"strategy": "panel", "seats": list(SEATS), "reason": "all 3 configured seats", "bash": "auto"},
        "usage": Usage.of(
            [
                call("panelist", SEATS[0], 0.0042),
                call("panelist", SEATS[1], 0.0092),
                call("panelist", SEATS[2], None),
                call("panelist", SEATS[1], 0.008, model="search:tavily", input_tokens=None, output_tokens=None),
                call("judge", None, 0.0312),
                call("synthesizer", None, 0.0478),
            ]
        ),
        "timing": {"total_seconds": 38.9, "panel_seconds": 17.4, "judge_seconds": 7.6, "synthesis_seconds": 13.8},
    }
    return result(**(usual | fields))


def event(t: float, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "run_id": "run-1", "t": t, **fields}


def seen(run: FusionResult) -> list[dict[str, Any]]:
    """The events of a run whose last seat was cut off, and whose first writer failed."""
    first, second, late = SEATS
    return [
        event(0.0, "run.started", question=QUESTION),
        event(0.1, "plan.chosen", strategy="panel", seats=list(SEATS), reason="all"),
        event(0.1, "wave.started", wave=1, seats=list(SEATS)),
        *(event(0.2, "panelist.started", seat=seat, model=MODELS[seat], wave=1) for seat in SEATS),
        event(1.5, "panelist.tool", seat=first, tool="web_search", query="alder mill built", found=8),
        event(4.4, "panelist.tool", seat=first, tool="fetch_page", query="https://example.org/mills", found=1),
        event(12.6, "panelist.answered", seat=first, model=MODELS[first], seconds=12.4, cost_usd=0.0042),
        event(17.4, "panelist.answered", seat=second, model=MODELS[second], seconds=17.2, cost_usd=0.0172),
        event(17.5, "panelist.failed", seat=late, model=MODELS[late], reason="straggler", message="late"),
        event(17.5, "panel.closed", answered=2, failed=1),
        event(25.1, "judge.completed", consensus=2, contradictions=1),
        event(27.3, "synthesis.delta", text="The", attempt=1),
        event(31.0, "synthesis.delta", text="The Alder", attempt=2),
        event(31.1, "synthesis.delta", text=" mill", attempt=2),
        event(38.9, "run.completed", status=run.status, result=run.model_dump(mode="json")),
    ]


def tree(run: Any, events: Any = ()) -> LexborHTMLParser:
    """The page as a browser would read it."""
    return LexborHTMLParser(to_html(run, events))


def texts(page: LexborHTMLParser, selector: str) -> list[str]:
    return [" ".join(node.text(separator=" ").split()) for node in page.css(selector)]


WIDE = "\n".join(
    "| " + " | ".join(cells) + " |"
    for cells in (
        [f"Column number {number}" for number in range(14)],
        ["---"] * 14,
        *([f"R{row}C{number} 123456789" for number in range(14)] for row in range(3)),
    )
)
CODE = f"```python\nvalue = compute({', '.join(f'argument_{n}=1' for n in range(30))})  # LASTOFTHECODE\n```"
LONG_URL = f"https://example.org/{'very/long/path/' * 30}LASTOFTHEADDRESS?{'q=1&' * 30}"
HEBREW_TABLE = "| עיר | year |\n|---|---|\n| חיפה | 1861 |"
HEBREW, ARABIC = "המיל נבנה בשנת 1861, לפי הרישום.", "بُنيت الطاحونة عام 1861"
LAST = tuple(f"LASTOFSEAT{number}" for number in range(8))


def eight_seats() -> FusionResult:
    """A run of eight seats whose answers are hard to set: wide, long, in one piece, from right to left."""
    texts = (
        "\n\n".join([f"Paragraph {number}. {'It goes on and on. ' * 20}" for number in range(12)]),
        f"{HEBREW}\n\nAn English paragraph.\n\n- פריט ראשון\n- second item\n\n> ציטוט\n\n{HEBREW_TABLE}",
        f"{ARABIC} (The Mill)\n\nEnglish.",
        WIDE,
        CODE,
        f"{LONG_URL}\n\n<{LONG_URL}>",
        f"`{'inline' * 80}`\n\n1. one\n   - two\n     - three\n       - {'deep ' * 80}",
        "w" * 600,
    )
    seats = [f"seat-{number}" for number in range(8)]
    stances = [{"model": seat, "stance": f"{HEBREW} {LONG_URL}"} for seat in seats]
    analysis = ANALYSIS.model_dump() | {"contradictions": [{"topic": "The year", "stances": stances}]}
    return three_seats(
        question=f"{HEBREW} When was it built?",
        answer=f"{ANSWER}\n\n{HEBREW} [1]\n\n{WIDE}\n\n{CODE}",
        analysis=Analysis.model_validate(analysis | {"consensus": [HEBREW, "x" * 300, "LASTOFTHEANALYSIS"]}),
        responses=[response(seat, f"{text}\n\n{last}") for seat, text, last in zip(seats, texts, LAST, strict=True)],
        failed_models=[
            {"seat": "lost", "model": "m" * 120, "reason": "timeout", "message": LONG_URL, "status_code": None}
        ],
        degraded=["panel_reduced"],
        plan={"strategy": "panel", "seats": [*seats, "lost"], "reason": "all", "bash": "auto"},
        sources=[
            source(IDS[0], LONG_URL, HEBREW),
            source(IDS[1], LONG_URL, "x" * 200),
            source(IDS[2], "file:///a", "a"),
        ],
    )
