"""What a run may still spend: reserved before each call, settled after it, never passed.

A reservation is an upper bound: the prompt's tokens from above, and as many answer tokens as the call is then
allowed to produce. A call whose upper bound does not fit is not made.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, TypeAlias

from fusion_tool.budget.pricing import cost_of
from fusion_tool.budget.usage import Call, StageName

MAX_FOLLOW_UPS = 3
"""Seats that a follow-up may ask once more; their part of the limits is kept back."""
Shares: TypeAlias = Mapping[StageName, float]
"""How much of a run's seconds, dollars and tokens may be gone when a stage ends."""
WHOLE_LIMIT: Shares = {"panelist": 1.0, "judge": 1.0, "synthesizer": 1.0}
"""Every stage may take all that is left."""
_BYTES_A_TOKEN = 2
"""Tokenizers need about four bytes of English or three of Chinese a token, two of digits and code: from above."""
_ANSWER_TOKENS = 8192
"""What a call may answer at most under a limit, where its model's `max_tokens` does not say."""
TOOLS_BYTES = 6000
"""A seat's system message and its tools' schemas, from above."""
_SHORTEST_ANSWER = 256
"""Fewer tokens than this are not worth a call."""


class OverBudgetError(Exception):
    """The call could pass a limit. `kind` is `usd` or `tokens`; `needed` and `remaining` are in its unit."""

    def __init__(self, kind: str, needed: float, remaining: "Remaining") -> None:
        whose = " for this stage" if remaining.limits == "limits" else ""
        super().__init__(
            f"{remaining.limits}.{kind}: the call needs {needed:.4g}, {max(remaining.amount, 0):.4g} is left{whose}"
        )
        self.kind, self.needed, self.remaining = kind, needed, remaining.amount


@dataclass(frozen=True)
class Reservation:
    """One call's reservation: the answer tokens that it may produce (`None`: unlimited), dollars and tokens."""

    max_tokens: int | None
    usd: float = 0.0
    tokens: int = 0


class Remaining(NamedTuple):
    """What is left in dollars or tokens, and by which limits: `limits` or `session_limits`."""

    amount: float
    limits: str


class Spent(NamedTuple):
    """Dollars and tokens; where a call's are unknown, what it may have spent at most."""

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
        shares: What each stage may take; the rest is kept back for later ones.
        spent: What earlier stages spent.
        session: The ledger of the session that this one is part of.
    """

    def __init__(
        self,
        *,
        usd: float | None,
        tokens: int | None,
        shares: Shares = WHOLE_LIMIT,
        spent: Spent | None = None,
        session: "Ledger | None" = None,
    ) -> None:
        self._shares, self._session = shares, session
        self._lock: Lock = session._lock if session else Lock()  # noqa: SLF001 - one lock for all of a session's
        self.spent = spent or Spent()
        self._limits = {"usd": self._limit_for("usd", usd), "tokens": self._limit_for("tokens", tokens)}
        self.is_limited: bool = usd is not None or tokens is not None or (session is not None and session.is_limited)

    def _limit_for(self, kind: str, own: float | None) -> Remaining:
        """The run's own limit, or what the session leaves it where that is less."""
        theirs = self._session.remaining(kind) + getattr(self.spent, kind) if self._session else math.inf
        return Remaining(theirs, "session_limits") if own is None or theirs < own else Remaining(own, "limits")

    def remaining(self, kind: str) -> float:
        """What no call has spent or reserved of a limit, in `usd` or `tokens`; infinite where there is none."""
        return self._limits[kind].amount - float(getattr(self.spent, kind))

    def reserve(
        self, budget: "StageBudget", model: str, prompt_bytes: int, max_tokens: int | None = None
    ) -> Reservation:
        """Reserve a call.

        Args:
            budget: On which it goes.
            model: `"provider:model"`; an unpriced one counts no dollars (the configuration allowed it).
            prompt_bytes: Length of everything that is sent, UTF-8.
            max_tokens: The model's own `max_tokens`.

        Raises:
            OverBudgetError: It could pass a limit.
        """
        if not self.is_limited:
            return Reservation(None)
        prompt = prompt_tokens(prompt_bytes)
        most = max_tokens or _ANSWER_TOKENS
        least = min(most, _SHORTEST_ANSWER)
        with self._lock:
            left = self._remaining_for(budget, "tokens")
            answer = int(min(most, left.amount - prompt))
            if answer < least:
                raise OverBudgetError("tokens", prompt + least, left)
            left = self._remaining_for(budget, "usd")
            answer = _longest_answer_within(model, prompt, answer, left.amount)
            if answer < least:
                raise OverBudgetError("usd", _price(model, prompt, least), left)
            reservation = Reservation(answer, _price(model, prompt, answer), prompt + answer)
            self._add(Spent(reservation.usd, reservation.tokens))
        return reservation

    def reserve_fee(self, budget: "StageBudget", usd: float) -> Reservation:
        """Reserve `usd` dollars that are no model's.

        Raises:
            OverBudgetError: They could pass a limit.
        """
        if not self.is_limited:
            return Reservation(None)
        with self._lock:
            left = self._remaining_for(budget, "usd")
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
        usd = 0.0 if call is None else call.cost_usd
        known = call is None or None not in (call.input_tokens, call.output_tokens)
        tokens = (call.input_tokens or 0) + (call.output_tokens or 0) if call else 0
        counted = Spent(reservation.usd if usd is None else usd, tokens if known else reservation.tokens)
        with self._lock:
            self._add(counted - Spent(reservation.usd, reservation.tokens))
        return counted

    def count(self, spent: Spent) -> None:
        """Count what was spent before, or elsewhere."""
        with self._lock:
            self._add(spent)

    def _add(self, spent: Spent) -> None:
        self.spent += spent
        if self._session:
            self._session._add(spent)  # noqa: SLF001 - another ledger's, under the same lock

    def _remaining_for(self, budget: "StageBudget", kind: str) -> Remaining:
        """What a call on `budget` may take: of its stage's share, of its part of that, of what the session leaves."""
        limit, limits = self._limits[kind]
        share = limit * self._shares[budget.stage]
        left = min(share - getattr(self.spent, kind), share * budget.part - getattr(budget.spent, kind))
        if self._session and (theirs := self._session.remaining(kind)) < left:
            return Remaining(theirs, "session_limits")
        return Remaining(left, limits)


