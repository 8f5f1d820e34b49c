"""Real trials, in processes of their own: what the tests notice is killed, and nothing else is.

They are made by another process, since what forks must not have imported the core."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.__main__ import main
from tests.mutation.trial import PYTEST_STATUS, Outcome, outcome_of

ROOT = Path(__file__).parents[2]
GATE = """
import sys
from pathlib import Path
from tests.mutation.mutants import mutants_of
from tests.mutation.subjects import Subject
from tests.mutation.trial import Trial, outcomes

gate = Subject("gate", Path.cwd())
at_edge = ("ReadinessGate.is_fresh", "return now < self._ready_until")
(late,) = [m for m in mutants_of(gate.source)
           if (m.place, m.was) == at_edge and m.becomes == "return now <= self._ready_until"]
endless = gate.source.replace("return now < self._ready_until", "while True: pass")
(tests,) = gate.tests
without = (tests, "--deselect", f"{tests}::test_ready_counts_for_the_cache_time_and_no_longer")
trials = [Trial(gate.module, *rest) for rest in (
    (gate.source, (tests,), "."),
    (late.source, (tests,), "."),
    (late.source, without, "."),
    (endless, (tests,), ".", 1),
    ("import nothing_of_this_name", (tests,), "."),
    (gate.source, (tests, "-k", "nothing_of_this_name"), "."),
)]
for index, outcome in sorted(outcomes(trials, 2)):
    print(outcome)
"""
TINY = """
import sys
from pathlib import Path
from tests.mutation.__main__ import tried
from tests.mutation.subjects import Subject

verdict = tried(Subject("late", Path(sys.argv[1])), (), 2)
print("\\n".join(verdict.lines()))
sys.exit(verdict.exit_status)
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_PROCESS")}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100
    )


def test_a_known_mutant_dies_by_its_test_and_lives_without_it() -> None:
    done = run(GATE)
    assert done.stdout.split() == [
        "survived",  # no mutant at all
        "killed",
        "survived",  # its test was left out
        "timed_out",
        "killed",  # it cannot be imported
        "error",  # no test ran
    ], done.stderr


SPOILT = """
import sys
from pathlib import Path
from tests.mutation import trial
from tests.mutation.subjects import Subject

trial.PRELOADED = (*trial.PRELOADED, "core.gate")
gate = Subject("gate", Path.cwd())
((_, outcome),) = trial.outcomes([trial.Trial(gate.module, gate.source, gate.tests, ".")], 1)
print(outcome)
"""


def test_a_process_that_knows_the_module_already_can_try_no_mutant() -> None:
    done = run(SPOILT)
    assert done.stdout == "error\n"
    assert "core.gate is here already" in done.stderr


@pytest.fixture
def late(tmp_path: Path) -> Path:
    for name, text in (
        ("core/__init__.py", ""),
        ("core/late.py", "def late(s):\n    return s > 5\n"),
        ("tests/core/test_late.py", LATE + AT_EDGE),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


LATE = "from core.late import late\n\ndef test_late():\n    assert late(6)\n"
AT_EDGE = "    assert not late(5)\n    assert late(5.5)\n"


def test_a_test_that_is_left_out_is_missed_and_a_run_goes_on_where_it_was(late: Path) -> None:
    done = run(TINY, str(late))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "late: 2 mutants, 2 killed, 0 equivalent, 0 survived\n"
    journal = late / ".mutation" / "late.jsonl"
    journal.write_text(journal.read_text().replace("killed", "survived", 1))
    assert "1 killed, 0 equivalent, 1 survived" in run(TINY, str(late)).stdout
    (late / "tests/core/test_late.py").write_text(LATE)
    done = run(TINY, str(late))
    assert done.returncode == 1
    assert "+ return s >= 5" in done.stdout


def test_tests_that_fail_by_themselves_can_tell_no_mutant(late: Path) -> None:
    (late / "tests/core/test_late.py").write_text(LATE + "    assert late(1)\n")
    done = run(TINY, str(late))
    assert done.returncode == 1
    assert "fails without any mutant; mend that first" in done.stderr


@pytest.mark.parametrize(
    ("exitcode", "outcome"),
    [
        (PYTEST_STATUS, Outcome.SURVIVED),
        (PYTEST_STATUS + 1, Outcome.KILLED),
        (PYTEST_STATUS + 3, Outcome.ERROR),
        (0, Outcome.ERROR),
        (1, Outcome.ERROR),
        (-signal.SIGKILL, Outcome.ERROR),
        (-signal.SIGXCPU, Outcome.TIMED_OUT),
    ],
)
def test_only_pytest_itself_says_that_a_mutant_lives_or_dies(exitcode, outcome) -> None:
    assert outcome_of(exitcode) is outcome


@pytest.mark.parametrize("arguments", [["nonsense"], ["gate", "--jobs", "0"]])
def test_what_cannot_be_meant_is_a_matter_of_usage(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
