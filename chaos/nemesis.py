"""The nemesis: whoever inflicts scheduled faults on a world, and takes all of them back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chaos.capabilities import Requests, Undo
from chaos.choice import Draw
from chaos.fault import Fault, describe, name_of
from chaos.schedule import AfterRequest, Scheduled, Timed

OFFSET_S_MAX = 0.02
"""How long after the request an `after_request` fault may come."""
UNDO_S_MAX = 30.0
"""How long inflicting or undoing one fault may take once everything is to heal."""

Record = Callable[[str, Mapping[str, object]], None]
"""Told ("inflict" | "undo", the fault described)."""


class NotOffered(Exception):
    """The world cannot suffer a fault; the message says which and why, in words."""


@dataclass(eq=False, slots=True)
class Inflicted:
    """A fault in force."""

    fault: Fault
    undo: Undo


class Nemesis:
    """Runs a schedule against what a world offers, from `run` to `heal`.

    `record` is told of each fault before it is inflicted and after it was undone, so that what was
    recorded contains what was true.
    """

    def __init__(
        self,
        schedule: Sequence[Scheduled],
        capabilities: Mapping[type, object],
        *,
        world: str,
        draw: Draw,
        record: Record,
    ) -> None:
        self._schedule = tuple(schedule)
        self._capabilities = capabilities
        self._world = world
        self._draw = draw
        self._record = record
        self._in_force: list[Inflicted] = []

    def refuse_what_is_not_offered(self) -> None:
        """Raises `NotOffered` naming every fault that needs what the world does not offer."""
        sentences: dict[str, None] = {}
        for scheduled in self._schedule:
            fault = scheduled.fault
            if fault.needs not in self._capabilities:
                sentences[f"{type(fault).__name__} needs {fault.needs.__name__}."] = None
            if isinstance(scheduled, AfterRequest) and Requests not in self._capabilities:
                sentences[f"{type(fault).__name__} after a request needs Requests."] = None
        if sentences:
            offered = ", ".join(sorted(kind.__name__ for kind in self._capabilities)) or "nothing"
            raise NotOffered(f'{" ".join(sentences)} World "{self._world}" offers {offered}.')

    async def run(self) -> None:
        """Inflicts and undoes as scheduled; returns when nothing more is scheduled.

        Faults without an end stay in force until `heal`. Whatever ends this early, an error in one
        fault or cancellation, ends all of it and heals.
        """
        self.refuse_what_is_not_offered()
        began_s = asyncio.get_running_loop().time()
        tasks = [
            asyncio.ensure_future(self._follow(number, scheduled, began_s))
            for number, scheduled in enumerate(self._schedule)
        ]
        try:
            await asyncio.gather(*tasks)
        except BaseException as reason:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self.heal()
            failed = [error for error in ended if isinstance(error, Exception)]
            if failed and isinstance(reason, asyncio.CancelledError):
                raise failed[0] from reason
            raise

    async def heal(self) -> None:
        """Undoes every fault in force, the latest first. All are tried; what failed is raised as
        one `ExceptionGroup`. Calling it again does nothing."""
        errors: list[Exception] = []
        while self._in_force:
            inflicted = self._in_force[-1]
            try:
                async with asyncio.timeout(UNDO_S_MAX):
                    await self._undo(inflicted)
            except Exception as error:  # noqa: BLE001 - the others are to be undone all the same
                self._forget(inflicted)
                errors.append(error)
        if errors:
            raise ExceptionGroup(f"{len(errors)} faults could not be undone", errors)

    async def _follow(self, number: int, scheduled: Scheduled, began_s: float) -> None:
        match scheduled:
            case Timed(fault, windows):
                for window in windows:
                    await _until(began_s + window.start_s)
                    end_s = None if window.end_s is None else began_s + window.end_s
                    await self._keep_in_force(fault, end_s)
            case AfterRequest(fault, n, for_s, op):
                requests = self._capabilities[Requests]
                await requests.until_seen(n, op)  # type: ignore[attr-defined]
                key = f"offset of {name_of(fault)} {number} after {op} {n}"
                now_s = asyncio.get_running_loop().time()
                start_s = now_s + OFFSET_S_MAX * self._draw(key)
                await _until(start_s)
                await self._keep_in_force(fault, None if for_s is None else start_s + for_s)

    async def _keep_in_force(self, fault: Fault, end_s: float | None) -> None:
        inflicted = await self._inflict(fault)
        if end_s is not None:
            await _until(end_s)
            await self._undo(inflicted)

    async def _inflict(self, fault: Fault) -> Inflicted:
        """Inflicts; if cancelled meanwhile, first finishes, so that it is known how to undo."""
        self._record("inflict", describe(fault))
        inflicting = asyncio.ensure_future(fault.inflict(self._capabilities[fault.needs]))
        try:
            undo = await asyncio.shield(inflicting)
        except asyncio.CancelledError:
            await asyncio.wait([inflicting], timeout=UNDO_S_MAX)
            if inflicting.done():
                self._in_force.append(Inflicted(fault, inflicting.result()))
            else:
                inflicting.cancel()
            raise
        inflicted = Inflicted(fault, undo)
        self._in_force.append(inflicted)
        return inflicted

    async def _undo(self, inflicted: Inflicted) -> None:
        """Undoes, once, whoever comes first; interrupted or failed, it is tried at healing."""
        await inflicted.undo()
        if self._forget(inflicted):
            self._record("undo", describe(inflicted.fault))

    def _forget(self, inflicted: Inflicted) -> bool:
        if inflicted in self._in_force:
            self._in_force.remove(inflicted)
            return True
        return False


async def _until(moment_s: float) -> None:
    """Sleeps until the loop's clock shows `moment_s`."""
    await asyncio.sleep(max(0.0, moment_s - asyncio.get_running_loop().time()))
