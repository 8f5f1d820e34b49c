"""What a rule decides about one request. Whoever carries requests only executes verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from chaos.answer import DELIVER, Change, Deliver
from chaos.choice import Draw
from chaos.request import RequestView

Silence = Literal["reset", "close", "hang"]
"""How an answer fails to come: the connection is reset; it closes without a word; or it stays open
and nothing comes until the client gives up."""
SILENCES: frozenset[str] = frozenset({"reset", "close", "hang"})


@dataclass(frozen=True, slots=True)
class Lose:
    """The server answers, and the client never sees it."""

    how: Silence = "hang"


@dataclass(frozen=True, slots=True)
class Forward:
    """The server gets the request `delay_s` late, even from a client that has given up by then.

    It gets it `copies` times, the extra ones over connections of their own, `copy_gap_s` apart; the
    client gets the answer to the first, `answer_delay_s` late, as `answer` says.
    """

    delay_s: float = 0.0
    copies: int = 1
    copy_gap_s: float = 0.0
    answer_delay_s: float = 0.0
    answer: Change | Lose = DELIVER


@dataclass(frozen=True, slots=True)
class Swallow:
    """The server never sees the request, and no answer comes."""

    how: Silence = "hang"


@dataclass(frozen=True, slots=True)
class Reply:
    """The server never sees the request; this is the answer, its body spread over `over_s`."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    over_s: float = 0.0


Verdict = Forward | Swallow | Reply

PASS = Forward()
"""Nothing happens to the request."""


class Rule(Protocol):
    """Decides about requests. `link` may be a pattern; the carrier asks only where it fits."""

    def decide(self, request: RequestView, nth: int, draw: Draw) -> Verdict:
        """The verdict; pure. `nth` counts from 0 the requests of this operation and ticket on this
        link since the rule has been in force."""
        ...


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of several rules, in the order in which they came into force.

    The first that keeps the request from the server decides alone. Otherwise delays add up, the
    most copies win, and the first that touches the answer touches it.
    """
    whole = PASS
    for verdict in verdicts:
        if not isinstance(verdict, Forward):
            return verdict
        whole = Forward(
            delay_s=whole.delay_s + verdict.delay_s,
            copies=max(whole.copies, verdict.copies),
            copy_gap_s=max(whole.copy_gap_s, verdict.copy_gap_s),
            answer_delay_s=whole.answer_delay_s + verdict.answer_delay_s,
            answer=verdict.answer if isinstance(whole.answer, Deliver) else whole.answer,
        )
    return whole
