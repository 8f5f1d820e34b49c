"""The README's example of a new fault works as it stands."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import chaos.faults
from chaos.proxy import FaultProxy

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


@pytest.mark.parametrize("name", chaos.faults.__all__)
def test_every_fault_is_named_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README
