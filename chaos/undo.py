"""Taking back what was inflicted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chaos.capabilities import Undo


def once(take_back: Callable[[], Awaitable[None]]) -> Undo:
    """An undo that does nothing once it has taken back; interrupted or failed, it tries again."""
    done = False

    async def undo() -> None:
        nonlocal done
        if not done:
            await take_back()
            done = True

    return undo


async def nothing() -> None:
    """The undo of what cannot be taken back, or ends by itself."""
