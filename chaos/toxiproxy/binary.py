"""Where Toxiproxy's server is, and how it gets there. It is a Go program."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from chaos.toxiproxy.errors import ServerMissing

VERSION: Final = "2.12.0"
MODULE: Final = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
NAME: Final = "toxiproxy-server"
GO_FOLDERS: Final = "/usr/local/go/bin:/usr/lib/go/bin"
"""Where Go is often found that is not on the PATH."""
BUILD_S_MAX: Final = 600.0
WAYS: Final = (
    f"a release of Toxiproxy {VERSION} as {NAME} on the PATH; `brew install toxiproxy`; or Go, "
    "with which `dtms-lab doctor --install toxiproxy` builds it"
)
"""How to get one, in words."""


def kept() -> Path:
    """Where one that was built here is kept, between runs and projects."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "dtms-lab" / f"toxiproxy-{VERSION}" / NAME


def find() -> Path | None:
    """One on the PATH, or the one that was built here."""
    on_path = shutil.which(NAME)
    if on_path is not None:
        return Path(on_path)
    return kept() if kept().is_file() else None


def install() -> Path:
    """The one that there is, or a new one, built by Go. Raises `ServerMissing` with what to do."""
    there = find()
    if there is not None:
        return there
    go = shutil.which("go") or shutil.which("go", path=GO_FOLDERS)
    if go is None:
        raise ServerMissing(f"There is no Go to build Toxiproxy with. Usual ways: {WAYS}.")
    target = kept()
    built = target.parent / "build"
    built.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [go, "install", MODULE],
            env={**os.environ, "GOBIN": str(built)},
            capture_output=True,
            text=True,
            timeout=BUILD_S_MAX,
            check=False,
        )
        if done.returncode != 0:
            words = done.stderr.strip().splitlines()[-1:] or ["no reason was given"]
            raise ServerMissing(f"Go could not build Toxiproxy: {words[0]}. Usual ways: {WAYS}.")
        (built / "server").replace(target)
    except subprocess.TimeoutExpired:
        raise ServerMissing(f"Go took over {BUILD_S_MAX:.0f} s. Usual ways: {WAYS}.") from None
    finally:
        shutil.rmtree(built, ignore_errors=True)
    return target
