"""What a run may still spend: reserved before each call, settled after it, never passed.

A reservation is an upper bound: an overestimate of the prompt's tokens, and as many answer tokens as the call is then
allowed to produce. A call whose upper bound does not fit is not made.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, TypeAlias

from fusion_tool.budget.pricing import bounded_price, longest_answer_within
from fusion_tool.budget.usage import Call, StageName

MAX_FOLLOW_UPS = 3
"""Seats that a follow-up may ask once more; their part of the limits is held back for them."""
Shares: TypeAlias = Mapping[StageName, float]
"""How much of a run's seconds, dollars and tokens may be gone when each stage ends, 0 to 1."""
WHOLE_LIMIT: Shares = {"panelist": 1.0, "judge": 1.0, "synthesizer": 1.0, "verifier": 1.0}
"""Every stage may take all that is left."""
_BYTES_A_TOKEN = 2
"""Tokenizers take about four bytes of English for a token, three of Chinese, two of digits and code: the fewest."""
_ANSWER_TOKENS = 8192
"""The longest answer of a call under a limit, in tokens, where the model has no `max_tokens`."""
TOOLS_BYTES = 6000
"""An upper bound of a seat's system message and its tools' schemas."""
_SHORTEST_ANSWER = 256
"""Fewer tokens than this are not worth a call."""


class OverBudgetError(Exception):
    """A call that could pass a limit. `kind` is `usd` or `tokens`; `needed` and `remaining` are in that unit."""

    def __init__(self, kind: str, needed: float, remaining: "Remaining") -> None:
        scope = " for this stage" if remaining.limits == "limits" else ""  # a session's are not divided among stages
        super().__init__(
            f"{remaining.limits}.{kind}: the call needs {needed:.4g}, {max(remaining.amount, 0):.4g} is left{scope}"
        )
        self.kind, self.needed, self.remaining = kind, needed, remaining.amount


@dataclass(frozen=True)
class Reservation:
    """One call's upper bound: answer tokens (`None`: unlimited), US dollars, tokens of prompt and answer together."""

    max_tokens: int | None
    usd: float = 0.0
    tokens: int = 0


class Remaining(NamedTuple):
    """An amount that is left, in dollars or tokens, and the limits that leave it: `limits` or `session_limits`."""

    amount: float
    limits: str


