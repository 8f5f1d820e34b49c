"""The shim: any registration function behind the JSON-lines protocol, in a process of its own."""

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


def test_it_needs_only_the_standard_library() -> None:
    source = Path(shim.__file__).read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines()
                if line.startswith(("import ", "from "))}  # fmt: skip
    assert imported <= sys.stdlib_module_names
