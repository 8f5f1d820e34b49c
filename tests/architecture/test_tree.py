"""What the tree promises, apart from the import layers that the linter enforces."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "simulator", "chaos", "scenarios", "loadtests", "dtms_lab")
REFUSED_NAMES = {"utils", "helpers", "manager", "base", "common", "misc"}
SOURCES = [
    path for package in (*PACKAGES, "dtms_lab") for path in sorted((ROOT / package).rglob("*.py"))
]


@pytest.mark.parametrize(
    "name",
    [*PACKAGES, "dtms_lab", "docs", "examples", "tests", "pyproject.toml", "README.md",
     "ARCHITECTURE.md", "CHANGELOG.md", "Makefile", ".ci/run", ".github/workflows",
     "requirements.lock", ".ci/engine", "Dockerfile", "compose.yaml"],
)  # fmt: skip
def test_the_top_level_is_complete(name) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_says_how_to_add_to_it(package) -> None:
    assert (ROOT / package / "README.md").stat().st_size > 200


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_opens_with_what_it_is(path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem not in REFUSED_NAMES


def test_the_lock_names_no_index_and_pins_everything() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in line for line in pins)
    assert not any("://" in line for line in lines)
