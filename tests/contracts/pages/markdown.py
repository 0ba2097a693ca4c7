"""Pages as tests read them: fenced blocks, inline code, links, and parts between marks."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SITE, _REPOSITORY = PROJECT["project"]["urls"]["Documentation"], PROJECT["project"]["urls"]["Homepage"]
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: the page's name, the line that its text begins at, its language, its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(language: str) -> list[Block]:
    """All fenced blocks of one language, page by page."""
    return [block for page in PAGES for block in _blocks(page) if block.language == language]


def inline(page: Path) -> list[str]:
    """What stands between backticks in the page's prose; a line's end inside is a blank."""
    return _INLINE.findall(re.sub(r"(?<=\S)\n(?=\S)", " ", _prose(page)))


def links(page: Path) -> list[str]:
    """What the page links to in this project, by its site's and its repository's address too: `file#anchor`."""
    targets = map(_local, _LINK.findall(_INLINE.sub("", _prose(page))))
    return [target for target in targets if not target.startswith(("http:", "https:"))]


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: the headings, as GitHub spells them."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(_prose(page)))
    return {heading.replace(" ", "-") for heading in plain}


def is_current(name: str, **parts: str) -> bool:
    """Whether each part of the page `docs/NAME`, between `<!-- part: begin -->` and its end, is as given.

    `UPDATE_SNAPSHOTS=1 pytest tests/contracts` writes them anew first.
    """
    path = ROOT / "docs" / name
    text = path.read_text("utf-8")
    wanted = text
    for part, content in parts.items():
        begin, end = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->"
        head, rest = wanted.split(begin)
        wanted = f"{head}{begin}{content.strip()}\n{end}{rest.split(end)[1]}"
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path.write_text(wanted, "utf-8")
    return path.read_text("utf-8") == wanted


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _local(target: str) -> str:
    """The file behind one of the project's own addresses; any other target as it is."""
    if target.startswith(_SITE):
        name, mark, anchor = target.removeprefix(_SITE).partition("#")
        return f"{ROOT}/docs/{name.strip('/') or 'index'}.md{mark}{anchor}"
    raw = _REPOSITORY.replace("github.com", "raw.githubusercontent.com")
    return re.sub(f"^({_REPOSITORY}/(blob|tree)|{raw})/main/", f"{ROOT}/", target)


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in _FENCE.finditer(text):
        indent, language, content = match.groups()
        yield Block(
            page.name,
            text.count("\n", 0, match.start()) + 2,
            language,
            re.sub(f"^{indent}", "", content, flags=re.MULTILINE),
        )


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))
