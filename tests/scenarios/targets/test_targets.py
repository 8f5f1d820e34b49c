"""What these targets cannot be put through, and why."""

from __future__ import annotations

import pytest

from scenarios.suites import SCENARIOS
from scenarios.targets.spec import FactoryServer, SimulatedServer
from scenarios.targets.targets import Targets, why_skipped


def server(takes_broker: bool = True, takes_registry: bool = True) -> FactoryServer:
    return FactoryServer("mine.py:make", "mine.py:make", takes_broker, takes_registry)


@pytest.mark.parametrize(
    ("scenario", "target", "why"),
    [
        ("kill-client", server(takes_broker=False), "needs a server that takes the broker"),
        ("manager-down", server(takes_registry=False), "asks the trade registry"),
        ("manager-down", server(), ""),
        ("order-broker-main-api-dtms-services", server(takes_registry=False), ""),
        ("store-full", server(), "needs the control plane"),
        ("slow-initialisation", server(), "needs the control plane"),
        ("store-full", SimulatedServer(), ""),
        ("kill-after-ack", server(takes_broker=False), ""),
    ],
)
def test_a_server_is_judged_by_what_it_can_be_put_through(scenario, target, why) -> None:
    told = why_skipped(SCENARIOS[scenario], Targets(server=target))
    assert why in told
    assert bool(told) is bool(why)