class StageBudget:
    """One seat's or stage's part of a ledger: draws on the whole, and remembers its own.

    Args:
        ledger: The run's.
        stage: Whose share it draws on.
        part: How much of that share it may take, so that one seat does not spend its neighbours'.
        spent: What it had spent, or may have, before its process died.
        persist: Keeps what is spent and reserved where it outlives this process.
    """

    def __init__(
        self,
        ledger: Ledger,
        stage: StageName,
        part: float = 1.0,
        *,
        spent: Spent | None = None,
        persist: Callable[[Spent], Awaitable[None]] | None = None,
    ) -> None:
        self._ledger, self.stage, self.part = ledger, stage, part
        self._write_down = persist if ledger.is_limited else None
        self.spent = spent or Spent()
        self.is_exhausted = False
        ledger.count(self.spent)

    async def reserve(self, model: str, prompt_bytes: int, max_tokens: int | None = None) -> Reservation:
        """As `Ledger.hold`, and written down before the call is made; `is_exhausted` remembers one that did not fit."""
        return await self._persist(lambda: self._ledger.reserve(self, model, prompt_bytes, max_tokens))

    async def reserve_fee(self, usd: float) -> Reservation:
        """As `Ledger.reserve_fee`, likewise."""
        return await self._persist(lambda: self._ledger.reserve_fee(self, usd))

    def reserve_unpersisted(self, model: str, prompt_bytes: int, max_tokens: int | None = None) -> Reservation:
        """As `Ledger.hold`, and not written down."""
        return self._track(lambda: self._ledger.reserve(self, model, prompt_bytes, max_tokens))

    def settle(self, reservation: Reservation, call: Call | None) -> None:
        """As `Ledger.settle`."""
        self.spent += self._ledger.settle(reservation, call) - Spent(reservation.usd, reservation.tokens)

    def _track(self, reservation: Callable[[], Reservation]) -> Reservation:
        try:
            held = reservation()
        except OverBudgetError:
            self.is_exhausted = True
            raise
        self.spent += Spent(held.usd, held.tokens)
        return held

    async def _persist(self, reservation: Callable[[], Reservation]) -> Reservation:
        held = self._track(reservation)
        if self._write_down:
            try:
                await self._write_down(self.spent)
            except BaseException:
                self.settle(held, None)  # the call is not made
                raise
        return held


def minimal_call(model: str, prompt_bytes: int, max_tokens: int | None = None) -> Spent:
    """What the shortest call worth making may spend."""
    prompt, answer = prompt_tokens(prompt_bytes), min(max_tokens or _ANSWER_TOKENS, _SHORTEST_ANSWER)
    return Spent(_price(model, prompt, answer), prompt + answer)


def prompt_tokens(prompt_bytes: int) -> int:
    """Tokens of a prompt, from above."""
    return -(-prompt_bytes // _BYTES_A_TOKEN)


def _price(model: str, prompt: int, answer: int) -> float:
    return cost_of(model, input_tokens=prompt, output_tokens=answer)[0] or 0.0


def _longest_answer_within(model: str, prompt: int, max_tokens: int, usd: float) -> int:
    """The longest answer, within `max_tokens`, for which `usd` suffices; by bisection, since prices have tiers."""
    if _price(model, prompt, max_tokens) <= usd:
        return max_tokens
    low, high = -1, max_tokens
    while high - low > 1:
        middle = (low + high) // 2
        if _price(model, prompt, middle) <= usd:
            low = middle
        else:
            high = middle
    return low