class Spent(NamedTuple):
    """US dollars and tokens; where a call's are unknown, what it may have spent at most."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: "Spent") -> "Spent":  # type: ignore[override] # sums, not a longer tuple
        return Spent(self.usd + other.usd, self.tokens + other.tokens)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.usd - other.usd, self.tokens - other.tokens)


class Ledger:
    """Limits, and what is spent or reserved of them: a run's or, several runs together, a session's.

    The stages of a run get their shares of what its own limits allow and its session leaves. Runs of one session may
    go on in several threads: its ledgers have one lock, under which a call is reserved in all of them or in none.

    Args:
        usd: Limit in US dollars, `None` for none.
        tokens: Limit in tokens, prompts and answers together, `None` for none.
        shares: What each stage may take; the rest is held back for later ones, so that a run that began can finish.
        spent: What earlier stages spent, `None` for nothing.
        session: The ledger of the session that this one is part of, `None` for none.
        on_call: Gets the row of every call that is settled, in the thread that settles it; `None` needs none.
    """

    def __init__(  # noqa: PLR0913 - limits, and whose part of them
        self,
        *,
        usd: float | None,
        tokens: int | None,
        shares: Shares = WHOLE_LIMIT,
        spent: Spent | None = None,
        session: "Ledger | None" = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        self._shares, self._session, self._on_call = shares, session, on_call
        self._lock: Lock = session._lock if session else Lock()  # noqa: SLF001 - one lock for all of a session's
        self.spent = spent or Spent()
        self.is_used = False  # whether a call or a paid search has begun on its account, whatever became of it
        self._limits = {"usd": self._limit_for("usd", usd), "tokens": self._limit_for("tokens", tokens)}
        self.is_limited: bool = usd is not None or tokens is not None or (session is not None and session.is_limited)

    def _limit_for(self, kind: str, own: float | None) -> Remaining:
        """Return the run's own limit, or what the session leaves it where that is less."""
        # The session has counted what this run's earlier stages spent, too; the limit is the whole run's.
        rest = self._session.remaining(kind) + getattr(self.spent, kind) if self._session else math.inf
        return Remaining(rest, "session_limits") if own is None or rest < own else Remaining(own, "limits")

    def remaining(self, kind: str) -> float:
        """Return what no call has spent or reserved of the limit of `kind`, `usd` or `tokens`; infinite without one."""
        own = self._limits[kind].amount - float(getattr(self.spent, kind))
        return min(own, self._session.remaining(kind)) if self._session else own

    def reserve(
        self, budget: "StageBudget", model: str, prompt_bytes: int, max_tokens: int | None = None
    ) -> Reservation:
        """Reserve a call.

        Args:
            budget: The stage's budget that pays for it.
            model: `"provider:model"`; an unpriced one counts no dollars (the configuration allowed it).
            prompt_bytes: Length of everything that is sent, in bytes of UTF-8.
            max_tokens: The model's own `max_tokens`, `None` where the configuration sets none.

        Raises:
            OverBudgetError: It could pass a limit.
        """
        if not self.is_limited:
            return Reservation(None)
        prompt = prompt_tokens(prompt_bytes)
        most = max_tokens or _ANSWER_TOKENS
        least = min(most, _SHORTEST_ANSWER)  # a model whose own `max_tokens` is smaller is worth that much
        # Looked up and added under one lock: two seats at once would otherwise both be promised the last dollar.
        with self._lock:
            # Tokens first: they bound the answer, and the dollars are then the price of an answer of that length.
            left = self.remaining_for(budget, "tokens")
            answer = int(min(most, left.amount - prompt))
            if answer < least:
                raise OverBudgetError("tokens", prompt + least, left)
            left = self.remaining_for(budget, "usd")
            answer = longest_answer_within(model, prompt, answer, left.amount)
            if answer < least:
                raise OverBudgetError("usd", bounded_price(model, prompt, least), left)
            reservation = Reservation(answer, bounded_price(model, prompt, answer), prompt + answer)
            self._add(Spent(reservation.usd, reservation.tokens))
        return reservation

    def reserve_fee(self, budget: "StageBudget", usd: float) -> Reservation:
        """Reserve a fee of `usd` dollars that is not a model's, such as a search's.

        Raises:
            OverBudgetError: They could pass a limit.
        """
        if not self.is_limited:
            return Reservation(None)
        with self._lock:
            left = self.remaining_for(budget, "usd")
            if usd > left.amount:
                raise OverBudgetError("usd", usd, left)
            self._add(Spent(usd, 0))
        return Reservation(0, usd)

    def settle(self, reservation: Reservation, call: Call | None) -> Spent:
        """Replace a reservation by what the call did spend; what is unknown stays reserved.

        Args:
            reservation: The reservation.
            call: The call's row of the bill, `None` where nothing was charged.

        Returns:
            What the call counts for.
        """
        # Dollars and tokens are settled apart: a provider that reports tokens and has no price keeps its reserved
        # dollars, and one that reports nothing keeps both. Taking unknown for 0 would let a run pass its limits.
        usd = 0.0 if call is None else call.cost_usd
        is_known = call is None or None not in (call.input_tokens, call.output_tokens)
        tokens = (call.input_tokens or 0) + (call.output_tokens or 0) if call else 0
        counted = Spent(reservation.usd if usd is None else usd, tokens if is_known else reservation.tokens)
        with self._lock:
            self._add(counted - Spent(reservation.usd, reservation.tokens))
            if call is not None:
                self._report(call)
        return counted

    def count(self, spent: Spent) -> None:
        """Count what was spent before this ledger was made, or elsewhere."""
        with self._lock:
            self._add(spent)

    def mark_used(self) -> None:
        """Remember that a call or a paid search begins."""
        self.is_used = True
        if self._session:
            self._session.mark_used()

    def _add(self, spent: Spent) -> None:
        self.spent += spent
        if self._session:
            self._session._add(spent)  # noqa: SLF001 - another ledger's, under the same lock

    def _report(self, call: Call) -> None:
        if self._on_call:
            self._on_call(call)
        if self._session:
            self._session._report(call)  # noqa: SLF001 - another ledger's, under the same lock

    def remaining_for(self, budget: "StageBudget", kind: str) -> Remaining:
        """Return the least of what is left of the stage's share, of the budget's part of it, and of the session."""
        limit, limits = self._limits[kind]
        share = limit * self._shares[budget.stage]
        # Two bounds: the stage may not reach into what is held back for later stages, nor a seat into its neighbours'.
        left = min(share - getattr(self.spent, kind), share * budget.part - getattr(budget.spent, kind))
        # Looked at again with each call: runs of the session that go on beside this one draw on it, too.
        if self._session and (session_left := self._session.remaining(kind)) < left:
            return Remaining(session_left, "session_limits")
        return Remaining(left, limits)


