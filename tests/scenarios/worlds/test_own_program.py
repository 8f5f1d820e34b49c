"""Programs of the lab's own start wherever a project has packages of the same names."""

import os
import subprocess

import pytest

from scenarios.worlds.own_program import own_program

WHERE = {"current folder": {}, "PYTHONPATH": {"PYTHONPATH": "."}}


@pytest.mark.parametrize("environ", WHERE.values(), ids=WHERE.keys())
def test_a_project_with_a_simulator_of_its_own_is_not_run(tmp_path, environ) -> None:
    for name in ("simulator", "core", "scenarios"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the project, not the lab')")
        (tmp_path / name / "__main__.py").write_text("")
    done = subprocess.run(
        own_program("simulator", "--help"),
        cwd=tmp_path,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "--data-dir" in done.stdout
