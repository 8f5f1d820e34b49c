"""`explore`, `replay` and `sweep` as a person meets them: processes, statuses, files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from scenarios.case import decode_case
from scenarios.exploration import sweep_command
from scenarios.exploration.judged import judged
from scenarios.exploration.sweep import sweep
from scenarios.suites import SCENARIOS
from scenarios.worlds.sim.play import Plan
from scenarios.zoo.planted import ACK_BEFORE_SYNC
from tests.scenarios.test_command import nobody_is_left, workers_of_the_lab

ROOT = Path(__file__).parents[2]
NAIVE = f"{ROOT / 'tests' / 'zoo' / 'naive_client.py'}:register_trade"
Ended = subprocess.CompletedProcess[str]
QUICK = ("explore", "registered-again", "--fidelity", "message", "--no-swarm")
FAILING = ("explore", "answer-lost-once", "--client", NAIVE, "--no-swarm", "--seed", "1")


@pytest.fixture
def lab(tmp_path: Path) -> Callable[..., Ended]:
    """Runs the command in an empty folder."""

    def run(*words: str) -> Ended:
        return subprocess.run(
            [sys.executable, "-m", "scenarios", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=110,
        )

    return run


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begins the command in an empty folder; whatever is left of it at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "scenarios", *words],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def read_until(running: subprocess.Popen[str], words: str) -> None:
    assert running.stdout is not None
    for line in running.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without {words!r}")


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def summary_in(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return told


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """What exploring a client that has bugs leaves."""
    folder = tmp_path_factory.mktemp("found")
    ended = subprocess.run(
        [sys.executable, "-m", "scenarios", *FAILING, "--runs", "8", "--out", "out"],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=110,
    )
    return folder, ended


def test_exploring_what_has_no_bug_exits_0_and_leaves_its_summary(lab, tmp_path) -> None:
    ended = lab(*QUICK, "--runs", "64", "--seed", "1", "--out", "out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = summary_in(tmp_path)
    assert (summary["verdict"], summary["exit_status"]) == ("valid", 0)
    assert (summary["seed"], summary["episodes"]) == (1, 64)
    assert summary["episodes_by_fidelity"] == {"message": 64}
    assert summary["behaviours"] >= 1
    assert (summary["failures"], summary["cases"]) == ([], [])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["summary.json"]
    assert nobody_is_left(tmp_path)


def test_without_a_terminal_there_are_no_escape_codes(lab) -> None:
    ended = lab(*QUICK, "--runs", "16")
    assert "\x1b" not in ended.stdout + ended.stderr


def test_exploring_for_a_time_ends_after_it(lab, tmp_path) -> None:
    ended = lab(*QUICK, "--for", "2s", "--out", "out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert summary_in(tmp_path)["duration_s"] >= 2
    assert summary_in(tmp_path)["episodes"] > 0


def test_all_fidelities_are_explored_in_turns(lab, tmp_path) -> None:
    ended = lab("explore", "registered-again", "--no-swarm", "--runs", "12", "--out", "out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert set(summary_in(tmp_path)["episodes_by_fidelity"]) == {"message", "http", "socket"}


def test_a_bug_that_is_found_exits_1(found) -> None:
    _folder, ended = found
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_find_is_told_with_its_size_its_confirmation_and_the_way_back(found) -> None:
    folder, ended = found
    lines = ended.stdout.splitlines()
    told = next(n for n, line in enumerate(lines) if line.startswith("safety: "))
    assert lines[told] == "safety: failure_is_honest in answer-lost-once"
    assert lines[told + 1].startswith("INVALID failure_is_honest: 100")
    end = next(n for n, line in enumerate(lines) if n > told and line.startswith("replay: "))
    assert lines[end - 1] == "confirmed in a fresh process: same digest"
    assert " 1 trades, 1 services, " in lines[end - 2]
    path = folder / lines[end].removeprefix("replay: dtms-lab replay ")
    assert decode_case(path.read_text()).verdict["failure_is_honest"] == "invalid"


def test_every_case_in_the_folder_is_in_the_summary(found) -> None:
    folder, _ended = found
    summary = summary_in(folder)
    assert summary["verdict"] == "invalid"
    assert sorted(summary["cases"]) == sorted(
        f"cases/{path.name}" for path in (folder / "out" / "cases").iterdir()
    )
    (failure,) = summary["failures"]
    assert (failure["scenario"], failure["checker"]) == ("answer-lost-once", "failure_is_honest")
    assert failure["episodes"] >= len(summary["cases"])


def test_a_case_plays_again_with_the_same_digest(found, lab) -> None:
    folder, _ended = found
    cases = [str(path) for path in (folder / "out" / "cases").iterdir()]
    again = lab("replay", *cases)
    assert again.returncode == 1
    assert again.stdout.count("same digest") == len(cases)
    assert again.stdout.count("INVALID failure_is_honest") == len(cases)


@pytest.fixture
def case_text(found) -> str:
    folder, _ended = found
    path = next((folder / "out" / "cases").iterdir())
    text: str = path.read_text()
    return text


def test_a_case_that_goes_another_way_now_is_told_by_its_first_difference(
    lab, tmp_path, case_text
) -> None:
    (tmp_path / "case.json").write_text(json.dumps({**json.loads(case_text), "faults": []}))
    ended = lab("replay", "case.json")
    assert ended.returncode == 3
    first, recorded, now, last = ended.stdout.splitlines()
    assert first.startswith("case.json: operation ")
    assert first.endswith(" differs")
    assert recorded.startswith('  recorded: {"index":')
    assert '"inflict"' in recorded
    assert now.startswith('  now:      {"index":')
    assert last == "no property is broken"


def test_a_case_of_what_is_mended_passes(lab, tmp_path) -> None:
    scenario = SCENARIOS["answer-lost-once"]
    plan = Plan(scenario, 1, faults=scenario.faults(Random(1)))
    (tmp_path / "case.json").write_text(judged(plan).case().encode())
    ended = lab("replay", "case.json")
    assert ended.returncode == 0
    assert "same digest" in ended.stdout
    assert "no property is broken" in ended.stdout


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"schema": 1}, "case.json: it has schema 1; this version plays 2"),
        ({"scenario": "gone"}, "case.json: there is no scenario 'gone'"),
        ({"world": "local"}, "run it again with: dtms-lab run answer-lost-once --world local"),
        ({"client": "gone.py:f"}, "case.json: "),
        ({"fidelity": "message"}, "case.json: "),
        ({"faults": [{"fault": {"fault": "reset", "link": "a->b"}, "windows": [[0, 1]]}]},
         "case.json: "),
        ({"faults": [{"fault": {"fault": "broker-fault", "mode": "down"}, "windows": [[0, 1]]}]},
         "case.json: "),
    ],
)  # fmt: skip
def test_a_case_that_cannot_be_played_gets_one_sentence(
    lab, tmp_path, case_text, changed, sentence
) -> None:
    (tmp_path / "case.json").write_text(json.dumps({**json.loads(case_text), **changed}))
    ended = lab("replay", "case.json")
    assert ended.returncode in {2, 5}
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"\xff\xfe", b"\x00" * 99, b'{"a": 1}'])
def test_rubbish_is_status_2(lab, tmp_path, rubbish) -> None:
    (tmp_path / "case.json").write_bytes(rubbish)
    ended = lab("replay", "case.json")
    assert ended.returncode == 2
    assert ended.stderr.startswith("dtms-lab: case.json is no case: ")
    assert ended.stderr.count("\n") == 1


def test_a_folder_is_no_case(lab, tmp_path) -> None:
    (tmp_path / "cases").mkdir()
    ended = lab("replay", "cases")
    assert ended.returncode == 2
    assert "cases" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_exploration_keeps_what_was_found_and_leaves_no_process(
    begun, tmp_path, number
) -> None:
    running = begun(*FAILING, "--for", "90s", "--out", "out")
    read_until(running, "replay: ")
    began = time.monotonic()
    running.send_signal(number)
    out, errors = running.communicate(timeout=60)
    assert running.returncode == 1, out + errors
    assert time.monotonic() - began < 20
    assert errors == "dtms-lab: interrupted; what had been found by then is kept.\n"
    assert summary_in(tmp_path)["interrupted"] is True
    assert {f"cases/{path.name}" for path in (tmp_path / "out" / "cases").iterdir()} == set(
        summary_in(tmp_path)["cases"]
    )
    assert nobody_is_left(tmp_path)


def test_an_exploration_interrupted_before_it_found_anything_is_inconclusive(
    begun, tmp_path
) -> None:
    running = begun(*QUICK, "--for", "90s", "--out", "out")
    read_until(running, " episodes ")
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=60)
    assert running.returncode == 3, out + errors
    assert summary_in(tmp_path)["verdict"] == "unknown"
    assert nobody_is_left(tmp_path)


def test_an_exploration_can_be_interrupted_while_it_confirms_a_case(begun, tmp_path) -> None:
    running = begun(*FAILING, "--for", "90s", "--out", "out")
    read_until(running, "made small in ")
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=60)
    assert running.returncode == 1, out + errors
    assert "replay: dtms-lab replay out/cases/" in out
    assert "Traceback" not in errors
    assert summary_in(tmp_path)["interrupted"] is True
    assert nobody_is_left(tmp_path)


def test_even_kill_9_of_an_exploration_leaves_no_process(begun, tmp_path) -> None:
    running = begun(*QUICK, "--for", "90s", "--out", "out")
    read_until(running, " episodes ")
    assert len(workers_of_the_lab(tmp_path)) >= 2
    running.kill()
    running.communicate(timeout=60)
    assert nobody_is_left(tmp_path)


@pytest.mark.parametrize(
    "words", [QUICK, ("run", "registered-again", "--world", "sim", "--repeat", "2000")]
)
def test_a_reader_who_leaves_early_ends_it_in_good_order(begun, tmp_path, words) -> None:
    bound = ("--for", "90s") if words is QUICK else ()
    running = begun(*words, *bound, "--out", "out")
    assert running.stdout is not None
    assert running.stdout.readline()
    running.stdout.close()
    assert running.stderr is not None
    errors = running.stderr.read()
    running.stderr.close()
    assert running.wait(60) == 3
    assert "Traceback" not in errors
    assert "never retrieved" not in errors
    assert summary_in(tmp_path)["interrupted"] is True
    assert nobody_is_left(tmp_path)


def test_a_sweep_tells_how_many_points_there_were(lab, tmp_path) -> None:
    ended = lab("sweep", "--no-nested", "--out", "out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    first, second, last = ended.stdout.splitlines()
    assert first.startswith("one-registration: ")
    assert second.startswith("one-promise: ")
    assert " of bot, " in first
    assert " single crashes, 0 second crashes during recovery, 0 broken, in " in last
    summary = summary_in(tmp_path)
    assert summary["exit_status"] == 0
    assert summary["cases"] == []
    assert summary["single_crashes"] == 2 * sum(
        sum(actors.values()) for actors in summary["points"].values()
    )


def test_a_sweep_keeps_what_breaks_and_tells_the_first_of_it(monkeypatch, tmp_path) -> None:
    planted = partial(sweep, parts=ACK_BEFORE_SYNC, powers=(True,))
    monkeypatch.setattr(sweep_command, "sweep", planted)
    told = StringIO()
    out = tmp_path / "out"
    status = sweep_command.sweep_and_report("message", False, out, Console(file=told))
    assert status == 1
    cases = summary_in(tmp_path)["cases"]
    assert 0 < len(cases) == len(list((out / "cases").iterdir()))
    assert told.getvalue().count("replay: ") == min(len(cases), sweep_command.SHOWN_MAX)
    assert f"replay: dtms-lab replay {out / cases[0]}" in told.getvalue()
    assert f" {len(cases)} broken, in " in told.getvalue()


@pytest.mark.parametrize("command", ["run", "explore", "sweep"])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_begins(
    lab, tmp_path, command
) -> None:
    (tmp_path / "out").write_text("a file")
    ended = lab(command, "--out", "out/of/it")
    assert ended.returncode == 2
    assert ended.stderr == "dtms-lab: --out out/of/it: cannot be made: Not a directory\n"
    assert ended.stdout == ""


def test_an_interrupted_sweep_tells_how_far_it_came(begun, tmp_path) -> None:
    running = begun("sweep", "--fidelity", "socket", "--out", "out")
    until(lambda: (tmp_path / "out").is_dir())
    running.send_signal(signal.SIGINT)
    told, errors = running.communicate(timeout=60)
    assert running.returncode == 3
    assert told.splitlines()[-1] == "interrupted; the rest was not swept"
    assert "Traceback" not in errors
    assert summary_in(tmp_path)["interrupted"] is True
