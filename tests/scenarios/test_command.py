"""The command `dtms-lab` as a person or a CI gate meets it: processes, statuses, files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "tests" / "zoo"


@pytest.fixture
def lab(tmp_path):
    """Runs the command in an empty folder."""

    def run(*words: str, **given: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scenarios", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=110,
            **given,  # type: ignore[arg-type]
        )

    return run


def children_of_the_lab(folder: Path) -> list[str]:
    """Command lines of processes that still work in a folder of the lab's, by Linux's /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            parent = (entry / "cwd").resolve()
        except OSError:
            continue
        if parent == folder and ("simulator" in words or "reference_service" in words):
            found.append(words)
    return found


def workers_of_the_lab(folder: Path) -> list[str]:
    """Command lines of worker processes and what plays a case, working in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            place = (entry / "cwd").resolve()
        except OSError:
            continue
        if place == folder and words:
            found.append(words)
    return found


def nobody_is_left(folder: Path) -> bool:
    """Nobody works there any more, at once or after the moment that the kernel takes."""
    deadline = time.monotonic() + 10
    while workers_of_the_lab(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not workers_of_the_lab(folder)


def summary_in(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return told


def test_a_valid_run_exits_0_and_leaves_its_files(lab, tmp_path) -> None:
    ended = lab("run", "registered-again", "--seed", "7", "--out", "out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = summary_in(tmp_path)
    assert summary["verdict"] == "valid"
    assert summary["exit_status"] == 0
    assert {"schema", "started_at", "duration_s", "versions"} <= set(summary)
    assert {path.name for path in (tmp_path / "out" / "history").iterdir()} == {
        "registered-again-7.jsonl",
        "registered-again-7-socket.jsonl",
    }
    for history in (tmp_path / "out" / "history").iterdir():
        assert json.loads(history.read_text().splitlines()[0])["f"] == "episode"
    assert "1 valid, 0 invalid, 0 unknown" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert not (tmp_path / "out" / "cases").exists()
    assert nobody_is_left(tmp_path)


def test_a_run_without_a_world_has_an_entry_for_each_world_and_fidelity(lab, tmp_path) -> None:
    lab("run", "registered-again", "--seed", "7", "--out", "out")
    entries = summary_in(tmp_path)["scenarios"]
    assert [(e["name"], e["world"], e["fidelity"], e["episodes"]) for e in entries] == [
        ("registered-again", "sim", "socket", 1),
        ("registered-again", "local", "socket", 1),
    ]
    for entry in entries:
        assert set(entry["checkers"].values()) == {"valid"}


def test_junit_has_a_case_for_each_world(lab, tmp_path) -> None:
    lab("run", "registered-again", "--seed", "7", "--out", "out")
    suites = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert [(case.get("classname"), case.get("name")) for case in suites.iter("testcase")] == [
        ("duplicates.sim", "registered-again"),
        ("duplicates.local", "registered-again"),
    ]
    (suite,) = suites
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "0")


def test_results_go_to_a_folder_of_their_own_under_runs(lab, tmp_path) -> None:
    assert lab("run", "registered-again", "--world", "sim", "--seed", "1").returncode == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "summary.json").exists()


def test_a_saved_history_is_judged_again(lab, tmp_path) -> None:
    lab("run", "registered-again", "--world", "sim", "--seed", "1", "--out", "out")
    (history,) = (tmp_path / "out" / "history").iterdir()
    checked = lab("check", str(history))
    assert (checked.returncode, checked.stdout) == (0, f"{history}: valid\n")


def test_a_fidelity_and_a_number_of_episodes_can_be_asked_for(lab, tmp_path) -> None:
    words = ("--world", "sim", "--fidelity", "message", "--seed", "3", "--repeat", "2")
    ended = lab("run", "registered-again", *words, "--out", "out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (entry,) = summary_in(tmp_path)["scenarios"]
    assert (entry["world"], entry["fidelity"], entry["episodes"]) == ("sim", "message", 2)
    assert {path.name for path in (tmp_path / "out" / "history").iterdir()} == {
        "registered-again-3-message.jsonl",
        "registered-again-4-message.jsonl",
    }


def test_the_simulation_plays_each_schedule_at_each_fidelity_twice(lab, tmp_path) -> None:
    assert lab("run", "registered-again", "--world", "sim", "--out", "out").returncode == 0
    entries = summary_in(tmp_path)["scenarios"]
    assert {e["fidelity"]: e["episodes"] for e in entries} == {"message": 6, "http": 6, "socket": 6}


@pytest.mark.parametrize(
    ("scenario", "target", "checker"),
    [
        ("answer-lost-once", ("--client", f"{ZOO / 'naive_client.py'}:register_trade"),
         "failure_is_honest"),
        ("kill-after-ack", ("--server", f"{ZOO / 'early_ack_server.py'}:make_app"),
         "acknowledged_is_kept"),
    ],
)  # fmt: skip
def test_a_bug_found_in_the_simulation_is_a_small_case_that_plays_again(
    lab, tmp_path, scenario, target, checker
) -> None:
    words = ("--world", "sim", "--seed", "1", "--repeat", "4")
    ended = lab("run", scenario, *target, *words, "--out", "out")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert f"INVALID {checker}: " in ended.stdout
    (path,) = (tmp_path / "out" / "cases").iterdir()
    assert ended.stdout.count("replay: ") == 1
    assert f"replay: dtms-lab replay {path.relative_to(tmp_path)}\n" in ended.stdout
    (entry,) = summary_in(tmp_path)["scenarios"]
    assert (entry["fidelity"], entry["verdict"]) == ("socket", "invalid")
    assert entry["cases"] == [f"cases/{path.name}"]
    again = lab("replay", str(path))
    assert again.returncode == 1, again.stderr
    assert "same digest" in again.stdout


def test_a_naive_client_exits_1_and_is_told_property_trade_and_times(lab, tmp_path) -> None:
    client = f"{ZOO / 'naive_client.py'}:register_trade"
    ended = lab(
        "run",
        "answer-lost-once",
        "--client",
        client,
        "--world",
        "local",
        "--out",
        "out",
        "--seed",
        "3",
    )
    assert ended.returncode == 1
    assert "INVALID failure_is_honest: 1001 was reported as not registered, and is there" in (
        ended.stdout
    )
    lines = ended.stdout.splitlines()
    assert any("s bot/0" in line and "register 1001" in line for line in lines)
    again = "replay: dtms-lab run answer-lost-once --world local --seed 3 --client "
    assert any(line.startswith(again) for line in lines)
    case = json.loads((tmp_path / "out" / "cases" / "answer-lost-once-3.json").read_text())
    assert case["verdict"]["failure_is_honest"] == "invalid"
    assert case["seed"] == 3
    (history,) = (tmp_path / "out" / "history").iterdir()
    assert lab("check", str(history)).returncode == 1
    suites = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert len(list(suites.iter("failure"))) == 1


def test_a_server_that_acknowledges_before_it_commits_exits_1(lab, tmp_path) -> None:
    server = f"{ZOO / 'early_ack_server.py'}:make_app"
    ended = lab("run", "kill-after-ack", "--server", server, "--world", "local", "--repeat", "3")
    assert ended.returncode == 1
    assert "INVALID acknowledged_is_kept" in ended.stdout
    assert "was acknowledged and is gone" in ended.stdout


def test_scenarios_that_a_target_cannot_be_put_through_are_told(lab, tmp_path) -> None:
    client = f"{ZOO / 'naive_client.py'}:register_trade"
    ended = lab("run", "ownership", "kill-client", "--client", client, "--out", "out")
    assert ended.returncode == 3
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("skipped ")]
    assert line.startswith("skipped 7 scenarios in sim and local: demands a durable client; ")
    entries = summary_in(tmp_path)["scenarios"]
    assert {entry["verdict"] for entry in entries} == {"skipped"}
    assert {entry["world"] for entry in entries} == {"sim", "local"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "no-such-thing"], "there is no scenario or suite 'no-such-thing'"),
        (["run", "--world", "mars"], "there is no world 'mars'"),
        (["run", "--client", "nobody"], "is no client target"),
        (["run", "--client", "gone.py:f"], "there is no file gone.py"),
        (["run", "--client", "json:no_such_function"], "defines no no_such_function"),
        (["run", "--client", "no.such.module:f"], "no"),
        (["run", "--client", "cmd:"], "needs a program"),
        (["run", "--client", "cmd:'"], "No closing quotation"),
        (["run", "--server", "cmd:serve"], "needs {port}"),
        (["run", "--server", "http://example.org"], "only to http:// on loopback"),
        (["run", "--server", "https://127.0.0.1"], "only to http:// on loopback"),
        (["run", "--server", "http://127.0.0.1:x"], "x"),
        (["run", "--python", "/no/python"], "there is no such program"),
        (["run", "--fidelity", "x"], "there is no fidelity 'x'; there are: message, http, socket"),
        (["explore", "no-such-thing"], "there is no scenario or suite 'no-such-thing'"),
        (["explore", "--for", "soon"], "--for soon: must be a time such as 90s, 10m or 2h"),
        (["explore", "--for", "-1s"], "--for -1s: must be a time"),
        (["explore", "--for", "nan"], "--for nan: must be a time"),
        (["explore", "--for", ""], "--for : must be a time"),
        (["explore", "--fidelity", "x"], "there is no fidelity 'x'"),
        (["explore", "--client", "nobody"], "is no client target"),
        (["explore", "--client", "cmd:true"], "programs run in local"),
        (["explore", "--server", "http://127.0.0.1:1"], "outside of any sim"),
        (
            ["explore", "--client", "asyncio.tasks:sleep", "--fidelity", "http"],
            "needs fidelity socket",
        ),
        (["run", "--world", "local", "--fidelity", "http"], "--fidelity is for the world sim"),
        (["sweep", "--fidelity", "x"], "there is no fidelity 'x'"),
        (["replay", "gone.json"], "gone.json"),
        (["check", "gone.jsonl"], "gone.jsonl"),
        (["check", "gone.jsonl", "--model", "queue"], "there is no model 'queue'"),
        (["check", "gone.log", "--format", "knossos"], "there is no format 'knossos'"),
        (["check", "gone.log", "--format", "jepsen"], "--format jepsen needs a --model"),
        (["list", "nothing"], "there is no scenario or suite 'nothing'"),
    ],
)
def test_bad_words_get_one_clear_sentence_and_status_2(lab, tmp_path, words, sentence) -> None:
    ended = lab(*words)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["run", "--repeat", "0"], ["run", "--seed", "-1"], ["walk"]])
def test_bad_options_are_status_2(lab, words) -> None:
    assert lab(*words).returncode == 2


@pytest.mark.parametrize("command", ["run", "explore", "sweep"])
def test_a_folder_with_something_in_it_is_not_touched(lab, tmp_path, command) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("x")
    ended = lab(command, "--out", "out")
    assert ended.returncode == 2
    assert "is not an empty folder" in ended.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


def test_a_file_that_is_no_history_is_named_with_its_line(lab, tmp_path) -> None:
    (tmp_path / "odd.jsonl").write_text('{"index": 0}\n')
    ended = lab("check", "odd.jsonl")
    assert ended.returncode == 2
    assert "odd.jsonl:1:" in ended.stderr


def test_a_history_without_verdict_is_unknown(lab, tmp_path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    ended = lab("check", "empty.jsonl")
    assert ended.returncode == 3
    assert ended.stdout.startswith("empty.jsonl: unknown\n")


def lines(*operations: tuple[str, str, str, object]) -> str:
    """A saved history."""
    return "".join(
        json.dumps({"index": n, "time_us": n, "process": p, "type": t, "f": f, "value": v}) + "\n"
        for n, (p, t, f, v) in enumerate(operations)
    )


WRITTEN = (("a", "invoke", "write", 1), ("a", "ok", "write", 1), ("b", "invoke", "read", None))


@pytest.mark.parametrize(
    ("model", "read", "status", "word"),
    [
        ("register", [("b", "ok", "read", 1)], 0, "valid"),
        ("cas-register", [("b", "ok", "read", 2)], 1, "invalid"),
        ("register", [("b", "ok", "read", None)], 1, "invalid"),
        ("register", [("b", "ok", "read", True)], 1, "invalid"),
        ("set", [("b", "ok", "read", [1])], 3, "unknown"),
        ("registration", [("b", "ok", "read", 1)], 3, "unknown"),
    ],
)
def test_a_saved_history_is_judged_by_a_model(lab, tmp_path, model, read, status, word) -> None:
    history = tmp_path / "some.jsonl"
    history.write_text(lines(*WRITTEN, *read))
    ended = lab("check", "--model", model, "some.jsonl")
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[0] == f"some.jsonl: {word}"
    if word == "invalid":
        assert f"INVALID linearizable by {model}: the history has no order" in ended.stdout
        assert "  which leads to 1" in ended.stdout


def test_a_value_that_is_nested_too_deeply_is_told(lab, tmp_path) -> None:
    deep: list[object] = []
    for _level in range(500):
        deep = [deep]
    (tmp_path / "deep.jsonl").write_text(lines(*WRITTEN, ("b", "ok", "read", deep)))
    ended = lab("check", "--model", "register", "deep.jsonl")
    assert ended.returncode == 3
    assert "nested too deeply" in ended.stdout


def test_jepsens_histories_are_judged_too(lab, tmp_path) -> None:
    log = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t{}\n"
    for name, value in (("good.log", "nil"), ("bad.log", "3")):
        (tmp_path / name).write_text(log.format(value))
    asked = ("check", "--model", "cas-register", "--format", "jepsen")
    ended = lab(*asked, "good.log", "bad.log")
    assert ended.returncode == 1
    assert [line for line in ended.stdout.splitlines() if line.startswith(("good", "bad"))] == [
        "good.log: valid",
        "bad.log: invalid",
    ]
    assert lab(*asked, "good.log").returncode == 0


def test_a_run_of_the_lab_has_an_order(lab, tmp_path) -> None:
    assert (
        lab("run", "down-during", "--world", "sim", "--seed", "1", "--out", "out").returncode == 0
    )
    histories = [str(path) for path in sorted((tmp_path / "out" / "history").iterdir())]
    assert histories
    ended = lab("check", "--model", "registration", *histories)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count(": valid\n") == len(histories)
    assert ended.stdout.count(" known, 0 lost, 0 stale, ") == len(histories)


def test_a_server_that_never_gets_ready_is_the_environments_failure(lab, tmp_path) -> None:
    (tmp_path / "broken.py").write_text(
        "def make(data_dir):\n    raise RuntimeError('no licence')\n"
    )
    ended = lab(
        "run", "registered-again", "--server", "broken.py:make", "--world", "local", "--out", "out"
    )
    assert ended.returncode == 5
    assert "ended with status 1 before it was ready" in ended.stderr
    assert "no licence" in ended.stderr
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["exit_status"] == 5
    assert children_of_the_lab(tmp_path) == []


def test_a_client_that_cannot_be_imported_is_a_wrong_word(lab, tmp_path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_library\ndef f(ticket, trade): ...\n")
    ended = lab(
        "run", "registered-again", "--client", "broken.py:f", "--world", "local", "--out", "out"
    )
    assert ended.returncode == 2
    assert "no_such_library" in ended.stderr


@pytest.mark.parametrize("world", ["sim", "local"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_has_and_leaves_no_process(
    tmp_path, number, world
) -> None:
    command = [sys.executable, "-m", "scenarios", "run", "registered-again", "frozen-server"]
    command += ["--world", world, "--repeat", "50000", "--jobs", "2", "--out", "out"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen(command, cwd=tmp_path, text=True, **pipes)  # type: ignore[call-overload]
    for line in running.stdout:
        if line.startswith("[1/"):
            break
    running.send_signal(number)
    rest, errors = running.communicate(timeout=30)
    assert running.returncode == 3
    assert errors.startswith("dtms-lab: interrupted; what had ended by then is kept.\n")
    assert "Traceback" not in errors
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["interrupted"] is True
    assert sum(scenario["episodes"] for scenario in summary["scenarios"]) >= 1
    assert "scenarios" in rest
    assert nobody_is_left(tmp_path)


def test_even_kill_9_of_the_lab_leaves_no_process(tmp_path) -> None:
    command = [
        sys.executable,
        "-m",
        "scenarios",
        "run",
        "frozen-server",
        "--world",
        "local",
        "--out",
        "out",
    ]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(children_of_the_lab(tmp_path)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(children_of_the_lab(tmp_path)) >= 3
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    while children_of_the_lab(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert children_of_the_lab(tmp_path) == []


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.02, 0.04, 0.08])
def test_one_that_is_interrupted_while_its_workers_start_ends_in_good_order(
    tmp_path, after_s
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "scenarios", "run", "--world", "sim", "--out", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    deadline = time.monotonic() + 30
    while not children.read_text() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(after_s)  # the moments are what differs, whatever is under way at each
    os.killpg(running.pid, signal.SIGINT)
    _told, errors = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "Traceback" not in errors


def test_list_tells_every_scenario(lab) -> None:
    listed = lab("list").stdout.splitlines()
    assert len(listed) >= 35
    assert all(len(line.split("\t")) == 3 for line in listed)
    assert {line.split("\t")[0] for line in lab("list", "races").stdout.splitlines()} == {"races"}


def test_doctor_finds_what_the_lab_needs(lab) -> None:
    ended = lab("doctor")
    assert ended.returncode == 0
    assert "SQLite" in ended.stdout
    assert "PostgreSQL" in ended.stdout
