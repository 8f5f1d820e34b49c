"""Where the programs of an installed PostgreSQL are."""

from __future__ import annotations

import shutil
from pathlib import Path

USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian and Ubuntu, which put none of it on PATH
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
)
REMEDY = (
    "apt-get install postgresql (Debian, Ubuntu), dnf install postgresql-server, "
    "or brew install postgresql"
)


def find_programs() -> Path | None:
    """The folder of `postgres` and `initdb`: on PATH, or the latest in the usual places."""
    found = [Path(place).resolve().parent for place in (shutil.which("postgres"),) if place]
    for pattern in USUAL_PLACES:
        folders = Path("/").glob(pattern.removeprefix("/"))
        found += sorted(folders, key=_major_version, reverse=True)
    return next((folder for folder in found if _is_whole(folder)), None)


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("postgres", "initdb"))


def _major_version(folder: Path) -> int:
    digits = "".join(letter for letter in str(folder) if letter.isdigit())
    return int(digits or 0)
