"""An answer as a judge reads it: with its sources, and with nothing that tells which arm gave it."""

from fusion_tool.result import FusionResult


def presented(result: FusionResult) -> str:
    """The answer and its numbered sources.

    Unlike a run's summary for a calling agent it says neither how large the panel was nor what it cost, and not what
    the audit found: a judge of citations is to see what a reader sees.
    """
    sources = "\n".join(f"[{one.number}] {one.title} - {one.url}" for one in result.citations)
    return f"{result.answer}\n\nSources\n{sources}" if sources else result.answer
