"""Targets are heard before a campaign: what cannot be one is refused in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.audition import Refusal, audition, audition_in_sim
from scenarios.output import ExitStatus
from scenarios.targets.spec import client_target, server_target
from scenarios.targets.targets import Targets
from scenarios.worlds.local import LocalWorld

USAGE, FAILED = ExitStatus.USAGE, ExitStatus.ENVIRONMENT_FAILED
TARGETS = """
import sys, time

thing = {}

def few(ticket, trade_data):
    return True

def unkind(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    raise ValueError("that is for the judge")

def sleeps(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    time.sleep(100)

def leaves(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    print("no more", file=sys.stderr, flush=True)
    import os
    os._exit(3)

async def blocks(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    print("about to block")
    time.sleep(0.01)
    return True

def app(data_dir):
    async def application(scope, receive, send):
        body = b'{"ready": true}'
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
    return application

def no_application(data_dir):
    return {}

async def later(data_dir):
    return app(data_dir)

def raises(data_dir):
    raise RuntimeError("no licence")

async def application(scope, receive, send):
    ...

def waits(data_dir):
    time.sleep(100)

def never_ready(data_dir):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})
    return application
"""
PROGRAM = """
import sys, json, time
for line in sys.stdin:
    told = {"id": json.loads(line)["id"], "registered": None}
    {}
    sys.stdout.flush()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "targets.py").write_text(TARGETS)
    (tmp_path / "broken.py").write_text("import no_such_library\ndef f(ticket, trade): ...\n")
    return tmp_path


async def heard(folder: Path, client: str, server: str, within_s: float) -> Refusal | None:
    targets = Targets(client_target(client), server_target(server))
    return await audition(targets, folder / "out", within_s)


@pytest.mark.parametrize(
    ("client", "status", "sentence"),
    [
        ("targets.py:few", USAGE, "takes (ticket, trade_data), and cannot be called so: "
         "got an unexpected keyword argument 'retry_count'"),
        ("targets.py:thing", USAGE, "is no function but a dict"),
        ("broken.py:f", USAGE, "cannot be imported: ModuleNotFoundError: "
         "No module named 'no_such_library'"),
        ("targets.py:sleeps", FAILED, "did not answer a request within 4 s"),
        ("targets.py:leaves", FAILED, "ended with status 3 instead of answering"),
    ],
)  # fmt: skip
async def test_a_function_that_cannot_be_a_client_is_refused(
    folder: Path, client: str, status: ExitStatus, sentence: str
) -> None:
    refusal = await heard(folder, f"{folder}/{client}", "simulated", 4.0)
    assert refusal is not None
    assert (refusal.sentence, refusal.status) == (f"--client {folder}/{client}: {sentence}", status)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("sys.exit(3)", "ended with status 3 instead of answering"),
        ("print('hello')", "did not answer a request within 3 s, and printed what is no answer: "
         "'hello'"),
        ("pass", "did not answer a request within 3 s"),
        ("told['registered'] = 1; print(json.dumps(told))", "answered {'id': 1, 'registered': 1}, "
         "where registered is not true, false or null"),
        ("told.pop('registered'); print(json.dumps(told))", "answered {'id': 1}, "
         "where registered is not true, false or null"),
    ],
)  # fmt: skip
async def test_a_program_that_cannot_be_a_client_is_refused(
    folder: Path, program: str, sentence: str
) -> None:
    (folder / "program.py").write_text(PROGRAM.replace("{}", program, 1).replace("{}", ""))
    name = f"cmd:{sys.executable} {folder / 'program.py'}"
    refusal = await heard(folder, name, "simulated", 3.0)
    assert refusal is not None
    assert (refusal.sentence, refusal.status) == (f"--client {name}: {sentence}", FAILED)


