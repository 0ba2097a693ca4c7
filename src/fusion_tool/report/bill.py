"""What was paid for: by stage as lanes, in dollars where any price is known, else in tokens."""

from collections.abc import Callable, Sequence

from fusion_tool.report.picture import Lane, Mark
from fusion_tool.report.words import STAGES, count, counted, dollars
from fusion_tool.usage import Call, Usage


def lanes_of(usage: Usage) -> tuple[list[Lane], Callable[[float], str]]:
    """A lane a stage, its calls one after the other, and how the axis is told; no lanes where nothing is known."""
    if usage.cost_usd:
        return _lanes(usage, _cost, lambda calls: _in_dollars(Usage.of(calls))), lambda value: f"${value:g}"
    if usage.input_tokens or usage.output_tokens:
        return _lanes(usage, _tokens, lambda calls: _in_tokens(Usage.of(calls))), lambda value: f"{value:,.0f} tokens"
    return [], str


def stages_of(usage: Usage) -> list[tuple[str, Usage]]:
    """Each stage that made calls, in words, and its part of the bill."""
    parts = {name: [call for call in usage.calls if call.stage == stage] for stage, name in STAGES.items()}
    return [(name, Usage.of(calls)) for name, calls in parts.items() if calls]


def _lanes(usage: Usage, size: Callable[[Call], float], told: Callable[[Sequence[Call]], str]) -> list[Lane]:
    lanes = []
    for name, part in stages_of(usage):
        marks: list[Mark] = []
        at = 0.0
        for call in part.calls:
            if worth := size(call):
                whose = f"{call.seat}, {call.model}" if call.seat else call.model
                marks.append(Mark(at, at + worth, _CLASSES[name], f"{whose}: {told([call])}"))
                at += worth
        lanes.append(Lane(name, told(part.calls), marks))
    return lanes


_CLASSES = {"panel": "answered", "judge": "judge", "synthesis": "synthesis"}


def _cost(call: Call) -> float:
    return call.cost_usd or 0.0


def _tokens(call: Call) -> float:
    return float((call.input_tokens or 0) + (call.output_tokens or 0))


def _in_dollars(part: Usage) -> str:
    return f"{dollars(part.cost_usd, part.unpriced_calls)}, {counted(len(part.calls), 'call')}"


def _in_tokens(part: Usage) -> str:
    return f"{count(part.input_tokens)} tokens in, {count(part.output_tokens)} out, {counted(len(part.calls), 'call')}"
