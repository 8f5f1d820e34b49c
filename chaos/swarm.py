"""Random plans of faults of every family, for finding what nobody thought of.

Swarm testing (A. Groce, C. Zhang, E. Eide, Y. Chen, J. Regehr: Swarm Testing, ISSTA 2012): a plan
of everything at once keeps its parts from having their effect, a server that is dead has no slow
disk. So each seed first leaves most families out, and draws its faults from the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chaos.choice import Draw, happens
from chaos.dice import Dice
from chaos.families import FAMILIES, Cast
from chaos.refusal import refuse_unless
from chaos.schedule import Scheduled

SWARM_FAULTS_MAX = 6
"""How many faults a plan may have."""
FAMILY_PROBABILITY = 1 / 3
FAULT_PROBABILITY = 1 / 2
SERVER = "dtms"


def swarm(
    draw: Draw,
    *,
    links: Sequence[str],
    actors: Sequence[str],
    offered: Collection[type],
    last_s: float,
    avoid: Collection[str] = (),
    server: str = SERVER,
) -> tuple[Scheduled, ...]:
    """Up to SWARM_FAULTS_MAX faults that a world can suffer which offers these capabilities.

    Each begins within `last_s` seconds and ends within them or at healing. Every decision is keyed
    by what it is about: `swarm stall` whether stalls are in, `swarm fault 2` whether there is a
    fault of that number, `swarm stall 2` how much it wants to be a stall, `swarm stall 2 start`
    when it starts. Without one of the numbers, or the details of one, the others are the same;
    without a family, what was of it is of another. With draws of 0 there are no faults at all.

    `avoid` names families to leave out. Raises `ValueError` for one that there is not, and for a
    time in which nothing can happen.
    """
    refuse_unless(last_s > 0, f"Faults cannot happen within {last_s} s.")
    for name in avoid:
        refuse_unless(
            name in FAMILIES, f"There is no family {name!r}; there are {', '.join(FAMILIES)}."
        )
    cast = Cast(tuple(links), tuple(actors), server)
    chosen = [
        name
        for name in possible(cast, offered)
        if name not in avoid and happens(FAMILY_PROBABILITY, f"swarm {name}", draw)
    ]
    numbers = [
        number
        for number in range(SWARM_FAULTS_MAX)
        if chosen and happens(FAULT_PROBABILITY, f"swarm fault {number}", draw)
    ]
    return tuple(_fault(number, chosen, cast, last_s, draw) for number in numbers)


def possible(cast: Cast, offered: Collection[type]) -> tuple[str, ...]:
    """The families that have all they need, and somebody to hit."""
    return tuple(
        name
        for name, family in FAMILIES.items()
        if family.needs.issubset(offered) and family.whom(cast)
    )


def _fault(number: int, chosen: Sequence[str], cast: Cast, last_s: float, draw: Draw) -> Scheduled:
    """The family whose draw is the highest has it, so that the others do not count."""
    name = max(chosen, key=lambda name: draw(f"swarm {name} {number}"))
    dice = Dice(draw, f"swarm {name} {number}", last_s)
    family = FAMILIES[name]
    return family.make(dice.one_of("victim", family.whom(cast)), dice)
