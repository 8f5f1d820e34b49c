"""Family `down`: the DTMS API is not there, goes away, or comes and goes."""

from __future__ import annotations

from random import Random

from chaos.faults import DropRequest, Kill, Refuse, Restart
from chaos.schedule import Scheduled, during, every
from scenarios.scenario import Bounds, Family, Scenario, StartUp, always
from scenarios.suites.promises import NOTICED, REGISTERED
from scenarios.workload import steady

TWO = ("bot", "desktop")


def at_a_random_moment(random: Random) -> tuple[Scheduled, ...]:
    """The server dies somewhere in the load, and is started again 1.5 s later."""
    begin = random.uniform(0.3, 0.9)
    return (during(begin, begin + 1.5, Kill("dtms")),)


DOWN = (
    Scenario(
        name="down-before",
        family=Family.DOWN,
        proves="Trades executed while the API has not been started are registered once it is.",
        workload=steady(TWO, trades=6, over_s=1.0),
        faults_last_s=2.0,
        start_up=lambda _random: StartUp(
            order=("services",), ready_first=False, withheld=frozenset({"dtms"})
        ),
        services=TWO,
        checkers=(*REGISTERED, *NOTICED, "nothing_sent_before_ready"),
    ),
    Scenario(
        name="down-during",
        family=Family.DOWN,
        proves="A server killed under load and started again costs no trade.",
        workload=steady(TWO, trades=20, over_s=1.5),
        faults=at_a_random_moment,
        faults_last_s=2.8,
        services=TWO,
        checkers=(*REGISTERED, "health_tells_the_truth"),
        demands="helper",
    ),
    Scenario(
        name="flapping",
        family=Family.DOWN,
        proves="A server that comes and goes costs no trade and no storm of retries.",
        workload=steady(TWO, trades=24, over_s=4.0),
        faults=always(every(1.3, Kill("dtms"), for_s=0.5, times=3)),
        faults_last_s=4.5,
        services=TWO,
        checkers=REGISTERED,
    ),
    Scenario(
        name="breaker-opens",
        family=Family.DOWN,
        proves="Down for long, the breaker opens and the client is silent but for single probes.",
        workload=steady(("bot",), trades=20, over_s=4.0),
        faults=always(during(0.2, 5.0, DropRequest("bot->dtms", op="any", how="reset"))),
        faults_last_s=5.2,
        checkers=(*REGISTERED, *NOTICED, "breaker_is_silent"),
    ),
    Scenario(
        name="shutdown-in-the-middle",
        family=Family.DOWN,
        proves="A graceful stop under load finishes what was acknowledged; the rest comes after.",
        workload=steady(TWO, trades=30, over_s=1.5),
        faults=always(during(0.6, 1.8, Restart("dtms"))),
        faults_last_s=2.5,
        services=TWO,
        checkers=(*REGISTERED, "health_tells_the_truth"),
        demands="helper",
    ),
    Scenario(
        name="one-link-refused",
        family=Family.DOWN,
        proves="A service cut off from the API catches up; its neighbour never notices.",
        workload=steady(TWO, trades=12, over_s=1.5),
        faults=always(during(0.2, 2.0, Refuse("bot->dtms"))),
        faults_last_s=2.2,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="outage-outlasts-the-callers",
        family=Family.DOWN,
        proves="Down for longer than any caller may wait: each is told in time that nobody knows.",
        workload=steady(TWO, trades=8, over_s=1.0),
        faults=always(during(0.0, 240.0, Refuse("*->dtms"))),
        faults_last_s=241.0,
        services=TWO,
        checkers=("failure_is_honest", "caller_is_never_blocked", "nothing_leaks", *NOTICED),
        demands="helper",
        virtual_only="lasts four minutes",
    ),
    Scenario(
        name="hundred-pending",
        family=Family.DOWN,
        proves="A hundred trades that piled up during an outage are registered soon after it.",
        workload=steady(TWO, trades=100, over_s=2.0, via="auto"),
        faults=always(during(0.1, 2.5, Kill("dtms"))),
        faults_last_s=2.7,
        services=TWO,
        bounds=Bounds(unprotected_s=6.0),
        checkers=REGISTERED,
    ),
)
