"""The command `dtms-lab` as a person or a CI gate meets it: processes, statuses, files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
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


def test_a_valid_run_exits_0_and_leaves_its_files(lab, tmp_path) -> None:
    ended = lab("run", "registered-again", "--seed", "7", "--out", "out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["verdict"] == "valid"
    assert summary["exit_status"] == 0
    (scenario,) = summary["scenarios"]
    assert scenario["name"] == "registered-again"
    assert scenario["episodes"] == 1
    assert set(scenario["checkers"].values()) == {"valid"}
    assert {"schema", "started_at", "duration_s", "versions"} <= set(summary)
    suites = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert [case.get("name") for case in suites.iter("testcase")] == ["registered-again"]
    history = tmp_path / "out" / "history" / "registered-again-7.jsonl"
    assert json.loads(history.read_text().splitlines()[0])["f"] == "episode"
    assert "1 valid, 0 invalid, 0 unknown" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert not (tmp_path / "out" / "cases").exists()
    assert children_of_the_lab(tmp_path) == []


def test_results_go_to_a_folder_of_their_own_under_runs(lab, tmp_path) -> None:
    assert lab("run", "registered-again").returncode == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "summary.json").exists()


def test_a_saved_history_is_judged_again(lab, tmp_path) -> None:
    lab("run", "registered-again", "--out", "out")
    (history,) = (tmp_path / "out" / "history").iterdir()
    checked = lab("check", str(history))
    assert (checked.returncode, checked.stdout) == (0, f"{history}: valid\n")


def test_a_naive_client_exits_1_and_is_told_property_trade_and_times(lab, tmp_path) -> None:
    client = f"{ZOO / 'naive_client.py'}:register_trade"
    ended = lab("run", "answer-lost-once", "--client", client, "--out", "out", "--seed", "3")
    assert ended.returncode == 1
    assert "INVALID failure_is_honest: 1001 was reported as not registered, and is there" in (
        ended.stdout
    )
    lines = ended.stdout.splitlines()
    assert any("s bot/0" in line and "register 1001" in line for line in lines)
    assert any(line.startswith("replay: dtms-lab run answer-lost-once --seed 3") for line in lines)
    case = json.loads((tmp_path / "out" / "cases" / "answer-lost-once-3.json").read_text())
    assert case["verdict"]["failure_is_honest"] == "invalid"
    assert case["seed"] == 3
    (history,) = (tmp_path / "out" / "history").iterdir()
    assert lab("check", str(history)).returncode == 1
    suites = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
    assert len(list(suites.iter("failure"))) == 1


def test_a_server_that_acknowledges_before_it_commits_exits_1(lab, tmp_path) -> None:
    server = f"{ZOO / 'early_ack_server.py'}:make_app"
    ended = lab("run", "kill-after-ack", "--server", server, "--out", "out", "--repeat", "3")
    assert ended.returncode == 1
    assert "INVALID acknowledged_is_kept" in ended.stdout
    assert "was acknowledged and is gone" in ended.stdout


def test_scenarios_that_a_target_cannot_be_put_through_are_told(lab, tmp_path) -> None:
    client = f"{ZOO / 'naive_client.py'}:register_trade"
    ended = lab("run", "ownership", "kill-client", "--client", client, "--out", "out")
    assert ended.returncode == 3
    assert "skipped recovery kill-client: demands a durable client" in ended.stdout
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {s["verdict"] for s in summary["scenarios"]} == {"skipped"}


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
        (["check", "gone.jsonl"], "gone.jsonl"),
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


def test_a_folder_with_something_in_it_is_not_touched(lab, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("x")
    ended = lab("run", "registered-again", "--out", "out")
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


def test_a_server_that_never_gets_ready_is_the_environments_failure(lab, tmp_path) -> None:
    (tmp_path / "broken.py").write_text(
        "def make(data_dir):\n    raise RuntimeError('no licence')\n"
    )
    ended = lab("run", "registered-again", "--server", "broken.py:make", "--out", "out")
    assert ended.returncode == 5
    assert "dtms ended before it was ready" in ended.stdout
    assert "no licence" in ended.stdout
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["exit_status"] == 5
    assert children_of_the_lab(tmp_path) == []


def test_a_client_that_dies_at_once_is_the_environments_failure(lab, tmp_path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_library\ndef f(ticket, trade): ...\n")
    ended = lab("run", "registered-again", "--client", "broken.py:f", "--out", "out")
    assert ended.returncode == 5
    assert "no_such_library" in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_has_and_leaves_no_process(tmp_path, number) -> None:
    command = [sys.executable, "-m", "scenarios", "run", "registered-again", "frozen-server"]
    command += ["--repeat", "50", "--jobs", "2", "--out", "out"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("[1/"):
            break
    running.send_signal(number)
    rest = running.stdout.read()
    assert running.wait(30) == 3
    running.stdout.close()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["interrupted"] is True
    assert sum(scenario["episodes"] for scenario in summary["scenarios"]) >= 1
    assert "scenarios" in rest
    assert children_of_the_lab(tmp_path) == []


def test_even_kill_9_of_the_lab_leaves_no_process(tmp_path) -> None:
    command = [sys.executable, "-m", "scenarios", "run", "frozen-server", "--out", "out"]
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


def test_list_tells_every_scenario(lab) -> None:
    listed = lab("list").stdout.splitlines()
    assert len(listed) >= 35
    assert all(len(line.split("\t")) == 3 for line in listed)
    assert {line.split("\t")[0] for line in lab("list", "races").stdout.splitlines()} == {"races"}


def test_doctor_finds_what_the_lab_needs(lab) -> None:
    ended = lab("doctor")
    assert ended.returncode == 0
    assert "SQLite" in ended.stdout
