"""A project whose packages are called as the lab's are works unchanged as a target."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = """
from __future__ import annotations
from dataclasses import dataclass
import core, chaos.retry, loadtests, tests
from core.wire import post
from scenarios import plans

@dataclass
class Asked:
    ticket: int
    of: chaos.retry.Policy | None = None

async def register(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    from simulator.terms import terms
    assert core.WHOSE == chaos.retry.WHOSE == plans.WHOSE == "the user's"
    from core.late import count
    import importlib
    assert count() > 0 and Asked(ticket).of is None
    assert importlib.import_module("tests.given").WHOSE == "the user's"
    return await post(f"{api_url}/dtms/trade/enable", {"ticket": ticket, **terms(trade_data)})
"""
FILES = {
    "client.py": CLIENT,
    "core/__init__.py": 'WHOSE = "the user\'s"\n',
    "core/wire.py": (
        "import httpx\n"
        "async def post(url, payload):\n"
        "    async with httpx.AsyncClient(verify=False) as client:\n"
        "        return (await client.post(url, json=payload)).status_code == 200\n"
    ),
    "core/late.py": "calls = []\ndef count():\n    calls.append(1)\n    return len(calls)\n",
    "core/client.py": "from client import register\n",
    "chaos/__init__.py": "from . import retry\n",
    "chaos/retry.py": (
        "from dataclasses import dataclass\nfrom core import WHOSE\n"
        "@dataclass\nclass Policy:\n    retries: int = 0\n"
    ),
    "scenarios/plans.py": "from core import WHOSE\n",  # a package without __init__.py
    "simulator/__init__.py": "",
    "simulator/terms.py": (
        "def terms(trade):\n"
        "    t = {**trade, **trade.get('details', {})}\n"
        "    def first(*names):\n"
        "        return next((t[n] for n in names if t.get(n) is not None), None)\n"
        "    return {'symbol': t['symbol'], 'direction': t['direction'].upper(),\n"
        "        'entry': first('entry_price', 'price_executed', 'price'),\n"
        "        'volume': first('volume', 'lot'),\n"
        "        'stop_loss': first('stop_loss', 'sl', 'final_sl'),\n"
        "        'take_profit': first('take_profit', 'tp', 'final_tp')}\n"
    ),
    "loadtests/__init__.py": "",
    "tests/given.py": "from core import WHOSE\n",
    "server.py": (
        "import core, scenarios.plans\nfrom simulator.app import app\n"
        "def make_app(data_dir):\n    import loadtests, core.late\n"
        "    assert core.late.count() == 1  # of a process of its own\n    return app(data_dir)\n"
    ),
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project."""
    early = Path(__file__).parents[2] / "zoo" / "early_ack_server.py"
    app = early.read_text().replace("make_app", "app").replace("WRITTEN_AFTER_S = 0.25", "")
    app = app.replace("await asyncio.sleep(WRITTEN_AFTER_S)", "")
    for name, text in {**FILES, "simulator/app.py": app}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def lab(folder: Path, *words: str, command: tuple[str, ...] = ()) -> tuple[int, str, set[str]]:
    """Runs the command in the folder, which is on PYTHONPATH: its status, what it said, and what
    it came to in every world."""
    ended = subprocess.run(
        [*(command or (sys.executable, "-m", "dtms_lab")), "run", *words, "--out", "out"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=100,
    )
    told = ended.stdout + ended.stderr
    assert (folder / "out" / "summary.json").exists(), told
    summary = json.loads((folder / "out" / "summary.json").read_text())
    entries = {f"{entry['world']} {entry['verdict']}" for entry in summary["scenarios"]}
    return ended.returncode, told, entries


CLIENTS = ("client.py:register", "core.client:register")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_with_packages_of_the_labs_names_is_judged_as_it_is(
    project: Path, client: str
) -> None:
    status, told, entries = lab(project, "registered-again", "--seed", "3", "--client", client)
    assert (status, entries) == (0, {"sim valid", "local valid"}), told


def test_its_failures_are_found_and_can_be_played_again_elsewhere(project: Path) -> None:
    words = ("answer-lost-once", "--world", "sim", "--seed", "1", "--client", CLIENTS[1])
    status, told, entries = lab(project, *words)
    assert (status, entries) == (1, {"sim invalid"}), told
    (case,) = (project / "out" / "cases").iterdir()
    again = subprocess.run(
        [sys.executable, "-m", "dtms_lab", "replay", str(case)],
        cwd=project / "tests",
        capture_output=True,
        text=True,
    )
    assert "same digest" in again.stdout, again.stderr


def test_a_server_with_packages_of_the_labs_names_is_judged_as_it_is(project: Path) -> None:
    script = str(Path(sys.executable).with_name("dtms-lab"))
    words = ("registered-again", "--seed", "3", "--server", "server.py:make_app")
    status, told, entries = lab(project, *words, command=(script,))
    assert (status, entries) == (0, {"sim valid", "local valid"}), told
