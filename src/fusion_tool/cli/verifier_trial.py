"""A trial of a second reader: thirty built-in pairs of a sentence and its source, read by a model and by the audit.

Both are asked one thing, whether the source carries the sentence, since the audit tells no more; balanced accuracy is
the mean of the shares that each gets right of the sentences that are carried and of those that are not.
"""

import math
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from langgraph.runtime import Runtime
from rich.table import Table
from rich.text import Text

from fusion_tool.budget.ledger import Ledger, StageBudget
from fusion_tool.budget.usage import Usage
from fusion_tool.cli import terminal
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.events import format_usd, one_line
from fusion_tool.graph.agents.verifier import CitedSentence, verify_citations
from fusion_tool.graph.runtime import EventEmitter, Stage
from fusion_tool.graph.state import new_run
from fusion_tool.grounding.support import compare_claim
from fusion_tool.models.factory import check_models

ANCHORS = {"the audit": 0.68, "GPT-4": 0.79, "a 3 B entailment model": 0.91, "models up to 13 B": (0.61, 0.72)}
"""Balanced accuracies recorded elsewhere, on public pairs."""
_SECONDS = 180.0
_SURE = 0.05
"""Chance at which a difference counts as none of luck, by the exact sign test over pairs that only one gets right."""


@dataclass(frozen=True)
class Trial:
    """Who got what right.

    Args:
        model: The reader.
        labels: Each pair's verdict.
        audit: Whether the audit told rightly if the source carries the sentence.
        reader: Whether the model did; a pair without a usable verdict is none.
        unread: How many pairs have no usable verdict.
        cost_usd: What it cost in US dollars, `None` where unknown.
    """

    model: str
    labels: Sequence[str]
    audit: Sequence[bool]
    reader: Sequence[bool]
    unread: int
    cost_usd: float | None

    def balanced_accuracy(self, right: Sequence[bool]) -> float:
        """Return the mean of the shares that are right among the carried sentences and among the others."""
        shares = []
        for carried in (True, False):
            rows = [ok for label, ok in zip(self.labels, right, strict=True) if (label == "supports") is carried]
            shares.append(sum(rows) / len(rows))
        return sum(shares) / 2

    @property
    def verdict(self) -> str:
        """Say whether the model's eye is better than the audit's."""
        won = sum(mine and not other for mine, other in zip(self.reader, self.audit, strict=True))
        lost = sum(other and not mine for mine, other in zip(self.reader, self.audit, strict=True))
        # The chance that of so many differences at least as many fall to one side.
        chance = sum(math.comb(won + lost, k) for k in range(max(won, lost), won + lost + 1)) / 2 ** (won + lost)
        if won == lost or chance > _SURE:
            return f"{len(self.labels)} pairs cannot tell whether it reads better than the audit"
        return "it reads better than the audit" if won > lost else "it reads worse than the audit"


async def try_verifier(model: str) -> Trial:
    """Let `model`, `"provider:model"`, and the audit read the pairs.

    Raises:
        ConfigError: It cannot be asked, or gave no verdict that can be used.
    """
    pairs = [
        (label, row["sentence"], row["source"])
        for label, rows in tomllib.loads((files("fusion_tool.cli") / "verifier_pairs.toml").read_text("utf-8")).items()
        for row in rows
    ]
    panelist = Panelist(model=model)
    check_models([("--verifier", panelist)])
    config = FusionConfig(panel=(panelist,), verify=True, search=None, bash="off")
    run = new_run(config, "")
    budget, deadline = StageBudget(Ledger(usd=None, tokens=None), "verifier"), time.monotonic() + _SECONDS
    stage = Stage("verifier", config, EventEmitter(Runtime(), run), [], deadline, budget, calls=[], health=None)
    texts = {str(place): source for place, (_, _, source) in enumerate(pairs)}
    cited = [CitedSentence(sentence, str(place)) for place, (_, sentence, _) in enumerate(pairs)]
    reading = await verify_citations(stage, cited, texts, nonce=run["nonce"])
    if not reading.verifications:
        why = "; ".join(row["message"] for row in reading.failures) or "no quotation stands in its passages"
        raise ConfigError(f"{model} gave no verdict that can be used: {why}", field="--verifier")
    found = [reading.verifications.get(row) for row in cited]
    return Trial(
        model=model,
        labels=[label for label, _, _ in pairs],
        audit=[
            (compare_claim(sentence, source).support == "supported") is (label == "supports")
            for label, sentence, source in pairs
        ],
        reader=[
            row is not None and (row.verdict == "supports") is (label == "supports")
            for row, (label, _, _) in zip(found, pairs, strict=True)
        ],
        unread=reading.unread,
        cost_usd=Usage.of(stage.calls).cost_usd,
    )


def trial_as_dict(trial: Trial) -> dict[str, object]:
    """Return the outcome for JSON."""
    return {
        "model": trial.model,
        "pairs": len(trial.labels),
        "unread": trial.unread,
        "balanced_accuracy": {
            "audit": round(trial.balanced_accuracy(trial.audit), 3),
            "model": round(trial.balanced_accuracy(trial.reader), 3),
        },
        "recorded_elsewhere": ANCHORS,
        "verdict": trial.verdict,
        "cost_usd": trial.cost_usd,
    }


def print_trial(trial: Trial) -> None:
    """Print both readers' accuracies, by verdict and balanced, what others measured, and which of the two is better."""
    table = Table(box=None, pad_edge=False)
    kinds = list(dict.fromkeys(trial.labels))
    for heading in ("reader", "balanced accuracy", *kinds):
        table.add_column(heading)
    for name, right in (("the audit", trial.audit), (one_line(trial.model, 64), trial.reader)):
        counts = [[ok for label, ok in zip(trial.labels, right, strict=True) if label == kind] for kind in kinds]
        row = [f"{sum(rows)}/{len(rows)}" for rows in counts]
        table.add_row(Text(name), f"{trial.balanced_accuracy(right):.2f}", *row)
    console = terminal.stdout()
    console.print(table)
    console.print("\nRecorded elsewhere: the audit 0.68, models up to 13 B 0.61 to 0.72, GPT-4 0.79, a 3 B entailment")
    console.print("model trained for it 0.91.")
    if trial.unread:
        console.print(f"Pairs without a verdict that can be used, counted as wrong: {trial.unread}", style="yellow")
    console.print(Text(f"{one_line(trial.model, 64)}: {trial.verdict} (cost: {format_usd(trial.cost_usd)})"))