@pytest.mark.parametrize(
    ("server", "status", "sentence"),
    [
        ("no_application", USAGE, "returns no ASGI application but a dict"),
        ("later", USAGE, "returns no ASGI application but a coroutine"),
        ("application", USAGE, "returns no ASGI application but a coroutine; "
         "is it the application, not its factory?"),
        ("raises", FAILED, "ended with status 1 before it was ready"),
        ("waits", FAILED, "was not ready within 4 s: GET /dtms/health gave no answer"),
        ("never_ready", FAILED, "was not ready within 4 s: GET /dtms/health answered 503"),
    ],
)  # fmt: skip
async def test_a_factory_that_makes_no_server_is_refused(
    folder: Path, server: str, status: ExitStatus, sentence: str
) -> None:
    name = f"{folder}/targets.py:{server}"
    refusal = await heard(folder, "reference", name, 4.0)
    assert refusal is not None
    assert (refusal.sentence, refusal.status) == (f"--server {name}: {sentence}", status)


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ("cmd:false {port}", "ended with status 1 before it was ready"),
        ("cmd:./nobody {port}", "dtms cannot be started: [Errno 2] No such file or directory: "
         "'./nobody'"),
        ("http://127.0.0.1:1", "was not ready within 0.5 s: GET /dtms/health gave no answer"),
    ],
)  # fmt: skip
async def test_a_server_that_is_not_there_is_refused(
    folder: Path, server: str, sentence: str
) -> None:
    refusal = await heard(folder, "reference", server, 0.5)
    assert refusal is not None
    assert (refusal.sentence, refusal.status) == (f"--server {server}: {sentence}", FAILED)


async def test_where_the_labs_own_server_does_not_start_that_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalWorld, "_simulated_argv", lambda *_ports: ("false",))
    refusal = await heard(folder, f"{folder}/targets.py:unkind", "simulated", 20.0)
    assert refusal is not None
    assert refusal.status is FAILED
    assert "could not be tried: dtms ended before it was ready" in refusal.sentence


async def test_who_can_be_a_target_is_not_judged_here(folder: Path) -> None:
    client, server = f"{folder}/targets.py:unkind", f"{folder}/targets.py:app"
    assert await heard(folder, client, server, 20.0) is None
    assert not (folder / "out").exists()


async def test_what_it_wrote_is_shown_and_kept(folder: Path) -> None:
    refusal = await heard(folder, "reference", f"{folder}/targets.py:raises", 20.0)
    assert refusal is not None
    assert refusal.log == folder / "out" / "logs" / "audition" / "dtms.log"
    told = str(refusal).splitlines()
    assert told[-2:] == ["  RuntimeError: no licence", f"its standard error: {refusal.log}"]
    assert refusal.log.read_text().endswith("RuntimeError: no licence\n")


async def test_what_cannot_be_simulated_shows_in_one_registration(folder: Path) -> None:
    blocks = Targets(client_target(f"{folder}/targets.py:blocks"), server_target("simulated"))
    why = await audition_in_sim(blocks, folder / "out")
    assert why.startswith("bot asked for a blocking sleep")
    log = folder / "out" / "logs" / "audition" / "bot-in-sim.log"
    assert log.read_text() == "about to block\n"
    assert "took more than" in await audition_in_sim(blocks, folder / "out", within_s=0.0)


def lab(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scenarios", *words, "--out", "out"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["run", "explore"])
def test_the_command_ends_before_it_plays_anything(folder: Path, command: str) -> None:
    ended = lab(folder, command, "registered-again", "--server", "targets.py:no_application")
    assert (ended.returncode, ended.stdout) == (2, "")
    sentence = f"--server {folder}/targets.py:no_application: returns no ASGI application but"
    assert ended.stderr.startswith(f"dtms-lab: {sentence}")
    if command == "run":
        summary = json.loads((folder / "out" / "summary.json").read_text())
        assert (summary["exit_status"], summary["scenarios"]) == (2, [])
        assert summary["refused"].startswith(sentence)


def test_what_only_local_can_run_is_left_out_of_sim_and_that_is_said(folder: Path) -> None:
    words = ("run", "registered-again", "--client", "targets.py:blocks", "--seed", "1")
    ended = lab(folder, *words)
    assert ended.returncode == 1, ended.stderr  # it registers nothing, which is for the judge
    assert "local:invalid duplicates registered-again" in ended.stdout
    assert "in sim: bot asked for a blocking sleep" in ended.stdout


def test_where_there_is_only_sim_it_is_refused(folder: Path) -> None:
    words = ("run", "registered-again", "--client", "targets.py:blocks", "--world", "sim")
    ended = lab(folder, *words)
    assert (ended.returncode, ended.stdout) == (5, "")
    assert "cannot be simulated: bot asked for a blocking sleep" in ended.stderr
