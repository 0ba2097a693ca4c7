"""How a command of `fusion-tool eval` ends: the findings on stdout, what is open on stderr, a status."""

from fusion_tool.cli import consoles
from fusion_tool.cli.evals.tables import print_summary
from fusion_tool.cli.failures import NO_BUDGET
from fusion_tool.cli.report import cost
from fusion_tool.evals.answering import Asked
from fusion_tool.evals.bill import bill_of
from fusion_tool.evals.regrading import wanted
from fusion_tool.evals.results import Results
from fusion_tool.evals.summary import summarize


def told(results: Results, asked: Asked | None = None) -> int:
    """Print the findings and the next step.

    Returns:
        The exit status: 4 where the limit left runs out.
    """
    print_summary(summarize(results), consoles.stdout())
    console, bill = consoles.stderr(), bill_of(results).total
    if asked is not None:
        failed = sum(asked.failed.values())
        lost = f", {failed} without an answer, which the same command tries again" if failed else ""
        console.print(f"answered: {asked.answered}{lost}", soft_wrap=True)
    console.print(
        f"paid so far: {cost(bill.cost_usd, bill.unpriced_calls) if bill.calls else 'nothing'}", soft_wrap=True
    )
    console.print(f"pages and Markdown: fusion-tool eval report {results.folder} --html report.html", soft_wrap=True)
    if results.manifest.judge and (missing := sum(text.missing(results.manifest.passes) for text in wanted(results))):
        again = f"missing: {missing} verdicts; 'fusion-tool eval grade {results.folder}' asks for them again"
        console.print(again, style="yellow", soft_wrap=True)
    if asked is not None and asked.not_begun:
        left = f"not begun: {asked.not_begun} runs, each of which could have passed --max-usd; a higher one goes on, "
        left += "and an arm's usd=LIMIT lowers what its runs could take"
        console.print(left, style="yellow", soft_wrap=True)
        return NO_BUDGET
    return 0
