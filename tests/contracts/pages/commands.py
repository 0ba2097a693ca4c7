"""Commands as the pages show them: in blocks of a shell, in a client's JSON, and inline."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from fusion_tool.cli.main import app
from tests.contracts.pages.markdown import Block, blocks, inline

SHELLS = ("sh", "bash", "console", "")
PROGRAM = "fusion-tool"


def lines(block: Block) -> list[list[str]]:
    """The words of each command in a shell's block, continued lines joined; none in what a program printed."""
    whole = block.text.replace("\\\n", " ")
    try:
        return [words for line in whole.splitlines() if (words := shlex.split(line, comments=True))]
    except ValueError:
        return []


def shown() -> Iterator[tuple[Block, list[str]]]:
    """Every whole command of ours, from its name on; another program's may start it."""
    for block in (block for language in SHELLS for block in blocks(language)):
        for words in lines(block):
            if PROGRAM in words[:-1]:  # the last word of `pip install fusion-tool`
                yield block, words[words.index(PROGRAM) :]
    for block in blocks("json"):
        for entry in _entries(documents(block)):
            yield block, [PROGRAM, *entry["args"]]


def mentioned(page: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Each inline command of ours: its words, and the flags that it names."""
    for text in inline(page):
        if text.startswith(f"{PROGRAM} "):
            words = text.split()[1:]
            yield words, [word.partition("=")[0] for word in words if word.startswith("-")]


def command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that `words` (without the program's name) call, and what is left of them.

    Raises:
        KeyError: There is none of that name.
    """
    one: Any = get_command(app)
    while hasattr(one, "commands") and words and not words[0].startswith("-"):
        one, words = one.commands[words[0]], words[1:]
    return one, words


def documents(block: Block) -> list[Any]:
    """What a JSON block holds: one value, or one a line."""
    decoder, text, found = json.JSONDecoder(), block.text.strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and value.get("command") == PROGRAM:
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _entries(inner)
