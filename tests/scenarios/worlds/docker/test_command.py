"""`dtms-lab run --world docker`, as a person or a gate meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.docker.engine import Engine
from chaos.docker.owner import OWNER, Owner
from tests.engine import engine_or_skip

GONE_S_MAX = 30.0
NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def lab(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scenarios", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environ},
        timeout=110,
    )


@pytest.fixture
def engine() -> Iterator[Engine]:
    found = engine_or_skip()
    yield found
    found.close()


def made_by(engine: Engine, pid: int) -> list[str]:
    """Names of the containers and networks that the process has on the engine."""
    api = engine.client.api
    containers = api.containers(all=True, filters={"label": OWNER})
    networks = api.networks(filters={"label": OWNER})
    owners = [(str(one["Id"]), Owner.read(one["Labels"][OWNER])) for one in containers + networks]
    return [name for name, owner in owners if owner is not None and owner.pid == pid]


def until_gone(engine: Engine, pid: int) -> list[str]:
    """What of the process is still there after GONE_S_MAX, or as soon as nothing is."""
    deadline = time.monotonic() + GONE_S_MAX
    while (left := made_by(engine, pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def started_episode(engine: Engine, folder: Path) -> subprocess.Popen[str]:
    """A run that has containers by now."""
    words = ["run", "frozen-server", "--world", "docker", "--repeat", "1000", "--jobs", "1"]
    running = subprocess.Popen(
        [sys.executable, "-m", "scenarios", *words, "--out", "out"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(made_by(engine, running.pid)) < 2 and time.monotonic() < deadline:
        assert running.poll() is None
        time.sleep(0.05)
    assert len(made_by(engine, running.pid)) >= 2
    return running


def test_a_scenario_runs_there_unchanged_and_leaves_nothing(engine, tmp_path) -> None:
    ended = lab(tmp_path, "run", "--world", "docker", "kill-after-ack", "--seed", "1", "--out", "o")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (history,) = (tmp_path / "o" / "history").iterdir()
    assert history.name == "kill-after-ack-1-docker.jsonl"
    ops = [json.loads(line) for line in history.read_text().splitlines()]
    assert ops[0]["value"]["world"] == "docker"
    exits = [op["value"] for op in ops if op["f"] == "exited"]
    assert exits == [{"actor": "dtms", "exit_status": -9}]
    (entry,) = json.loads((tmp_path / "o" / "summary.json").read_text())["scenarios"]
    assert (entry["world"], entry["verdict"]) == ("docker", "valid")
    label = {"label": OWNER}
    left = [one["Labels"][OWNER] for one in engine.client.api.containers(all=True, filters=label)]
    assert [label for label in left if Owner.read(label).dead] == []


def test_even_kill_9_of_the_lab_leaves_no_container(engine, tmp_path) -> None:
    running = started_episode(engine, tmp_path)
    running.kill()
    running.communicate()
    assert until_gone(engine, running.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_container(engine, tmp_path, number) -> None:
    running = started_episode(engine, tmp_path)
    running.send_signal(number)
    _told, errors = running.communicate(timeout=60)
    assert running.returncode == 3
    assert errors == "dtms-lab: interrupted; what had ended by then is kept.\n"
    assert made_by(engine, running.pid) == []


def test_without_an_engine_it_ends_with_5_and_says_how_to_get_one(tmp_path) -> None:
    ended = lab(tmp_path, "run", "--world", "docker", "kill-after-ack", "--out", "o", **NOWHERE)
    assert ended.returncode == 5
    assert "no Docker engine answers at unix:///nowhere/docker.sock" in ended.stderr
    assert "apt-get install docker.io" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert json.loads((tmp_path / "o" / "summary.json").read_text())["exit_status"] == 5


def test_an_engine_on_another_machine_is_refused(tmp_path) -> None:
    remote = {"DOCKER_HOST": "tcp://127.0.0.1:2375"}
    ended = lab(tmp_path, "run", "--world", "docker", "kill-after-ack", **remote)
    assert ended.returncode == 5
    assert "needs an engine on this machine, and DOCKER_HOST is tcp://" in ended.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--server", "cmd:./serve {port}"], "has the simulated server in its image and no other"),
        (["--fidelity", "http"], "--fidelity is for the world sim; in docker all is real"),
    ],
)
def test_what_it_cannot_do_is_refused_in_words(tmp_path, words, sentence) -> None:
    ended = lab(tmp_path, "run", "--world", "docker", *words, **NOWHERE)
    assert ended.returncode == 2
    assert sentence in ended.stderr


def test_doctor_says_how_to_get_an_engine(tmp_path) -> None:
    ended = lab(tmp_path, "doctor", COLUMNS="300", **NOWHERE)
    assert ended.returncode == 0
    assert "apt-get install docker.io iptables" in ended.stdout


def test_doctor_names_the_engine_that_there_is(engine, tmp_path) -> None:
    ended = lab(tmp_path, "doctor", COLUMNS="300")
    (line,) = [line for line in ended.stdout.splitlines() if "Docker engine" in line]
    assert engine.client.version()["Version"] in line
