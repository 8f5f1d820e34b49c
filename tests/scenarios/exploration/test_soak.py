"""A soak: every seed once, over as many sittings as it takes."""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scenarios.exploration.soak import NAMES, ROUNDS, soaked
from simulator.deterministic.schedule import KINDS

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "scenarios.exploration.soak", "--workers", "1", "--out", "out"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def soak(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=100)


def state(tmp_path: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((tmp_path / "out" / "state.json").read_text())
    return told


def test_every_scenario_meets_every_fidelity_and_schedule() -> None:
    seeds = range(len(NAMES) * len(ROUNDS) * len(KINDS))
    grown = [soaked(seed) for seed in seeds]
    assert len({(one.scenario, one.fidelity, one.schedule) for one in grown}) == len(NAMES) * 9
    shares = Counter(one.fidelity for one in grown)
    assert (shares["message"], shares["http"], shares["socket"]) == tuple(
        len(seeds) * part // 20 for part in (15, 4, 1)
    )
    assert 0.7 < sum(one.swarm for one in grown) / len(seeds) < 0.8


def test_interrupted_it_goes_on_where_it_was(tmp_path) -> None:
    words = [*COMMAND, "--episodes", "400", "--progress", "0"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    first = running.stdout.readline()
    assert first.startswith("16 episodes (16 message), 0 failed; ")
    running.send_signal(signal.SIGINT)
    rest = running.stdout.read()
    assert running.wait(30) == 3
    running.stdout.close()
    assert "interrupted; the same command goes on" in rest
    stopped_at = state(tmp_path)["next_seed"]
    assert isinstance(stopped_at, int)
    assert 16 <= stopped_at < 400
    ended = soak("--episodes", "400", "--progress", "0")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith(f"{stopped_at + 16} episodes")
    assert state(tmp_path)["played"] == dict(Counter(soaked(n).fidelity for n in range(400)))
    assert soak("--episodes", "400").returncode == 0, "nothing is left to be played"


def test_it_stops_at_a_violation_and_begins_there_again(tmp_path) -> None:
    words = ("--episodes", "96", "--parts", "scenarios.zoo.planted:TIMEOUT_IS_FAILURE")
    ended = soak(*words)
    assert ended.returncode == 1
    (line, *_) = [line for line in ended.stdout.splitlines() if line.startswith("replay: ")]
    case = json.loads((tmp_path / line.rpartition(" ")[2]).read_text())
    assert "invalid" in case["verdict"].values()
    assert not (tmp_path / "out" / "state.json").exists() or state(tmp_path)["failed"] == 0
    assert soak(*words).stdout.splitlines()[-1] == ended.stdout.splitlines()[-1]


def test_told_to_it_goes_on_and_counts(tmp_path) -> None:
    ended = soak(
        "--episodes", "16", "--keep-going", "--parts", "scenarios.zoo.planted:TIMEOUT_IS_FAILURE"
    )  # fmt: skip
    assert ended.returncode == 1
    assert state(tmp_path)["next_seed"] == 16
    failed = state(tmp_path)["failed"]
    assert isinstance(failed, int)
    assert failed >= len(list((tmp_path / "out" / "cases").iterdir())) > 0


@pytest.mark.parametrize("content", ["{", '{"schema": 9}', '{"next_sed": 3}', "[]"])
def test_a_file_that_is_no_state_is_refused(tmp_path, content) -> None:
    (tmp_path / "state").write_text(content)
    ended = soak("--state", "state")
    assert ended.returncode == 2
    assert ended.stderr.startswith("soak: state ")
    assert (tmp_path / "state").read_text() == content


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--out", "file/below"), "Not a directory"),
        (("--episodes", "0"), "must be 1 or more"),
        (("--workers", "0"), "must be 1 or more"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(tmp_path, words, why) -> None:
    (tmp_path / "file").write_text("")
    ended = subprocess.run(
        [sys.executable, "-m", "scenarios.exploration.soak", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 2
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr
