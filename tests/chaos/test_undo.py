"""Undoing is idempotent, and is not given up when it fails."""

from __future__ import annotations

import pytest

from chaos.undo import nothing, once


async def test_what_is_undone_twice_is_taken_back_once() -> None:
    taken_back: list[str] = []

    async def take_back() -> None:
        taken_back.append("once")

    undo = once(take_back)
    await undo()
    await undo()
    assert taken_back == ["once"]


async def test_an_undo_that_failed_can_be_tried_again() -> None:
    outcomes = [OSError("not yet"), None]

    async def take_back() -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    undo = once(take_back)
    with pytest.raises(OSError, match="not yet"):
        await undo()
    await undo()
    assert outcomes == []


async def test_there_may_be_nothing_to_undo() -> None:
    await nothing()
