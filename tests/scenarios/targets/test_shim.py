"""The shim: any registration function behind the JSON-lines protocol, in a process of its own."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.targets import shim

REQUEST = {
    "op": "register",
    "ticket": 7,
    "trade": {"symbol": "X"},
    "api_url": "http://127.0.0.1:1",
    "timeout_s": 2.0,
    "retry_count": 3,
}

TARGET = """
import asyncio, threading
seen = []

async def good(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    await asyncio.sleep(0.01)
    print("to standard output")
    return ticket == 7 and trade_data == {"symbol": "X"} and timeout == 2.0 and retry_count == 3

def plain(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    return threading.current_thread() is not threading.main_thread()

def unknown(ticket, trade_data, **more):
    return None

def odd(ticket, trade_data, **more):
    return 1

def raises(ticket, trade_data, **more):
    raise ValueError("no")

def late(ticket, trade_data, **more):
    return good(ticket, trade_data, **more)
"""


def ask(tmp_path, function: str, *requests: dict[str, object]) -> list[dict[str, object]]:
    (tmp_path / "target.py").write_text(TARGET)
    location = f"{tmp_path / 'target.py'}:{function}"
    running = subprocess.Popen(
        [sys.executable, shim.__file__, location],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    for request in requests:
        running.stdin.write(json.dumps(request) + "\n")
    running.stdin.flush()
    answers = [json.loads(running.stdout.readline()) for _ in requests]
    running.stdin.close()
    assert running.wait(10) == 0
    running.stdout.close()
    return answers


@pytest.mark.parametrize(
    ("function", "registered", "detail"),
    [
        ("good", True, ""),
        ("plain", True, ""),
        ("late", True, ""),
        ("unknown", None, ""),
        ("odd", None, "answered 1"),
        ("raises", None, "raised ValueError: no"),
    ],
)
def test_what_a_function_says_is_told(tmp_path, function, registered, detail) -> None:
    (answer,) = ask(tmp_path, function, {"id": 1, **REQUEST})
    assert answer == {"id": 1, "registered": registered, "detail": detail}


def test_requests_run_beside_each_other_and_unknown_ones_are_told(tmp_path) -> None:
    requests = [{"id": n, **REQUEST} for n in range(20)] + [{"id": 99, "op": "ping"}]
    answers = {answer["id"]: answer for answer in ask(tmp_path, "good", *requests)}
    assert set(answers) == {*range(20), 99}
    assert answers[99]["detail"] == "unknown op"


def test_what_still_runs_does_not_keep_it(tmp_path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ndef f(ticket, trade_data, **more):\n    time.sleep(60)\n"
    )
    running = subprocess.Popen(
        [sys.executable, shim.__file__, f"{tmp_path / 'slow.py'}:f"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    running.communicate((json.dumps({"id": 1, **REQUEST}) + "\n").encode(), timeout=20)
    assert running.returncode == 0


def test_it_is_written_for_python_3_8() -> None:
    ast.parse(Path(shim.__file__).read_text(), feature_version=(3, 8))
    used = Path(shim.__file__).read_text()
    newer = (
        "cancel_futures",
        "asyncio.timeout",
        "TaskGroup",
        "to_thread",
        "removeprefix",
        "match ",
    )
    assert [name for name in newer if name in used] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("f = 1", "is no function but a int"),
        ("def f(ticket): ...", "takes (ticket), and cannot be called so: "),
        ("import nothing_of_the_kind", "cannot be imported: ModuleNotFoundError: "),
        ("import sys; sys.exit(0)", "cannot be imported: SystemExit: 0"),
        ("g = 1", "cannot be imported: AttributeError: "),
        ("def f(:", "cannot be imported: SyntaxError: "),
    ],
)
def test_what_is_no_client_is_refused_in_the_last_line(tmp_path, text, sentence) -> None:
    (tmp_path / "target.py").write_text(text)
    ended = subprocess.run(
        [sys.executable, shim.__file__, f"{tmp_path / 'target.py'}:f"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (shim.REFUSED, "")
    assert ended.stderr.splitlines()[-1].startswith(f"refused: {sentence}")
    assert "shim.py" not in ended.stderr


def test_what_lies_beside_it_is_not_for_the_target(tmp_path) -> None:
    text = "import spec\ndef f(ticket, trade_data, **more): ...\n"
    (tmp_path / "target.py").write_text(text)
    ended = subprocess.run(
        [sys.executable, shim.__file__, f"{tmp_path / 'target.py'}:f"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert "No module named 'spec'" in ended.stderr


def test_it_needs_only_the_standard_library() -> None:
    source = Path(shim.__file__).read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines()
                if line.startswith(("import ", "from "))}  # fmt: skip
    assert imported <= sys.stdlib_module_names
