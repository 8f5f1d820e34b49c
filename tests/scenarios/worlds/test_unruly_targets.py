"""Targets that crash, exit, print rubbish or hang in the middle of an episode, in both worlds."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from scenarios import episode
from scenarios.history import History
from scenarios.local_campaign import LocalCampaign
from scenarios.scenario import Bounds, Scenario
from scenarios.sim_campaign import SimCampaign
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import client_target, server_target
from scenarios.targets.targets import Targets
from scenarios.trial import Outcome, Trial, WorldName
from scenarios.verdict import Invalid

AGAIN = SCENARIOS["registered-again"]
UNRULY = """
import asyncio, os, sys
import httpx
from httpx import AsyncClient
calls = 0

async def sent(ticket, trade_data, api_url):
    t = {**trade_data, **trade_data.get("details", {})}
    def first(*names):
        return next((t[name] for name in names if t.get(name) is not None), None)
    payload = {"ticket": ticket, "symbol": t["symbol"], "direction": t["direction"].upper(),
        "entry": first("entry_price", "price_executed", "price"), "volume": first("volume", "lot"),
        "stop_loss": first("stop_loss", "sl", "final_sl"),
        "take_profit": first("take_profit", "tp", "final_tp")}
    async with AsyncClient(verify=False) as client:
        return (await client.post(f"{api_url}/dtms/trade/enable", json=payload)).status_code == 200

