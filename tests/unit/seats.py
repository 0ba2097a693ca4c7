"""Records of seats, as the graph's state holds them."""

from fusion_tool.graph.state import FusionState, Run, SeatAssignment, SeatRecord, SeatTask
from fusion_tool.grounding.sources import make_source

MILL = make_source("https://example.org/mill", title="The mill", kind="page", text="The mill was built in 1861.")
FIRE = make_source("https://example.org/fire", title="The fire", kind="page", text="The mill burned down in 1904.")
RUN = Run(
    id="run-1", started=0.0, created_at="2026-01-01T00:00:00+00:00", nonce="00ff17ab42cd", config={}, decided=None
)
TASK = SeatTask(run=RUN, wave=1, ask=SeatAssignment(seat=0, point="", shown=""), seats=1, seconds=60.0, spent=[0.0, 0])


def record(index, content="", *, model="x:m", found=(), **fields) -> SeatRecord:
    """One seat's record; answered where there is content."""
    return SeatRecord(
        run_id="run-1",
        wave=1,
        index=index,
        seat=f"seat-{index}",
        model=model,
        point="",
        answered=bool(content),
        truncated=False,
        content=content,
        found=list(found),
        tool_calls=0,
        dropped=0,
        seconds=1.0,
        failures=[],
        calls=[],
    ) | SeatRecord(**fields)


def state(*records: SeatRecord) -> FusionState:
    return FusionState(run=RUN, records=list(records))
