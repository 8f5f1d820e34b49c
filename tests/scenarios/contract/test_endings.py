"""How `dtms-lab contract` ends: without its extra, without a server, and with a program as one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.contract.command import EXTRA

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MISSING = "import sys; sys.modules[sys.argv.pop(1)] = None; import scenarios.cli as c; c.app()"
SERVE = ROOT / "scenarios" / "targets" / "asgi_server.py"
MINIMAL = f"{HERE / 'minimal_server.py'}:make_app"
PROGRAM = f"cmd:{sys.executable} {SERVE} {MINIMAL} {{port}} {{data_dir}} {{broker_url}}"
WHOLE = (
    "enable-new",
    "any-registration",
    "no-error-post-dtms-trade-enable",
    "survives-kill",
    "survives-stop",
    "not-persisted",
    "corrupt-store-rebuilt",
    "not-ready",
    "recovery-restores",
    "start-fails",
    "second-instance",
)
"""Of everything that is done to a server: asked, killed, stopped, kept from its disk and broker."""


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, timeout=110, cwd=ROOT, check=False
    )


def contract(*words: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "scenarios", "contract", *words)


@pytest.mark.parametrize("package", EXTRA)
def test_without_its_extra_it_refuses_in_a_sentence(package: str) -> None:
    done = run("-c", MISSING, package, "contract", "--only", "enable-new")
    assert done.returncode == 2
    assert done.stdout == ""
    sentence = f"contract needs {package}: install dtms-lab with its extra, dtms-lab[contract]"
    assert done.stderr == f"dtms-lab: {sentence}\n"


@pytest.mark.parametrize("package", EXTRA)
def test_checks_are_named_without_the_extra(package: str) -> None:
    done = run("-c", MISSING, package, "contract", "--list")
    assert done.returncode == 0
    assert "MUST\tenable-new\t" in done.stdout


def test_a_server_that_never_becomes_ready_is_none_to_judge(tmp_path: Path) -> None:
    never = f"{HERE / 'wrong_servers.py'}:never_ready"
    done = contract("--server", never, "--json", "--out", str(tmp_path / "out"))
    assert done.returncode == 5
    told = json.loads(done.stdout)
    assert told["exit_status"] == 5
    assert told["checks"] == []
    assert told["trouble"] == (
        f"{never} never came up: GET /dtms/health was not 200 within 20 s. It wrote no error."
    )
    assert json.loads((tmp_path / "out" / "contract.json").read_text()) == told


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        ("cmd:./there-is-none {port}", 5, "No such file or directory: './there-is-none'"),
        ("cmd:false {port}", 5, "it ended before it was ready. It ended with status 1."),
        ("cmd:true", 2, "a server command needs {port}, where it must listen"),
    ],
)
def test_a_program_that_is_no_server(program: str, status: int, words: str) -> None:
    done = contract("--server", program, "--only", "enable-new")
    assert done.returncode == status
    assert words in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_a_program_is_a_server_from_start_to_end() -> None:
    only = [word for check in WHOLE for word in ("--only", check)]
    done = contract("--server", PROGRAM, "--seed", "3", "--strict", "--json", *only)
    told = json.loads(done.stdout)
    assert [(c["name"], c["why"]) for c in told["checks"] if c["verdict"] != "passed"] == []
    assert [c["name"] for c in told["checks"]] == list(WHOLE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("where", ["--help", "README"])
def test_each_exit_status_is_told(where: str) -> None:
    text = (ROOT / "scenarios" / "contract" / "README.md").read_text()
    told = contract("--help").stdout if where == "--help" else text
    told = " ".join(told.replace("**", "").split())
    for words in ("0 every MUST passed", "1 one failed", "2 usage", "3 a MUST was not decided"):
        assert words in told
    assert "5 the server never came up" in told
