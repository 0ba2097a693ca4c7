"""`bash`: a command in a sandbox without network, for calculation and text work; never on the host."""

from typing import TYPE_CHECKING, Annotated, Any

from langchain.tools import ToolRuntime, tool

from fusion_tool import sandbox
from fusion_tool.sources import Found, found

if TYPE_CHECKING:
    from fusion_tool.panel_tools.kit import SeatContext


@tool(response_format="content_and_artifact")
async def bash(
    command: Annotated[str, "A bash command line; python3, awk and the usual tools are there."],
    runtime: ToolRuntime[Any, Any],
) -> tuple[str, list[Found]]:
    """Run a command in a fresh, empty sandbox without network or files, to calculate or to process text."""
    seat: SeatContext = runtime.context
    result = await sandbox.run(command)
    ending = "timed out" if result.timed_out else f"exit status {result.exit_code}"
    text = f"$ {command}\n{result.output}\n({ending}{', output cut' if result.truncated else ''})"
    source = found(f"command:{command}", title=command.strip().partition("\n")[0][:80], kind="command", text=text)
    seat.log.note("bash", command, [source])
    return seat.kit.shown([source]), [source]
