"""A disk that keeps what was synced, and of the rest what a draw leaves when the power fails.

Files hold records, whatever objects their owner writes; a record is written whole, or torn. The
disk outlives the process that uses it. Not modelled: bit rot in single records, directories, space
by the byte, and writes that reach the platter out of order.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Final

RECORDS_MAX = 100_000
"""How many records a file holds."""
FILES_MAX = 1_000
"""How many files a disk holds, those set aside included."""
TORN_FROM = 0.5
"""From which draw on the first record that is lost leaves a torn one behind."""


class Corrupt(Exception):
    """The file cannot be read."""


class Torn:
    """What is left of a record of which only a part was written."""

    def __repr__(self) -> str:
        return "TORN"


TORN: Final = Torn()


class Disk:
    """Files by name.

    `draw` gives a number from 0 up to 1 for a key, 0 being benign. `reached` hears "write" and
    "written" around each append, "sync" and "synced" around each sync; the process may be killed
    in it. Once it is no longer `alive`, nothing that it still does has an effect.

    `full`, `fails` and `read_only` make operations raise `OSError`; `slow_s` is added to a sync.
    """

    def __init__(
        self,
        name: str,
        *,
        sync_s: float = 0.0005,
        draw: Callable[[str], float],
        reached: Callable[[str], None],
        alive: Callable[[], bool],
    ) -> None:
        self.name = name
        self.sync_s = sync_s
        self.full = False
        self.fails = False
        self.read_only = False
        self.slow_s = 0.0
        self.draw = draw
        self.reached = reached
        self.alive = alive
        self._files: dict[str, File] = {}
        self._power_losses = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Every file there is, in the order of its making."""
        return tuple(self._files)

    def file(self, name: str) -> File:
        """The file, the same one every time; an empty one where there was none.

        Raises `OSError` where the disk holds FILES_MAX files.
        """
        file = self._files.get(name)
        if file is None:
            if len(self._files) >= FILES_MAX:
                raise _error(errno.ENOSPC)
            file = self._files[name] = File(self, name)
        return file

    def move(self, name: str, to: str) -> None:
        """Gives the file another name; under the old one there is an empty file from now on.

        Durable at once. Raises `OSError` where there is no such file, or one of that name.
        """
        if name not in self._files:
            raise _error(errno.ENOENT)
        if to in self._files:
            raise _error(errno.EEXIST)
        file = self._files.pop(name)
        file.name = to
        self._files[to] = file

    def lose_power(self) -> None:
        """Of each file, keeps what was synced, and of the rest a prefix that a draw decides."""
        n, self._power_losses = self._power_losses, self._power_losses + 1
        for file in self._files.values():
            file.lose_power(n)

    def corrupt(self, name: str | None = None) -> None:
        """The file cannot be read from now on; without a name, none that there is can."""
        for file in [self.file(name)] if name is not None else self._files.values():
            file.corrupt = True

    def wipe(self) -> None:
        """Every file is gone. Who has one open still writes to it, and nobody will read that."""
        self._files.clear()


class File:
    """Records in order. Of `records`, the first `synced` outlive a loss of power."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.name = name
        self.records: list[object] = []
        self.synced = 0
        self.corrupt = False
        self._disk = disk
        self._epoch = 0

    def append(self, record: object) -> None:
        """Writes a record after the last; durable only once synced.

        Raises `OSError`, and then nothing was written.
        """
        disk = self._disk
        if not disk.alive():
            return
        disk.reached("write")
        if not disk.alive():
            return
        if disk.fails:
            raise _error(errno.EIO)
        if disk.read_only:
            raise _error(errno.EROFS)
        if disk.full:
            raise _error(errno.ENOSPC)
        if len(self.records) >= RECORDS_MAX:
            raise _error(errno.EFBIG)
        self.records.append(record)
        disk.reached("written")

    async def sync(self) -> None:
        """Makes durable what was written before it began. Never returns to a dead process.

        Raises `OSError`; what it was to make durable is then as unsynced as before.
        """
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(error: OSError | None) -> None:
            if not ended.done():
                if error is None:
                    ended.set_result(None)
                else:
                    ended.set_exception(error)

        self.sync_then(end)
        await ended

    def sync_then(self, done: Callable[[OSError | None], None]) -> None:
        """What `sync` does, without a task: `done` is called at its end, with the error if any."""
        disk = self._disk
        if disk.alive():
            disk.reached("sync")
        after_s = disk.sync_s + disk.slow_s
        loop = asyncio.get_running_loop()
        loop.call_later(after_s, self._end_sync, len(self.records), self._epoch, done)

    def _end_sync(self, written: int, epoch: int, done: Callable[[OSError | None], None]) -> None:
        disk = self._disk
        if not disk.alive():
            return
        if disk.fails or epoch != self._epoch:
            done(_error(errno.EIO))
            return
        self.synced = max(self.synced, min(written, len(self.records)))
        disk.reached("synced")
        done(None)

    def cut(self, length: int) -> None:
        """Forgets the records from `length` on, of those that are not synced.

        Nothing reaches the disk for that, so it works on one that fails.
        """
        if self._disk.alive():
            del self.records[max(length, self.synced) :]

    def read(self) -> tuple[object, ...]:
        """Every record up to a torn one, which is dropped with all that follows it.

        Raises `Corrupt`.
        """
        if self.corrupt:
            raise Corrupt(f"{self.name} on {self._disk.name} is corrupt")
        for index, record in enumerate(self.records):
            if record is TORN:
                del self.records[index:]
                self.synced = min(self.synced, index)
                break
        return tuple(self.records)

    def lose_power(self, n: int) -> None:
        """As `Disk.lose_power`, the `n`-th of the disk. Whatever is left is durable."""
        self._epoch += 1
        unsynced = len(self.records) - self.synced
        if unsynced:
            about = f"{self._disk.name} {self.name} {n}"
            lost = min(unsynced, int(self._disk.draw(f"power {about}") * (unsynced + 1)))
            if lost:
                del self.records[-lost:]
                if self._disk.draw(f"torn {about}") >= TORN_FROM:
                    self.records.append(TORN)
        self.synced = len(self.records)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
