"""`dtms-lab contract` as a person meets it: statuses, words, files, and servers that misbehave."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NEEDS_REGISTRY = ("recovery-leaves-owned", "recovery-adopts-unowned")
MINIMAL = f"{HERE / 'minimal_server.py'}:make_app"


def contract(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "scenarios", "contract", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=110, cwd=ROOT, **more)


def wrong(name: str) -> str:
    return f"{HERE / 'wrong_servers.py'}:{name}"


def test_the_simulated_server_keeps_every_statement(tmp_path: Path) -> None:
    ended = contract("--strict", "--seed", "3", "--json", "--out", str(tmp_path / "out"))
    told = json.loads(ended.stdout)
    assert [c for c in told["checks"] if c["verdict"] != "passed"] == []
    assert ended.returncode == 0
    assert json.loads((tmp_path / "out" / "contract.json").read_text()) == told
    suites = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert sum(int(suite.get("tests", "0")) for suite in suites) == len(told["checks"])


def test_a_minimal_correct_server_passes_the_core() -> None:
    ended = contract("--server", MINIMAL, "--profile", "core", "--json", "--seed", "3")
    told = json.loads(ended.stdout)
    must = [c for c in told["checks"] if c["level"] == "MUST" and c["verdict"] != "passed"]
    skipped = {c["name"]: c["why"] for c in must if c["verdict"] == "skipped"}
    assert skipped == dict.fromkeys(NEEDS_REGISTRY, "this server takes no trade registry")
    assert [c for c in must if c["name"] not in skipped] == []
    assert ended.returncode == 0


def test_a_should_is_a_warning_unless_strict() -> None:
    words = ("--server", wrong("no_correlation"), "--only", "correlation-echoed")
    assert contract(*words).returncode == 0
    assert contract(*words, "--strict").returncode == 1


def test_a_failure_shows_request_answer_and_the_way_back() -> None:
    ended = contract("--server", wrong("wrong_sides"), "--only", "refuses-stop-on-wrong-side")
    assert ended.returncode == 1
    assert "but 422 was expected, not 200" in ended.stdout
    assert "request: POST /dtms/trade/enable" in ended.stdout
    assert "--only refuses-stop-on-wrong-side" in ended.stdout


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("hangs", 1, "no whole answer within 5 s"),
        ("dies", 1, "out of cheese"),
        ("unstartable", 5, "no cheese today"),
    ],
)
def test_a_server_that_misbehaves_ends_in_words(name: str, status: int, words: str) -> None:
    ended = contract("--server", wrong(name), "--only", "enable-new")
    assert ended.returncode == status
    assert words in ended.stdout
    assert "Traceback (most recent call last)" not in ended.stderr


def test_what_there_is_not_is_refused() -> None:
    assert contract("--only", "nonsense").returncode == 2
    assert contract("--profile", "nonsense").returncode == 2


def test_nobody_listens() -> None:
    ended = contract("--server", "http://127.0.0.1:9", "--only", "survives-kill")
    assert ended.returncode == 3
    assert "must neither kill nor restart it" in " ".join(ended.stdout.split()).replace("│", "")


def test_ctrl_c_ends_it_and_leaves_no_process() -> None:
    argv = [sys.executable, "-m", "scenarios", "contract", "--server", wrong("never_ready")]
    lab = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while not (servers := _children(lab.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        lab.send_signal(signal.SIGINT)
        out, err = lab.communicate(timeout=30)
    finally:
        lab.kill()
    assert servers
    assert lab.returncode == 3
    assert b"Interrupted" in out
    assert b"Traceback" not in err
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers)


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children")
        for child in tasks.read_text().split()
    ]
