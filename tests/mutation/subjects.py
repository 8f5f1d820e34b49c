"""Which modules are mutated, and which tests must notice."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

NAMES = ("trade", "routing", "payload", "acceptance", "retry", "budget", "breaker", "gate",
         "reconcile", "settings", "registrar")  # fmt: skip
WITH_ALL = ("core/*.py", "tests/conftest.py", "tests/core/conftest.py", "tests/mutation/mutants.py",
            "tests/mutation/trial.py", "pyproject.toml", "requirements.lock")  # fmt: skip
"""What an outcome depends on, apart from the subject's own tests."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The module core.`name`, whose tests are tests/core/test_`name`*.py; `root` holds both."""

    name: str
    root: Path

    @property
    def module(self) -> str:
        return f"core.{self.name}"

    @property
    def tests(self) -> tuple[str, ...]:
        found = self.root.glob(f"tests/core/test_{self.name}*.py")
        return tuple(sorted(str(path.relative_to(self.root)) for path in found))

    @property
    def source(self) -> str:
        return (self.root / "core" / f"{self.name}.py").read_text(encoding="utf-8")

    @property
    def inputs(self) -> str:
        """A digest of everything that can change what comes of its mutants."""
        shared = (path for pattern in WITH_ALL for path in self.root.glob(pattern))
        paths = (*(self.root / test for test in self.tests), *shared)
        digest = hashlib.sha256(sys.version.encode())
        for path in sorted(paths):
            digest.update(str(path.relative_to(self.root)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()