async def good(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    try:
        return await sent(ticket, trade_data, api_url)
    except httpx.HTTPError:
        return None

def is_second():
    global calls
    calls += 1
    return calls == 2

async def exits(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    if is_second():
        print("cannot go on", file=sys.stderr, flush=True)
        os._exit(4)
    return await sent(ticket, trade_data, api_url)

async def leaves_in_a_task(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    async def leave():
        print("cannot go on", file=sys.stderr, flush=True)
        sys.exit(5)
    if is_second():
        task = asyncio.ensure_future(leave())
        await asyncio.sleep(1.0)
    return await sent(ticket, trade_data, api_url)

async def hangs(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    if is_second():
        print("waiting for ever", flush=True)
        await asyncio.Event().wait()
    return await sent(ticket, trade_data, api_url)

async def raises(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    if is_second():
        print("something is wrong", flush=True)
        raise ValueError("no")
    return await sent(ticket, trade_data, api_url)
"""
RUBBISH = """
import asyncio, json, sys
from unruly import sent
for n, line in enumerate(sys.stdin):
    asked = json.loads(line)
    if n == 1:
        print("Traceback: it went wrong", flush=True)
        print("but it lives", file=sys.stderr, flush=True)
        continue
    registered = asyncio.run(sent(asked["ticket"], asked["trade"], asked["api_url"]))
    print(json.dumps({"id": asked["id"], "registered": registered}), flush=True)
"""
SERVER = """
import os, sys
sys.path.insert(0, {zoo!r})
import early_ack_server

def make_app(data_dir):
    early_ack_server.WRITTEN_AFTER_S = 0.0
    app = early_ack_server.make_app(data_dir)
    seen = 0
    async def dies(scope, receive, send):
        nonlocal seen
        seen += scope.get("method") == "POST"
        if seen == 3:
            print("out of memory", file=sys.stderr, flush=True)
            os._exit(6)
        await app(scope, receive, send)
    return dies

def locked(data_dir):
    lock = os.path.join(data_dir, "lock")
    if os.path.exists(lock):
        raise RuntimeError("the store is locked by another process")
    open(lock, "w").close()
    return early_ack_server.make_app(data_dir)
"""


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(episode, "CONTRACT_BOUNDS", Bounds(unprotected_s=30.0, blocked_s=2.0))
    monkeypatch.setattr(episode, "ANSWER_SLACK_S", 1.0)
    monkeypatch.setattr(episode, "START_S_MAX", 5.0)
    zoo = str(Path(__file__).parents[2] / "zoo")
    (tmp_path / "unruly.py").write_text(UNRULY)
    (tmp_path / "rubbish.py").write_text(RUBBISH)
    (tmp_path / "server.py").write_text(SERVER.format(zoo=zoo))
    return tmp_path


def played(
    folder: Path, world: WorldName, client: str, server: str, scenario: Scenario = AGAIN
) -> Outcome:
    trial = Trial(scenario, 3, world, "socket")
    given = Targets(client_target(client), server_target(server))
    outcomes: list[Outcome] = []
    if world == "local":
        local = LocalCampaign((trial,), given, 1, folder / "out")
        asyncio.run(local.run(lambda _trial: None, outcomes.append))
    else:
        sim = SimCampaign((trial,), given, 1, folder / "out")
        asyncio.run(sim.run(outcomes.append, lambda _trial, _small: None))
    (outcome,) = outcomes
    assert outcome.environment == ""
    return outcome


def why(outcome: Outcome, checker: str) -> str:
    verdict = outcome.verdicts[checker]
    assert isinstance(verdict, Invalid)
    return verdict.why


def told_by(outcome: Outcome) -> History:
    assert outcome.history is not None
    return History.read(outcome.history)


def log(folder: Path, outcome: Outcome, actor: str) -> str:
    return (folder / "out" / "logs" / outcome.trial.name / f"{actor}.log").read_text()


@pytest.mark.parametrize("world", ["local", "sim"])
@pytest.mark.parametrize(("client", "status"), [("exits", 4), ("leaves_in_a_task", 5)])
def test_a_client_that_ends_in_the_middle_is_told(
    targets: Path, world: WorldName, client: str, status: int
) -> None:
    outcome = played(targets, world, f"{targets}/unruly.py:{client}", "simulated")
    said = why(outcome, "targets_keep_running")
    assert f" ended by itself with status {status}: " in said
    history = told_by(outcome)
    starts = [op.index for op in history.notes("start", "world") if op.get("actor") == "bot"]
    assert len(starts) >= 3  # it is asked again, as somebody supervises it
    assert log(targets, outcome, "bot").startswith("cannot go on\n")


@pytest.mark.parametrize("world", ["local", "sim"])
def test_a_client_that_raises_is_told(targets: Path, world: WorldName) -> None:
    outcome = played(targets, world, f"{targets}/unruly.py:raises", "simulated")
    assert "raised ValueError: no" in why(outcome, "caller_is_never_blocked")
    assert log(targets, outcome, "bot").startswith("something is wrong\n")


@pytest.mark.parametrize("world", ["local", "sim"])
def test_a_client_that_hangs_is_told_and_asked_no_more(targets: Path, world: WorldName) -> None:
    if world == "sim":  # workers are processes of their own: the bounds of the contract hold there
        outcome = played(targets, world, f"{targets}/unruly.py:hangs", "simulated")
        assert "took 185.000 s, 180 s are allowed" in why(outcome, "caller_is_never_blocked")
    else:
        outcome = played(targets, world, f"{targets}/unruly.py:hangs", "simulated")
        assert "2 s are allowed" in why(outcome, "caller_is_never_blocked")
        assert outcome.duration_s < 20
    assert log(targets, outcome, "bot").startswith("waiting for ever\n")


def test_who_hangs_is_asked_no_more(targets: Path) -> None:
    """Each wait is as long as a call may take; an episode must end within its time."""
    (lane, *_others) = AGAIN.workload(Random(0))
    lane = replace(lane, operations=lane.operations * 3)
    scenario = replace(AGAIN, workload=lambda _random: (lane,))
    outcome = played(targets, "local", f"{targets}/unruly.py:hangs", "simulated", scenario)
    assert len(told_by(outcome).calls("register")) == 2  # the second hangs


def test_a_program_that_prints_rubbish_is_told(targets: Path) -> None:
    name = f"cmd:{sys.executable} {targets}/rubbish.py"
    outcome = played(targets, "local", name, "simulated")
    said = why(outcome, "targets_keep_running")
    assert said.startswith("bot printed what is no answer: 'Traceback: it went wrong'")
    assert log(targets, outcome, "bot") == "but it lives\n"


@pytest.mark.parametrize("world", ["local", "sim"])
def test_a_server_that_ends_by_itself_is_told(targets: Path, world: WorldName) -> None:
    outcome = played(targets, world, f"{targets}/unruly.py:good", f"{targets}/server.py:make_app")
    said = why(outcome, "targets_keep_running")
    assert said.startswith("dtms ended by itself with status 6: ")
    assert "out of memory\n" in log(targets, outcome, "dtms")


@pytest.mark.parametrize("world", ["local", "sim"])
def test_a_server_that_does_not_come_back_is_told(targets: Path, world: WorldName) -> None:
    server = f"{targets}/server.py:locked"
    outcome = played(
        targets, world, f"{targets}/unruly.py:good", server, SCENARIOS["kill-after-ack"]
    )
    said = why(outcome, "targets_keep_running")
    locked = "RuntimeError: the store is locked by another process"
    assert said.startswith(f"dtms ended by itself with status 1: {locked} (and ")
