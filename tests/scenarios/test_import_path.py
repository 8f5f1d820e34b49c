"""Where Python looks for modules, in processes of the lab and of its targets."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.import_path import ROOT, lab_environ, target_environ, users_folders
from scenarios.worlds.sim.shared_state import put_back


@pytest.mark.parametrize("users", [{}, {"PYTHONPATH": "a:b"}, {"PYTHONSAFEPATH": "x"}])
def test_a_target_gets_what_the_user_has(users: dict[str, str]) -> None:
    environ = {"HOME": "/home/u", **users}
    labs = lab_environ(environ)
    assert labs["PYTHONPATH"].split(os.pathsep)[0] == ROOT
    assert lab_environ(labs) == labs
    assert target_environ(labs) == target_environ(environ) == environ


def test_the_users_folders_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = lab_environ({"PYTHONPATH": f"lib{os.pathsep}{os.pathsep}/opt"})
    assert users_folders(environ) == [f"{tmp_path}/lib", "/opt"]
    assert users_folders({}) == []


def test_a_process_of_the_lab_finds_the_labs_packages_in_any_folder(tmp_path: Path) -> None:
    (tmp_path / "core.py").write_text("raise RuntimeError('not the lab's')\n")
    for environ in ({**os.environ, "PYTHONPATH": "."}, dict(os.environ)):
        ended = subprocess.run(
            [sys.executable, "-c", "import core, scenarios; print(core.__file__)"],
            cwd=tmp_path,
            env=lab_environ(environ),
            capture_output=True,
            text=True,
        )
        assert ended.stdout.startswith(ROOT), ended.stderr


def test_what_a_target_changes_in_shared_modules_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_TEST", "before")
    before = dict(os.environ), list(sys.path), logging.getLogger().handlers[:]
    with put_back():
        os.environ["LAB_TEST"] = "after"
        os.environ["LAB_TEST_MORE"] = "after"
        sys.path.insert(0, "/nowhere")
        logging.getLogger().addHandler(logging.NullHandler())
        logging.getLogger("a.target's").addHandler(logging.NullHandler())
    assert (dict(os.environ), list(sys.path), logging.getLogger().handlers) == before
    assert logging.getLogger("a.target's").handlers == []
