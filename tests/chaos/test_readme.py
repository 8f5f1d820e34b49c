"""The README's example of a new fault works as it stands."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import chaos.faults
from chaos import capabilities
from chaos.choice import benign
from chaos.dice import Dice
from chaos.families import FAMILIES, of_requests
from chaos.proxy import FaultProxy

CAPABILITIES = [
    name
    for name, value in vars(capabilities).items()
    if getattr(value, "_is_protocol", False) and value.__module__ == capabilities.__name__
]
README = (Path(chaos.faults.__file__).parent.parent / "README.md").read_text()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    module = ModuleType("readme_example")
    monkeypatch.setitem(sys.modules, "readme_example", module)
    exec("\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL)), module.__dict__)
    return module.__dict__


async def test_the_example_does_what_it_says(
    example: dict[str, Any], proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    server.answer = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 2\r\n\r\n{}"
    await example["Whitewash"]("*->dtms").inflict(proxy)
    assert (await bot.enable()).status_code == 200
    assert (memory.outcomes[0].server.status, memory.outcomes[0].fault) == (422, "whitewash")


def test_the_example_refuses_what_makes_no_sense(example: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="200 to 599, not 42"):
        example["Whitewash"]("*->dtms", status=42)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_named_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", CAPABILITIES)
def test_every_capability_is_named_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


def test_the_example_can_be_made_a_family(example: dict[str, Any]) -> None:
    (line,) = re.findall(r"```\n\"whitewash\": (.*?),\n```", README)
    family = eval(line, {**vars(of_requests), **example})
    scheduled = family.make("*->dtms", Dice(benign, "swarm whitewash 0", 1.0))
    assert isinstance(scheduled.fault, example["Whitewash"])


@pytest.mark.parametrize("name", chaos.faults.__all__)
def test_every_fault_is_named_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README
