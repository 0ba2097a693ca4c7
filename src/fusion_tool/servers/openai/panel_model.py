"""`fusion` and the presets: the panel's answer, sent while it is written."""

from fusion_tool.api.chat_messages import finish_reason
from fusion_tool.api.runner import run_request
from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import Event, describe
from fusion_tool.graph.cited_answer import citation_spans
from fusion_tool.graph.inputs import RunInput
from fusion_tool.servers.openai.errors import answer_restarted
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.openai.response import Emit, EndPiece, ProgressPiece, TextPiece, result_metadata


async def answer_as_panel(
    question: RunInput, config: FusionConfig, metrics: Metrics, emit: Emit, *, is_streamed: bool
) -> EndPiece:
    """Ask the panel, and send its answer; a stream gets it while it is written, with the progress.

    Args:
        question: The question, and what belongs to it.
        config: The run's configuration.
        metrics: The server's counters.
        emit: Sends text and progress to the client.
        is_streamed: Whether the client gets the answer while it is written.

    Raises:
        ApiError: The answer broke off after its beginning had been passed on.
        FusionError: As `afuse`.
    """
    attempts: list[int] = []

    async def pass_on(event: Event) -> None:
        if event["type"] == "synthesis.delta":
            attempts.append(event["attempt"])
            # Another attempt's text cannot follow: a stream of OpenAI's has no way to take back what it sent.
            if event["attempt"] == attempts[0]:
                await emit(TextPiece(event["text"]))
        elif (line := describe(event)) is not None:
            await emit(ProgressPiece(line))

    result = await metrics.count_run(run_request(question, config, pass_on if is_streamed else None))
    # The client has the beginning of another answer, so this one may not end as if it were whole.
    if len(set(attempts)) > 1:
        raise answer_restarted(result["answer"], result_metadata(result))
    if not attempts:
        await emit(TextPiece(result["answer"]))
    usage, citations = Usage.model_validate(result["usage"]), citation_spans(result["citations"])
    return EndPiece(usage, result_metadata(result), finish_reason(result), citations=citations)
