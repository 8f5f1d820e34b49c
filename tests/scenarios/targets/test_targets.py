"""What targets can be put through, and what they owe."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from scenarios.campaign import Campaign
from scenarios.episode import CONTRACT_BOUNDS, CONTRACT_POLICY, Episode, checkers_for
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.history import Recorder
from scenarios.progress import skipped_lines
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import client_target, server_target
from scenarios.targets.targets import Targets, why_skipped

HELPER = f"{Path(__file__).parents[2] / 'zoo' / 'naive_client.py'}:register_trade"
FACTORY = f"{Path(__file__).parents[2] / 'zoo' / 'early_ack_server.py'}:make_app"
PROGRAM = "cmd:serve {port}"
RUNNING = "http://127.0.0.1:1"


def why(scenario: str, client: str = "reference", server: str = "simulated") -> str:
    return why_skipped(SCENARIOS[scenario], Targets(client_target(client), server_target(server)))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_labs_own_are_put_through_everything(scenario) -> None:
    assert why_skipped(scenario, Targets()) == ""


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_helper_is_put_through_what_a_helper_owes(scenario) -> None:
    skipped = why_skipped(scenario, Targets(client_target(HELPER)))
    assert skipped.startswith("demands a durable client") == (scenario.demands == "durable")


@pytest.mark.parametrize(
    ("scenario", "server", "word"),
    [
        ("store-full", PROGRAM, "needs the control plane of the simulated server"),
        ("crash-before-commit", FACTORY, "needs the control plane of the simulated server"),
        ("kill-after-ack", PROGRAM, ""),
        ("kill-after-ack", RUNNING, "kills or restarts the server"),
        ("frozen-server", RUNNING, "kills or restarts the server"),
        ("store-corrupt", PROGRAM, "needs a server that takes the broker"),
        ("down-before", RUNNING, "runs already"),
        ("answer-lost-once", RUNNING, ""),
    ],
)
def test_a_server_is_put_through_what_can_be_done_to_it(scenario, server, word) -> None:
    skipped = why(scenario, server=server)
    assert word in skipped
    assert bool(word) == bool(skipped)


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_fault_is_left_that_a_program_cannot_suffer(name) -> None:
    scenario = SCENARIOS[name]
    if not why(name, server=PROGRAM):
        needs = {scheduled.fault.needs.__name__ for scheduled in scenario.faults(Random(3))}
        assert needs <= {"Links", "Requests", "Processes", "Disks", "Instances"}


def test_random_faults_are_such_as_a_foreign_server_can_suffer() -> None:
    for seed in range(200):
        seedling = Seedling("down-during", seed, "socket", swarm=True, server=FACTORY)
        faults = plan_of(seedling).faults or ()
        needs = {scheduled.fault.needs.__name__ for scheduled in faults}
        assert not needs & {"Server", "Power", "Storage"}


def test_a_helper_is_judged_with_productions_values_and_the_reference_with_the_scenarios() -> None:
    scenario = SCENARIOS["down-during"]
    told = {}
    for client in ("reference", HELPER):
        recorder = Recorder(None, lambda: 0)
        Episode(
            scenario, 0, _Named(), recorder, client_target(client), server_target("simulated")
        )._note_header()
        told[client] = recorder.history().header
    helper, reference = told[HELPER], told["reference"]
    assert (helper["level"], reference["level"]) == ("helper", "durable")
    assert helper["bounds"]["blocked_s"] == CONTRACT_BOUNDS.blocked_s == 180.0  # type: ignore[index]
    assert helper["policy"]["timeout_s"] == CONTRACT_POLICY.timeout_s == 5.0  # type: ignore[index]
    assert reference["bounds"]["blocked_s"] == scenario.bounds.blocked_s  # type: ignore[index]
    assert "nothing_leaks" not in checkers_for(scenario, client_target(HELPER))


class _Named:
    """All that the header asks of a world."""

    name, fidelity = "sim", "socket"


def campaign(client: str, server: str) -> Campaign:
    return Campaign(
        scenarios=tuple(SCENARIOS.values()),
        targets=Targets(client_target(client), server_target(server)),
        worlds=("sim", "local"),
        fidelity=None,
        seed=0,
        repeat=None,
        jobs=1,
        workers=1,
        folder=Path("out"),
    )


@pytest.mark.parametrize(("client", "server"), [(HELPER, "simulated"), ("reference", FACTORY)])
def test_without_a_fidelity_foreign_targets_run_at_socket(client, server) -> None:
    trials = campaign(client, server).trials("sim")
    assert trials
    assert {trial.fidelity for trial in trials} == {"socket"}
    own = campaign("reference", "simulated").trials("sim")
    assert {trial.fidelity for trial in own} == {"message", "http", "socket"}


def test_what_is_skipped_is_said_in_a_line_for_each_reason() -> None:
    lines = skipped_lines(campaign(HELPER, "simulated"))
    durable = sum(scenario.demands == "durable" for scenario in SCENARIOS.values())
    assert lines == [
        f"skipped {durable} scenarios in sim and local: "
        f"demands a durable client; {HELPER} owes what a helper owes",
        "skipped outage-outlasts-the-callers in local: lasts four minutes",
    ]
