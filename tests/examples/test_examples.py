"""The examples come to what their table says, through the real command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ROW = re.compile(r"^\| `(dtms-lab run .*?)` \| (.*?) \| (\d) \| (?:`(\w+)`)? ?\|$", re.MULTILINE)
ROWS = ROW.findall((EXAMPLES / "README.md").read_text())
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("command", "status", "checker"),
    [(command, int(status), checker) for command, _what, status, checker in ROWS],
    ids=[re.findall(r"`(.*?)`", what)[0] for _command, what, _status, _checker in ROWS],
)
def test_a_line_of_the_table_is_true(
    tmp_path: Path, command: str, status: int, checker: str
) -> None:
    name, *words = shlex.split(command)
    ended = subprocess.run(
        [BIN / name, *words, "--out", tmp_path / "out"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert re.findall(r"^INVALID (\w+): ", ended.stdout, re.MULTILINE)[:1] == (
        [checker] if checker else []
    )


def test_every_example_is_in_the_table() -> None:
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.*js")}
    files |= {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")}
    told = {re.findall(r"`(.*?)`", what)[0] for _command, what, _status, _checker in ROWS}
    assert told == files
    assert len(ROWS) >= 5


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_an_example_needs_nothing_of_this_repository(path: Path) -> None:
    words = re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
    assert set(words) <= {*sys.stdlib_module_names, "httpx"}
    assert len(path.read_text().splitlines()) < 250
