"""`estimate`: the cost of a run in advance, expected by stated assumptions, at worst by the budget's own bounds."""

from collections.abc import Iterable, Sequence

from fusion_tool.budget.admission import check_limits
from fusion_tool.budget.amounts import (
    ANALYSIS_TOKENS,
    ANSWER_TOKENS,
    BYTES_A_TOKEN,
    CITATIONS,
    READ_TOKENS,
    RESULT_TOKENS,
    TURN_TOKENS,
    WRITTEN_TOKENS,
    Alternative,
    Amount,
    Counterpart,
    Estimate,
)
from fusion_tool.budget.pricing import is_priced
from fusion_tool.budget.usage import is_search
from fusion_tool.config.presets import counterpart_of, with_models_of
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import BudgetExceeded, ConfigError
from fusion_tool.graph.duration import deadline_warning, expected_seconds, load_measurements
from fusion_tool.graph.estimate_rows import (
    PromptSizes,
    judge_row,
    models_of,
    prompt_sizes,
    search_rows,
    seat_row,
    synthesizer_row,
    trial_rows,
    turns_of_seat,
    verifier_row,
)
from fusion_tool.graph.strategies import ESCALATION, strategy_named
from fusion_tool.models.providers import missing_keys, openable_providers
from fusion_tool.routing.decide import allow_models, settle_roles

ASSUMPTIONS = (
    f"each tool call is a turn of its own, and adds {RESULT_TOKENS:,} tokens to the prompts after it",
    f"a tool turn writes {TURN_TOKENS:,} tokens, an answer {ANSWER_TOKENS:,}, a comparison {ANALYSIS_TOKENS:,}",
    f"{BYTES_A_TOKEN} bytes a token; no cache discount, no fallback, no second try of a spoiled answer",
    "the audit flags two sentences of an answer, which the judge reads with the words of their sources",
    f"a second reader reads {READ_TOKENS} tokens of a citation and writes {WRITTEN_TOKENS}; an answer has {CITATIONS}",
    "every seat looks at its sources, so that none is asked again over evidence",
    "half of the tool calls are searches, none of them made before by another seat; reading pages costs nothing",
    f"{ESCALATION:.0%} of the cascades go beyond their first seats, and of the chains from one seat to the next",
    "a follow-up is always made; auto asks the whole panel",
    "at worst: every call that may be charged, all fallbacks among them, each as long as a limit lets it be",
)
"""What the figures rest on, for people."""


def estimate(config: FusionConfig, question: str, *, context: str = "", versus: Iterable[str] = ()) -> Estimate:
    """Return the expected and the worst bill of one run, and how long it takes; no model is called.

    It is the bill of the models that the run would ask: where a key is missing, of those that take their place.

    Args:
        config: The run's configuration.
        question: The question of the run.
        context: What is already known about it.
        versus: Models, `"provider:model"`, each priced as if asked alone.

    Raises:
        ConfigError: No seat has a model left that may be asked.
    """
    keyed = openable_providers()
    allowed = allow_models(config, keyed=keyed)
    load_measurements(allowed.config)
    bill = forecast_run(allowed.config, question + context, versus)
    roles = (role for _, role in strategy_named(allowed.config.strategy).roles(allowed.config))
    missing = [f"{key} is set: without it the run is refused" for key in missing_keys(roles)]
    bill = bill.model_copy(update={"assumptions": [*missing, *allowed.notes, *bill.assumptions]})
    if (name := counterpart_of(config)) is None:
        return bill
    other = forecast_run(allow_models(with_models_of(name, config), keyed=keyed).config, question + context)
    return bill.model_copy(update={"counterpart": Counterpart(preset=name, expected=other.expected, worst=other.worst)})


def forecast_run(config: FusionConfig, text: str, versus: Iterable[str] = ()) -> Estimate:
    """Return the bill of one run, without the counterpart's; no file is read, so that an event loop may ask.

    Args:
        config: The run's configuration. What was measured of its models counts after `load_measurements`.
        text: The question with its context.
        versus: As for `estimate`.
    """
    cast = settle_roles(config)
    config = cast.config
    # In bytes, as the ledger reserves: no tokenizer fits all models, and none is needed for an upper bound.
    sizes = prompt_sizes(config, len(text.encode(errors="replace")))
    odds = strategy_named(config.strategy).expected_calls(config)
    seats = config.panel[: len(odds.seats)]
    rows = [seat_row(seat, sizes, config, odds.seats[seat]) for seat in range(len(seats))]
    rows += search_rows(sizes, config, odds)
    later: list[tuple[str, Panelist]] = []
    if odds.judge.maximum:
        later.append(("judge", config.judge_or_default))
        rows.append(judge_row(sizes, config, odds.judge))
    if odds.synthesizer.maximum:
        later.append(("synthesizer", config.synthesizer_or_default))
        rows.append(synthesizer_row(sizes, config, odds.synthesizer))
    if config.verifier and config.has_tools:
        later.append(("verify", config.verifier))
        rows.append(verifier_row(config, config.verifier))
    roles = [*((f"panel.{i}", seat) for i, seat in enumerate(seats)), *later]
    rows += trial_rows([role for name, role in roles if name != "verify"])
    # Compared without searches: a model that is asked alone is priced without them, too.
    models = Amount.total(row.expected for row in rows if not is_search(row.model))
    names = dict.fromkeys(name for _, role in roles for name in models_of(role))
    return Estimate(
        rows=rows,
        expected=Amount.total(row.expected for row in rows),
        worst=Amount.total(row.worst for row in rows).capped(config.limits, 1.0),
        unpriced=[name for name in names if not is_priced(name)],
        versus=[_alternative(name, sizes, models.usd) for name in versus],
        counterpart=None,
        seconds=expected_seconds(config),
        late=deadline_warning(config),
        refused=_refusal_reason(config, roles, text),
        assumptions=[_depth(sizes.turns), *filter(None, [cast.reason]), *ASSUMPTIONS],
    )


def _depth(turns: int) -> str:
    return f"every seat makes all {turns} tool calls that it may (max_tool_calls)" if turns else "no seat has tools"


def _alternative(name: str, sizes: PromptSizes, whole: float | None) -> Alternative:
    amount = turns_of_seat(Panelist(model=name), sizes)
    ratio = whole / amount.usd if whole is not None and amount.usd else None
    return Alternative(model=name, expected=amount, ratio=ratio)


def _refusal_reason(config: FusionConfig, roles: Sequence[tuple[str, Panelist]], question: str) -> str | None:
    try:
        check_limits(config, roles, question, parts=strategy_named(config.strategy).limit_parts(config))
    except (BudgetExceeded, ConfigError) as error:
        return str(error)
    return None
