"""The command `doctor`: what there is, what is missing, and how the rest is got."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaos.toxiproxy import binary
from scenarios.cli import app


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a Toxiproxy that was built is kept; nothing is there, and none is on the PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "dtms-lab" / f"toxiproxy-{binary.VERSION}" / binary.NAME


def doctor(*words: str) -> tuple[int, str]:
    told = CliRunner().invoke(app, ["doctor", *words])
    return told.exit_code, " ".join(told.output.split())


def test_it_finds_what_the_lab_needs() -> None:
    status, told = doctor()
    assert status == 0
    assert "SQLite" in told
    assert "Toxiproxy" in told
    assert "PostgreSQL" in told
    assert "Docker engine" in told


def test_a_toxiproxy_that_was_built_is_found(kept: Path) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_text("")
    assert doctor("--install", "toxiproxy") == (0, f"Toxiproxy's server is {kept}")


def test_without_go_it_says_how_to_get_a_toxiproxy(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary, "GO_FOLDERS", "")
    status, told = doctor("--install", "toxiproxy")
    assert status == 5
    assert "There is no Go to build Toxiproxy with. Usual ways: a release" in told


def test_it_says_why_go_could_not_build_it(kept: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    go.chmod(0o755)
    status, told = doctor("--install", "toxiproxy")
    assert status == 5
    assert "Go could not build Toxiproxy: no network." in told
    assert not list(tmp_path.rglob("build"))


def test_what_go_built_is_kept(kept: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho "$2" > "$GOBIN/server"\n')
    go.chmod(0o755)
    assert doctor("--install", "toxiproxy") == (0, f"Toxiproxy's server is {kept}")
    assert kept.read_text() == f"{binary.MODULE}\n"
    assert list(kept.parent.iterdir()) == [kept]


def test_what_it_does_not_know_it_does_not_install() -> None:
    status, told = doctor("--install", "coffee")
    assert status == 2
    assert "there is no such part; there are: toxiproxy" in told
