"""What `--help` teaches by example."""

_ROWS = [
    ("ask a panel (needs OPENROUTER_API_KEY)", 'fusion-tool ask "Which moon has the thickest atmosphere?"'),
    ("without key or network, once", "fusion-tool model install"),
    ("then, over your own files", 'fusion-tool ask "What did it cost?" --preset local --docs notes/'),
    ("the bill before it is spent", 'fusion-tool estimate "..." --preset quality --versus openrouter:openai/gpt-5.5'),
    ("what works here, and what mends the rest", "fusion-tool doctor"),
]
_ASK_ROWS = [
    ("a preset, with a bound on time", 'fusion-tool ask "..." --preset fast --max-seconds 60'),
    ("models of your own choice", 'fusion-tool ask "..." --model ollama:qwen3:8b --model ollama:gemma3:12b'),
    ("your own files, no web", 'fusion-tool ask "..." --docs notes/ --no-search'),
    ("the question from a file, everything as JSON", "fusion-tool ask - --json < question.txt > result.json"),
    ("only the answer and its sources", 'fusion-tool ask "..." --quiet > answer.md'),
]
_EXITS = (
    "Exit status: 0 answered, 2 wrong usage or configuration, 3 no usable answer, 4 refused by budget, "
    "130 or 143 interrupted."
)


def _plain(rows: list[tuple[str, str]]) -> str:
    """As click keeps it: a backspace before a paragraph leaves its lines as they are."""
    return "\n\n".join(["Examples:", *(f"\b\n# {why}\n{command}" for why, command in rows)])


def _paragraphs(rows: list[tuple[str, str]]) -> str:
    return "\n\n".join(["[bold]Examples[/bold]", *(f"[dim]# {why}[/dim]\n{command}" for why, command in rows)])


EXAMPLES = _plain(_ROWS)
ASK_EXAMPLES = f"{_paragraphs(_ASK_ROWS)}\n\n{_EXITS}"