class StageBudget:
    """One seat's or stage's part of a ledger: it draws on the whole, and remembers what it took itself.

    Args:
        ledger: The run's ledger.
        stage: The stage whose share it draws on.
        part: How much of that share it may take, 0 to 1, so that one seat does not spend its neighbours' part.
        spent: What it had spent, or may have spent, before its process died; `None` for nothing.
    """

    def __init__(self, ledger: Ledger, stage: StageName, part: float = 1.0, *, spent: Spent | None = None) -> None:
        self._ledger, self.stage, self.part = ledger, stage, part
        self.spent = spent or Spent()
        self.is_exhausted = False
        # The dead process's calls are in no record yet, and so not in the ledger that was made of the records.
        ledger.count(self.spent)

    @property
    def remaining_tokens(self) -> float:
        """The tokens that are left for this stage or seat; infinite without a limit."""
        return self._ledger.remaining_for(self, "tokens").amount

    async def reserve(self, model: str, prompt_bytes: int, max_tokens: int | None = None) -> Reservation:
        """Reserve as `Ledger.reserve` does; `is_exhausted` tells later that a call did not fit."""
        return self.reserve_now(model, prompt_bytes, max_tokens)

    async def reserve_fee(self, usd: float, name: str) -> Reservation:
        """Reserve as `Ledger.reserve_fee` does.

        Args:
            usd: The fee in US dollars.
            name: What stands for a model on the bill.
        """
        del name
        return self._track(lambda: self._ledger.reserve_fee(self, usd))

    def reserve_now(self, model: str, prompt_bytes: int, max_tokens: int | None = None) -> Reservation:
        """Reserve as `reserve` does, and write nothing down; for estimates, which call nobody."""
        return self._track(lambda: self._ledger.reserve(self, model, prompt_bytes, max_tokens))

    def settle(self, reservation: Reservation, call: Call | None) -> None:
        """Settle as `Ledger.settle` does."""
        self.spent += self._ledger.settle(reservation, call) - Spent(reservation.usd, reservation.tokens)

    def _track(self, reserve: Callable[[], Reservation]) -> Reservation:
        try:
            reservation = reserve()
        except OverBudgetError:
            self.is_exhausted = True
            raise
        self._ledger.mark_used()
        self.spent += Spent(reservation.usd, reservation.tokens)
        return reservation


def minimal_call(model: str, prompt_bytes: int, max_tokens: int | None = None) -> Spent:
    """Return what the shortest call worth making may spend; arguments as for `Ledger.reserve`."""
    prompt, answer = prompt_tokens(prompt_bytes), min(max_tokens or _ANSWER_TOKENS, _SHORTEST_ANSWER)
    return Spent(bounded_price(model, prompt, answer), prompt + answer)


def prompt_tokens(prompt_bytes: int) -> int:
    """Return an upper bound of the tokens in a prompt of `prompt_bytes` bytes."""
    return -(-prompt_bytes // _BYTES_A_TOKEN)
