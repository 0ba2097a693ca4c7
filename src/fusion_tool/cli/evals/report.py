"""`fusion-tool eval report`: the findings of a folder, in three forms."""

from pathlib import Path
from typing import Annotated

import typer

from fusion_tool.cli.evals import options


def report(
    folder: options.Folder,
    *,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="One self-contained page with pictures.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="The same as Markdown.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="ARM", help="Compare each arm with this one alone; by default all pairs.")
    ] = None,
) -> None:
    """Show what a folder's results say: in the terminal, and as a page or Markdown. Nothing is asked of anybody."""
    from fusion_tool.cli import consoles
    from fusion_tool.cli.evals.tables import print_summary
    from fusion_tool.evals.extra import check_installed
    from fusion_tool.evals.results import Results
    from fusion_tool.evals.summary import summarize

    check_installed()
    summary = summarize(Results(folder), against=against)
    if markdown:
        from fusion_tool.evals.markdown import to_markdown

        _save(markdown, to_markdown(summary))
    if html:
        from fusion_tool.evals.page import to_html

        _save(html, to_html(summary))
    print_summary(summary, consoles.stdout())
    for file in (markdown, html):
        if file:
            consoles.stderr().print(f"written: {file}", soft_wrap=True)


def _save(path: Path, text: str) -> None:
    from fusion_tool.errors import ConfigError

    try:
        path.write_text(text, "utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
