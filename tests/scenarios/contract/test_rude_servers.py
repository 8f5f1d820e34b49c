"""Servers that speak HTTP badly: each run ends in bounded time, in sentences."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CHECKS = ("enable-new", "lookup-known", "together-identical", "any-registration", "survives-kill")
"""One of each kind: a single request, many at once, drawn ones, and a server of its own."""
ANSWER_S, START_S = 5.0, 20.0
"""How long the lab waits for an answer, and for a server to be ready."""
SLACK_S = 30.0
MANNERS = {
    "rubbish": "no HTTP answer",
    "nothing": "no HTTP answer",
    "endless_head": "no HTTP answer",
    "endless_body": "an answer of more than 4194304 bytes",
    "trickle": "no whole answer within 5 s",
    "deep": "the answer is no JSON object",
}


def contract(*words: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """What came of the command, and how long (s) it took."""
    began = time.monotonic()
    argv = [sys.executable, "-m", "scenarios", "contract", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, cwd=ROOT, check=False)
    return done, time.monotonic() - began


def rude(*words: str) -> str:
    return f"cmd:{sys.executable} {HERE / 'rude_server.py'} {{port}} {' '.join(words)}"


def only(*checks: str) -> list[str]:
    return [word for check in checks for word in ("--only", check)]


@pytest.mark.parametrize("manner", MANNERS)
def test_each_check_fails_in_a_sentence(manner: str) -> None:
    done, took_s = contract("--server", rude(manner, "healthy"), "--json", *only(*CHECKS))
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert done.stderr == ""
    assert took_s < len(CHECKS) * ANSWER_S + SLACK_S
    assert [(c["name"], c["verdict"]) for c in told["checks"]] == [(c, "failed") for c in CHECKS]
    for check in told["checks"]:
        assert MANNERS[manner] in check["why"]
        assert "Traceback" not in check["why"]
        assert check["duration_s"] < 2 * ANSWER_S + 1.0


@pytest.mark.parametrize("manner", ["rubbish", "endless_body", "trickle"])
def test_a_server_that_tells_its_health_badly_never_came_up(manner: str) -> None:
    done, took_s = contract("--server", rude(manner), *only("enable-new"))
    assert done.returncode == 5
    words = " ".join(done.stdout.split())
    assert "never came up: GET /dtms/health was not 200 within 20 s" in words
    assert done.stderr == ""
    assert took_s < START_S + ANSWER_S + SLACK_S


def test_values_of_any_kind_are_told_as_what_they_are() -> None:
    done, _took_s = contract("--server", rude("odd", "healthy"), *only(*CHECKS))
    assert done.returncode == 1
    assert "but ticket is [], and " in done.stdout
    assert done.stderr == ""


def test_a_retry_after_that_is_no_number_is_waited_for_all_the_same() -> None:
    server = rude("come_back_at_no_time", "healthy")
    done, _took_s = contract("--server", server, *only("enable-new"))
    assert done.returncode == 1
    assert "200 was expected, not 429" in done.stdout
    assert done.stderr == ""
