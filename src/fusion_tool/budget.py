"""What a run may still spend: reserved before each call, settled after it, never passed.

A reservation is an upper bound: the prompt's tokens from above, and as many answer tokens as the call is then
allowed to produce. A call whose upper bound does not fit is not made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fusion_tool.pricing import cost_of
from fusion_tool.usage import Call, Stage

_SHARES: dict[Stage, float] = {"panelist": 0.6, "judge": 0.75, "synthesizer": 1.0}
_BYTES_A_TOKEN = 2
"""Tokenizers need about four bytes of English or three of Chinese a token, two of digits and code: from above."""
_ANSWER_TOKENS = 8192
"""What a call may answer at most under a limit, where its model's `max_tokens` does not say."""
TOOLS_BYTES = 6000
"""A seat's system message and its tools' schemas, from above."""
_SHORTEST_ANSWER = 256
"""Fewer tokens than this are not worth a call."""


def shares(strategy: str) -> Mapping[Stage, float]:
    """How much of a run's seconds, dollars and tokens may be gone when a stage ends.

    The rest is kept back, so that a run that started can finish.
    """
    return {"panelist": 1.0, "judge": 1.0, "synthesizer": 1.0} if strategy == "solo" else _SHARES


class OverBudget(Exception):  # noqa: N818 - internal; a limit reached is a fault of the call, not of the program
    """The call could pass a limit. `kind` is `usd` or `tokens`; `needed` and `left` are in its unit."""

    def __init__(self, kind: str, needed: float, left: float) -> None:
        super().__init__(f"limits.{kind}: the call needs {needed:.4g}, {max(left, 0):.4g} is left for this stage")
        self.kind, self.needed, self.left = kind, needed, left


@dataclass(frozen=True)
class Hold:
    """One call's reservation: the answer tokens that it may produce (`None`: unlimited), dollars and tokens."""

    max_tokens: int | None
    usd: float = 0.0
    tokens: int = 0


class Spent(NamedTuple):
    """Dollars and tokens; where a call's are unknown, what it may have spent at most."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: "Spent") -> "Spent":  # type: ignore[override] # sums, not a longer tuple
        return Spent(self.usd + other.usd, self.tokens + other.tokens)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.usd - other.usd, self.tokens - other.tokens)


class Ledger:
    """A run's limits and what is spent or reserved of them.

    Args:
        usd: Limit in US dollars, `None` for none.
        tokens: Limit in tokens, prompts and answers together, `None` for none.
        strategy: The plan's; it decides what is kept back for later stages.
        spent: What earlier stages spent.
    """

    def __init__(
        self,
        *,
        usd: float | None,
        tokens: int | None,
        strategy: str = "panel",
        spent: Spent | None = None,
    ) -> None:
        self._usd, self._tokens, self._shares = usd, tokens, shares(strategy)
        self.spent = spent or Spent()

    def hold(self, tab: "Tab", model: str, prompt_bytes: int, wanted: int | None = None) -> Hold:
        """Reserve a call.

        Args:
            tab: On which it goes.
            model: `"provider:model"`; an unpriced one counts no dollars (the configuration allowed it).
            prompt_bytes: Length of everything that is sent, UTF-8.
            wanted: The model's own `max_tokens`.

        Raises:
            OverBudget: It could pass a limit.
        """
        if self._usd is None and self._tokens is None:
            return Hold(None)
        prompt = prompt_tokens(prompt_bytes)
        most = wanted or _ANSWER_TOKENS
        least = min(most, _SHORTEST_ANSWER)
        answer = most
        if self._tokens is not None:
            left = int(self._left(tab, self._tokens, self.spent.tokens, tab.spent.tokens))
            answer = min(answer, left - prompt)
            if answer < least:
                raise OverBudget("tokens", prompt + least, left)
        if self._usd is not None:
            left_usd = self._left(tab, self._usd, self.spent.usd, tab.spent.usd)
            answer = _affordable(model, prompt, answer, left_usd)
            if answer < least:
                raise OverBudget("usd", _price(model, prompt, least), left_usd)
        held = Hold(answer, _price(model, prompt, answer), prompt + answer)
        self.spent += Spent(held.usd, held.tokens)
        return held

    def _left(self, tab: "Tab", limit: float, spent: float, spent_on_tab: float) -> float:
        share = limit * self._shares[tab.stage]
        return min(share - spent, share * tab.part - spent_on_tab)

    def settle(self, held: Hold, call: Call | None) -> Spent:
        """Replace a reservation by what the call did spend; what is unknown stays reserved.

        Args:
            held: The reservation.
            call: The call's row of the bill, `None` where nothing was charged.

        Returns:
            What the call counts for.
        """
        if held.max_tokens is None:
            return Spent()
        usd = 0.0 if call is None else call.cost_usd
        known = call is None or None not in (call.input_tokens, call.output_tokens)
        tokens = (call.input_tokens or 0) + (call.output_tokens or 0) if call else 0
        counted = Spent(held.usd if usd is None else usd, tokens if known else held.tokens)
        self.spent = self.spent + counted - Spent(held.usd, held.tokens)
        return counted


class Tab:
    """One seat's or stage's part of a ledger: draws on the whole, and remembers its own.

    Args:
        ledger: The run's.
        stage: Whose share it draws on.
        part: How much of that share it may take, so that one seat does not spend its neighbours'.
    """

    def __init__(self, ledger: Ledger, stage: Stage, part: float = 1.0) -> None:
        self._ledger, self.stage, self.part = ledger, stage, part
        self.spent = Spent()
        self.refused = False

    def hold(self, model: str, prompt_bytes: int, wanted: int | None = None) -> Hold:
        """As `Ledger.hold`; `refused` remembers that a call did not fit."""
        try:
            return self._ledger.hold(self, model, prompt_bytes, wanted)
        except OverBudget:
            self.refused = True
            raise

    def settle(self, held: Hold, call: Call | None) -> None:
        """As `Ledger.settle`."""
        self.spent += self._ledger.settle(held, call)


def least_call(model: str, prompt_bytes: int, wanted: int | None = None) -> Spent:
    """What the shortest call worth making may spend."""
    prompt, answer = prompt_tokens(prompt_bytes), min(wanted or _ANSWER_TOKENS, _SHORTEST_ANSWER)
    return Spent(_price(model, prompt, answer), prompt + answer)


def prompt_tokens(prompt_bytes: int) -> int:
    """Tokens of a prompt, from above."""
    return -(-prompt_bytes // _BYTES_A_TOKEN)


def _price(model: str, prompt: int, answer: int) -> float:
    return cost_of(model, input_tokens=prompt, output_tokens=answer)[0] or 0.0


def _affordable(model: str, prompt: int, most: int, usd: float) -> int:
    """The longest answer, at most `most` tokens, for which `usd` suffices; by bisection, since prices have tiers."""
    if _price(model, prompt, most) <= usd:
        return most
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        if _price(model, prompt, middle) <= usd:
            low = middle
        else:
            high = middle
    return low
