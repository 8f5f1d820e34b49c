"""What is under test in one run."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from random import Random

from chaos.capabilities import Disks, Instances, Processes, Server
from scenarios.scenario import Scenario
from scenarios.targets.spec import (
    ClientTarget,
    ReferenceClient,
    RunningServer,
    ServerTarget,
    SimulatedServer,
)

OF_PROCESSES = frozenset({Processes, Disks, Instances})
"""What can be done only to a server that the lab has started."""


@dataclass(frozen=True, slots=True)
class Targets:
    """`python` runs Python clients in the world `local`."""

    client: ClientTarget = field(default_factory=ReferenceClient)
    server: ServerTarget = field(default_factory=SimulatedServer)
    python: str = sys.executable

    @property
    def are_reference(self) -> bool:
        """Both are this project's own."""
        return isinstance(self.client, ReferenceClient) and isinstance(self.server, SimulatedServer)


def why_skipped(scenario: Scenario, targets: Targets) -> str:
    """Why these targets cannot be judged by the scenario; empty where they can."""
    client, server = targets.client, targets.server
    if scenario.demands == "durable" and client.level != "durable":
        return f"demands a durable client; {client.name} owes what a helper owes"
    if scenario.reference_only and not isinstance(client, ReferenceClient):
        return scenario.reference_only
    if "broker" in scenario.needs and not server.takes_broker:
        return f"needs a server that takes the broker; {server.name} does not"
    needed = _needed(scenario)
    if (scenario.server.lab_faults or Server in needed) and not server.has_lab:
        return f"needs the control plane of the simulated server; {server.name} has none"
    if isinstance(server, RunningServer):
        if needed & OF_PROCESSES:
            return f"kills or restarts the server; {server.name} runs already"
        if not scenario.start_up(Random(0)).ready_first:
            return f"starts the server itself; {server.name} runs already"
    return ""


def _needed(scenario: Scenario) -> frozenset[type]:
    """The capabilities that its faults use, which are the same whatever the seed."""
    return frozenset(scheduled.fault.needs for scheduled in scenario.faults(Random(0)))
