"""Strategies for Hypothesis: positions, what services hand to clients, faults and plans of faults.

For tests of your own. A plan of faults shrinks well, towards none, then few, early and short:

    from hypothesis import given
    from chaos.capabilities import Links, Processes
    from scenarios.strategies import fault_plans

    PLANS = fault_plans(["bot->dtms"], ["dtms"], {Links, Processes}, last_s=2.0)

    @given(PLANS)
    def test_nothing_is_lost(plan):
        episode = Seedling("registered-again", seed=1, faults=tuple(encode_schedule(plan)))
        assert judged(plan_of(episode)).broken == ()

Needs the extra `hypothesis`. For interleavings rather than faults use `dtms-lab explore`, which
Hypothesis finds less well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from chaos.dice import Dice
from chaos.families import FAMILIES, Cast
from chaos.refusal import refuse_unless
from chaos.schedule import Scheduled
from chaos.swarm import SERVER, possible
from scenarios.exploration.seedling import UNFAIR
from scenarios.workload import FIRST_TICKET, SYMBOLS, Position

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError as error:
    raise ImportError(
        "scenarios.strategies needs Hypothesis: install dtms-lab with its extra, "
        "dtms-lab[hypothesis]"
    ) from error

PLAN_FAULTS_MAX = 4
"""How many faults a plan has at most, where not said otherwise: what fails mostly needs two."""
TICKETS_MAX = 1_000
STEPS = 1_000
"""Into how many steps a draw is divided, so that it shrinks quickly and can be read."""
VOLUME_CENTILOTS_MAX = 1_000

ENTRY = ("entry_price", "price_executed", "price", "entry")
STOP_LOSS = ("stop_loss", "sl", "final_sl")
TAKE_PROFIT = ("take_profit", "tp", "final_tp")
VOLUME = ("volume", "lot")
"""The names that the contract accepts, written down once more: what is tested has a list of its
own, and is not asked for it."""


@st.composite
def positions(draw: DrawFn, strategies: Sequence[str | None] = (None,)) -> Position:
    """A position as a broker would execute it: its stops stand on the right sides of its entry.

    Shrinks towards the first ticket, a round price, the smallest volume and no stops."""
    symbol = draw(st.sampled_from(sorted(SYMBOLS)))
    direction: Literal["BUY", "SELL"] = draw(st.sampled_from(("BUY", "SELL")))
    sign = 1 if direction == "BUY" else -1
    entry = round(SYMBOLS[symbol] * (1 + draw(st.integers(0, 20)) / STEPS), 5)
    risk = st.none() | st.integers(2, 20).map(lambda share: entry * share / STEPS)
    loss, profit = draw(risk), draw(risk)
    return Position(
        ticket=FIRST_TICKET + draw(st.integers(0, TICKETS_MAX)),
        symbol=symbol,
        direction=direction,
        entry=entry,
        volume=draw(st.integers(1, VOLUME_CENTILOTS_MAX)) / 100,
        stop_loss=None if loss is None else round(entry - sign * loss, 5),
        take_profit=None if profit is None else round(entry + sign * profit, 5),
        strategy_type=draw(st.sampled_from(strategies)),
    )


@st.composite
def trade_data(
    draw: DrawFn, of: SearchStrategy[Position] | None = None
) -> tuple[Position, Mapping[str, object]]:
    """A position, and the trade as a service hands it to a client: under every accepted name, at
    the top level or under `details`, the direction in either case, numbers as int where they are
    whole, stops missing or null where there are none.

    Shrinks towards the names of the wire."""
    position = draw(positions() if of is None else of)
    given: dict[str, object] = {
        "symbol": position.symbol,
        "direction": draw(st.sampled_from((position.direction, position.direction.lower()))),
        draw(st.sampled_from(ENTRY)): _number(draw, position.entry),
        draw(st.sampled_from(VOLUME)): _number(draw, position.volume),
    }
    for names, value in ((STOP_LOSS, position.stop_loss), (TAKE_PROFIT, position.take_profit)):
        if value is not None or draw(st.booleans()):
            given[draw(st.sampled_from(names))] = value
    if position.strategy_type is not None:
        given["strategy_type"] = position.strategy_type
    details = sorted(draw(st.sets(st.sampled_from(sorted(given)))))
    if details:
        given["details"] = {name: given.pop(name) for name in details}
    return position, given


def faults(
    links: Sequence[str],
    actors: Sequence[str],
    offered: Collection[type],
    last_s: float,
    *,
    avoid: Collection[str] = UNFAIR,
    server: str = SERVER,
) -> SearchStrategy[Scheduled]:
    """One fault that a world can suffer which offers these capabilities, of any of the families in
    `chaos.families` but those to `avoid`: by default those that not even a correct server can
    stand. It begins within `last_s` seconds, and ends within them or at healing.

    Shrinks towards the first family, early and short. Raises `ValueError` where nothing can
    happen."""
    refuse_unless(last_s > 0, f"Faults cannot happen within {last_s} s.")
    cast = Cast(tuple(links), tuple(actors), server)
    names = [name for name in possible(cast, offered) if name not in avoid]
    refuse_unless(
        bool(names), "No fault can happen: there is nobody to hit, or nothing is offered."
    )
    return st.sampled_from(names).flatmap(lambda name: _of_family(name, cast, last_s))


def fault_plans(
    links: Sequence[str],
    actors: Sequence[str],
    offered: Collection[type],
    last_s: float,
    max_size: int = PLAN_FAULTS_MAX,
    *,
    avoid: Collection[str] = UNFAIR,
    server: str = SERVER,
) -> SearchStrategy[tuple[Scheduled, ...]]:
    """Up to `max_size` faults as `faults` makes them; shrinks towards none. Raises `ValueError` as
    `faults` does."""
    one = faults(links, actors, offered, last_s, avoid=avoid, server=server)
    return st.lists(one, max_size=max_size).map(tuple)


@st.composite
def _of_family(draw: DrawFn, name: str, cast: Cast, last_s: float) -> Scheduled:
    def drawn(key: str) -> float:  # noqa: ARG001 - Hypothesis draws in the order of asking
        return draw(st.integers(0, STEPS - 1)) / STEPS

    dice, family = Dice(drawn, name, last_s), FAMILIES[name]
    return family.make(dice.one_of("victim", family.whom(cast)), dice)


def _number(draw: DrawFn, value: float) -> float | int:
    return int(value) if value == int(value) and draw(st.booleans()) else value
