"""What the help of `fusion-tool eval` teaches by example."""

_JUDGE = "--judge openrouter:google/gemini-3.1-pro-preview"
_SELF, _FLASH = "self:openrouter:anthropic/claude-opus-4.8", "openrouter:google/gemini-3-flash-preview"
_SOLO = "--arm solo:openrouter:anthropic/claude-opus-4.8"


def _examples(*rows: tuple[str, str]) -> str:
    return "\n\n".join(["[bold]Examples[/bold]", *(f"[dim]# {why}[/dim]\n{command}" for why, command in rows)])


RUN = _examples(
    (
        "one model, the same twice, a panel; a judge outside of it",
        f"fusion-tool eval run tasks.jsonl {_SOLO} --arm {_SELF} --arm panel:budget {_JUDGE} --out results",
    ),
    (
        "killed, or stopped by its limit? the same command goes on",
        "fusion-tool eval run ... --out results --max-usd 20",
    ),
    (
        "two synthesizers over the same panel's answers, which are paid once",
        f"fusion-tool eval run tasks.jsonl --arm opus=panel:budget --arm flash=panel:budget,synthesizer={_FLASH} ...",
    ),
    ("what tools bring", f"fusion-tool eval run tasks.jsonl {_SOLO} {_SOLO},tools=off ..."),
    (
        "a hosted fusion; answers recorded elsewhere",
        "--arm solo:openrouter:openrouter/fusion --arm replay:theirs.jsonl",
    ),
)
GRADE = _examples(
    ("by another judge, three verdicts a criterion", f"fusion-tool eval grade results {_JUDGE} --passes 3"),
    (
        "the seats' answers too, to see what the panel's answer keeps of them",
        "fusion-tool eval grade results --grade-seats",
    ),
)
REPORT = _examples(
    ("in the terminal, and as a page with pictures", "fusion-tool eval report results --html report.html"),
    ("every arm against one", "fusion-tool eval report results --against solo --markdown report.md"),
)
ESTIMATE = _examples(
    ("the bill of DRACO before it is spent", f"fusion-tool eval estimate draco --arm panel:budget {_SOLO} {_JUDGE}"),
)
PROFILES = _examples(("let the router know what was measured here", "fusion-tool eval profiles results"))
WATCH = _examples(
    (
        "from cron: silent unless a model got worse or retires",
        "fusion-tool eval watch canaries.jsonl --baseline results",
    ),
)
