"""Faults by their names, in force until they are healed."""

from __future__ import annotations

import asyncio

from dtms_lab.stand import Stand

__tracebackhide__ = True


class Fault:
    """A fault in force. Leaving `with` heals it; in coroutines, `async with` does."""

    def __init__(self, stand: Stand, number: int, name: str) -> None:
        self._stand = stand
        self._number = number
        self._name = name

    def __repr__(self) -> str:
        return f"<fault {self._name}>"

    def heal(self) -> None:
        """Undoes it; healing again does nothing."""
        self._stand.ask("heal", fault=self._number)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.heal()

    async def __aenter__(self) -> Fault:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await asyncio.to_thread(self.heal)


class Faults:
    """Inflicts faults on this test's server and on the way to it."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand

    def __call__(
        self,
        name: str,
        /,
        *,
        for_s: float | None = None,
        after_request: int | None = None,
        **values: object,
    ) -> Fault:
        """In force when this returns: `dtms_faults("DropAnswer", op="enable", attempt=0)`.

        It stays until `heal`, until its `with` is left, or for `for_s` seconds. With
        `after_request` it comes into force once the server was sent that many registrations,
        counted from 1 and from the beginning of the test. Raises `LabRefused` for a name, or a
        value, that there is not, and lists what there is."""
        number: int = self._stand.ask(
            "inflict", name=name, values=values, for_s=for_s, after=after_request
        )
        return Fault(self._stand, number, name)

    def heal(self) -> None:
        """Undoes every fault in force, the latest first."""
        self._stand.ask("heal", fault=None)
