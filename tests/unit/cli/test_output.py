"""The report under an answer: what stands in the rows of the seats."""

import io

from rich.console import Console

from fusion_tool.cli.output import print_report
from fusion_tool.graph.result import AuditCounts, FailedModel, Response
from tests.unit.results import result

UNREAD = "it did not look, and no evidence was found for it"


def test_a_seat_whose_answer_is_not_whole_has_one_row_and_a_replaced_model_its_own() -> None:
    def answer(seat: str, model: str) -> Response:
        audit = AuditCounts.model_validate(dict.fromkeys(AuditCounts.model_fields, 0))
        words = {"content": "It is.", "sources": [], "tool_calls": 0, "seconds": 4.0, "wave": 1, "audit": audit}
        return Response.model_validate({"seat": seat, "model": model, **words})

    def failure(seat: str, model: str, message: str) -> FailedModel:
        return FailedModel(seat=seat, model=model, reason="empty", message=message, status_code=None)

    rows = {
        "responses": [answer("a", "x:a"), answer("b", "x:spare"), answer("c", "x:c")],
        "failed_models": [failure("a", "x:a", UNREAD), failure("b", "x:b", "nothing came")],
    }
    console = Console(width=160, file=io.StringIO())
    with console.capture() as shown:
        print_report(result(**rows), console)
    seats = [" ".join(line.split()) for line in shown.get().splitlines() if line[:1] in ("a", "b", "c")]
    assert seats == [
        f"a x:a answered 4.0 s, 0 tool calls, its citations: none; {UNREAD}",
        "b x:spare answered 4.0 s, 0 tool calls, its citations: none",
        "c x:c answered 4.0 s, 0 tool calls, its citations: none",
        "b x:b failed empty: nothing came",
    ]
