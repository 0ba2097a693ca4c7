"""Addresses that clients of OpenAI's and other protocols ask and nobody serves here: what to ask instead."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from fusion_tool.servers.openai.errors import ApiError

_SERVED = "there are POST /v1/chat/completions, POST /v1/responses and GET /v1/models"
_TEXT_ALONE = f"questions and answers are text; {_SERVED}"
_NOTHING_STORED = "nothing is stored here: POST /v1/responses with the whole conversation as input"
_CURES = {
    "/v1/responses": _NOTHING_STORED,
    "/v1/conversations": _NOTHING_STORED,
    "/v1/assistants": _NOTHING_STORED,
    "/v1/threads": _NOTHING_STORED,
    "/v1/chat/completions": "nothing is stored here: POST /v1/chat/completions with the whole conversation",
    "/v1/completions": "POST /v1/chat/completions, with the prompt as a user's message",
    "/v1/messages": "Anthropic's protocol is not spoken; POST /v1/chat/completions",
    "/v1/embeddings": f"a panel makes no embeddings; {_SERVED}",
    "/v1/moderations": f"nothing is moderated; {_SERVED}",
    "/v1/audio": _TEXT_ALONE,
    "/v1/images": _TEXT_ALONE,
    "/v1/videos": _TEXT_ALONE,
    "/v1/realtime": _TEXT_ALONE,
    "/v1/files": _TEXT_ALONE,
    "/v1/uploads": _TEXT_ALONE,
    "/v1/vector_stores": "the operator names documents in the configuration",
    "/v1/batches": "POST /v1/chat/completions for each question",
    "/chat/completions": "the client's base URL ends in /v1",
    "/responses": "the client's base URL ends in /v1",
    "/models": "the client's base URL ends in /v1",
}
"""What to do instead, by the beginning of the path."""


async def refuse_path(request: Request, error: Exception) -> JSONResponse:
    """Answer a request that no route takes, in a form that OpenAI's clients can read."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    path = request.url.path
    cures = (cure for beginning, cure in _CURES.items() if path == beginning or path.startswith(f"{beginning}/"))
    refusal = ApiError(
        f"{request.method} {path} is not served here: {next(cures, _SERVED)}", status=status, code="not_found"
    )
    return JSONResponse(refusal.body, refusal.status, getattr(error, "headers", None))
