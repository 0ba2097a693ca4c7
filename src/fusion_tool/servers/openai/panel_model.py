"""`fusion` and the presets: the panel's answer, sent while it is written."""

from typing import Any

from fusion_tool.api.chat_messages import finish_reason
from fusion_tool.budget.usage import Usage
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import Event
from fusion_tool.graph.cited_answer import citation_spans, sources_tail
from fusion_tool.graph.event_lines import describe
from fusion_tool.servers.account import Account
from fusion_tool.servers.openai.answer_format import AnswerFormat
from fusion_tool.servers.openai.errors import answer_restarted, answer_unreadable
from fusion_tool.servers.openai.request import ChatRequest, to_question
from fusion_tool.servers.openai.response import Emit, EndPiece, ProgressPiece, TextPiece, result_metadata


async def answer_as_panel(request: ChatRequest, config: FusionConfig, account: Account, emit: Emit) -> EndPiece:
    """Ask the panel, and send its answer; a stream gets it while it is written, with the progress.

    Args:
        request: The client's request.
        config: The run's configuration.
        account: The request's account.
        emit: Sends text and progress to the client.

    Raises:
        ApiError: The answer broke off after its beginning had been passed on, or is not of the form asked for.
        FusionError: As `afuse`.
    """
    attempts: list[int] = []
    answer_format = request.answer_format
    question = to_question(request.messages)._replace(max_tokens=request.sampling.get("max_tokens"))

    async def pass_on(event: Event) -> None:
        if event["type"] == "synthesis.delta":
            # An object is sent when it is whole and read: only then is it known to be one.
            if answer_format is not None:
                return
            attempts.append(event["attempt"])
            # Another attempt's text cannot follow: a stream of OpenAI's has no way to take back what it sent.
            if event["attempt"] == attempts[0]:
                await emit(TextPiece(event["text"]))
        elif (line := describe(event)) is not None:
            await emit(ProgressPiece(line))

    if answer_format is not None:
        question = question._replace(answer_schema=answer_format.schema)
    result = await account.run(question, config, pass_on if request.stream else None)
    # The client has the beginning of another answer, so this one may not end as if it were whole.
    if len(set(attempts)) > 1:
        raise answer_restarted(result["answer"], result_metadata(result))
    text = _whole_answer(result, answer_format)
    if not attempts:
        await emit(TextPiece(text))
    # None behind JSON, which would not be JSON any more.
    is_listed = config.list_sources and answer_format is None
    if is_listed and (tail := sources_tail(result["citations"])):
        await emit(TextPiece(tail))
    # An object out of a fence is not the text in which the citations were counted.
    citations = citation_spans(result["citations"]) if text == result["answer"] else []
    usage = Usage.model_validate(result["usage"])
    return EndPiece(usage, result_metadata(result), finish_reason(result), citations=citations)


def _whole_answer(result: dict[str, Any], answer_format: AnswerFormat | None) -> str:
    """Return the answer of a result, which is of the form asked for.

    Raises:
        ApiError: It is not.
    """
    answer = str(result["answer"])
    # What the client's own limit cut off is marked as such by its finish reason.
    if answer_format is None or finish_reason(result) == "length":
        return answer
    try:
        return answer_format.read(answer)
    except ValueError as error:
        raise answer_unreadable(str(error), answer, result_metadata(result)) from error
