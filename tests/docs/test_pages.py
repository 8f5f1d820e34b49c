"""Each command on the pages that tell how to test one's own code does what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("test-your-own-*.md"))
SET_UP = ("make setup",)
"""Done already, by whoever runs the tests."""
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
STATUS = re.compile(r"  # exit status (\d)$")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder in which there is what the pages use of a clone after its set-up."""
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed_word_by_word(page: Path, clone: Path) -> None:
    said, ran = "", 0
    for kind, text in BLOCK.findall(page.read_text()):
        if kind == "python":
            name = text.splitlines()[0].removeprefix("# ")
            (clone / name).write_text(text)
        elif kind == "sh":
            for line in text.splitlines():
                if line not in SET_UP:
                    said = follow(line, clone)
                    ran += 1
        elif text.startswith("INVALID"):
            assert text in said
    assert ran >= 4


def follow(line: str, folder: Path) -> str:
    """What the command says. It must end with the status that the page tells, or 0."""
    told = STATUS.search(line)
    ended = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == (int(told[1]) if told else 0), ended.stdout + ended.stderr
    return ended.stdout


def test_the_pages_are_linked() -> None:
    readme = (ROOT / "README.md").read_text()
    assert PAGES
    for page in PAGES:
        assert f"docs/{page.name}" in readme
