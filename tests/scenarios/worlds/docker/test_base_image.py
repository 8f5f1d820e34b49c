"""A base image that no registry is needed for."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from scenarios.worlds.docker.base_image import base_image, digest, plan, write
from tests.engine import engine_or_skip


@pytest.fixture(scope="module")
def layout() -> dict[PurePosixPath, Path]:
    return plan()


def archive(layout: dict[PurePosixPath, Path]) -> bytes:
    written = io.BytesIO()
    write(layout, written)
    return written.getvalue()


def test_the_same_files_make_the_same_image(layout) -> None:
    few = dict(list(layout.items())[:40])
    assert archive(few) == archive(few)
    assert digest(layout) == digest(plan())


def test_another_file_makes_another_name(layout, tmp_path) -> None:
    changed = tmp_path / "os.py"
    changed.write_text("")
    place = next(place for place in layout if place.name == "os.py")
    assert digest({**layout, place: changed}) != digest(layout)
    os.utime(changed, (1, 1))
    once = digest({place: changed})
    os.utime(changed, (2, 2))
    assert digest({place: changed}) != once


def test_nobody_of_this_machine_owns_what_is_in_it(tmp_path) -> None:
    somebodys = tmp_path / "os.py"
    somebodys.write_text("")
    if os.getuid() == 0:
        os.chown(somebodys, 1234, 1234)
    with tarfile.open(fileobj=io.BytesIO(archive({PurePosixPath("os.py"): somebodys}))) as tar:
        assert {(entry.uid, entry.gid) for entry in tar} == {(0, 0)}
        assert {entry.uname for entry in tar} <= {"root", ""}


def test_it_has_what_the_lab_needs_and_not_what_its_tests_do(layout) -> None:
    packages = {place.parts[4] for place in layout if "lab-packages" in place.parts}
    assert {"httpx", "uvicorn", "starlette", "msgspec", "typer"} <= packages
    assert packages.isdisjoint({"mypy", "hypothesis", "pip"})


def test_it_runs_with_no_network() -> None:
    engine = engine_or_skip()
    try:
        code = "import ssl, sqlite3, httpx, uvloop, starlette, typer; print(sqlite3.connect('x'))"
        told = engine.ask(
            lambda client: client.containers.run(
                base_image(client),
                ["sh", "-c", f'python -c "{code}"'],
                network_mode="none",
                remove=True,
            )
        )
    finally:
        engine.close()
    assert told.startswith(b"<sqlite3.Connection")
