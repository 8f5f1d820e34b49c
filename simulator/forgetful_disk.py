"""A disk that forgets: what was written and not synced may be gone after a power loss.

The disk keeps the history of all that was done to it. What a crash leaves is a function of a
prefix of that history, so that one run can be cut at every one of its points. A killed process
leaves all that was written; a power loss leaves what was synced, and of the rest what a keyed draw
in [0, 1) says, where 0 loses nothing. A failed sync makes nothing durable, then or later: as on
Linux, the next sync that succeeds does not bring back what the failed one dropped.

It knows no SQLite, and no two threads may use it at the same time. It does not tell: rotten bytes,
sectors of which a half was written, or a disk that lies about a sync.
"""

from __future__ import annotations

import errno
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

SECTOR_BYTES = 512
PAGE_BYTES = 4096

Draw = Callable[[str], float]


class Act(StrEnum):
    """What may be asked of a disk, and may fail."""

    READ = "read"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    CREATE = "create"
    DELETE = "delete"


Trouble = Callable[[Act, int], int]
"""The errno with which the nth try (from 1) of an act fails; 0 is none."""


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes of a file, at an offset; a hole before them is zeros."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncated:
    """The file was cut to this size."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """What was written to the file is durable; its name is not, until the folder is synced."""

    file: int


@dataclass(frozen=True, slots=True)
class SyncFailed:
    """What was written since the last sync stays readable, and no later sync saves it."""

    file: int


@dataclass(frozen=True, slots=True)
class Linked:
    """The name stands for the file."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Unlinked:
    """The name is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class FolderSynced:
    """All names are as durable as they are now."""


Change = Written | Truncated
Naming = Linked | Unlinked
Operation = Change | Naming | Synced | SyncFailed | FolderSynced


@dataclass(frozen=True, slots=True)
class Loss:
    """How unsynced operations survive: without `granule_bytes`, of each file (and of the names) the
    first so many; with it, each piece of that size by itself, in any order. `torn`: of the first
    write that is lost, its first sectors may survive."""

    granule_bytes: int | None = None
    torn: bool = False


IN_ORDER = Loss()


@dataclass(slots=True)
class ForgetfulDisk:
    """Starts with `files`, all durable."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    trouble: Trouble = lambda _act, _nth: 0
    room_bytes: int | None = None
    """The size of all files together that cannot be exceeded."""
    power_until: int | None = None
    """At how many operations the power goes; from then on nothing is answered."""
    history: list[Operation] = field(default_factory=list)
    tried: Counter[Act] = field(default_factory=Counter)
    _names: dict[str, int] = field(init=False)
    _contents: dict[int, bytearray] = field(init=False)

    def __post_init__(self) -> None:
        self._names = {name: file for file, name in enumerate(self.files)}
        self._contents = {file: bytearray(self.files[name]) for name, file in self._names.items()}

    def after_kill(self, at: int | None = None) -> ForgetfulDisk:
        """What the first `at` operations left where the process was killed, and not the machine."""
        return ForgetfulDisk(_replayed(self.files, self.history[:at], _everything))

    def after_power_loss(
        self, draw: Draw, loss: Loss = IN_ORDER, at: int | None = None
    ) -> ForgetfulDisk:
        """What the first `at` operations left where the power was lost then."""
        history = self.history[:at]
        return ForgetfulDisk(_replayed(self.files, history, _Survival(history, draw, loss).pieces))

    def find(self, name: str) -> int | None:
        """The file of that name."""
        return self._names.get(name)

    def size(self, file: int) -> int:
        return len(self._contents[file])

    def create(self, name: str) -> int:
        """A new, empty file. Every method from here on raises `OSError` where the disk fails."""
        self._try(Act.CREATE)
        file = len(self._contents)
        self._contents[file] = bytearray()
        self._names[name] = file
        self.history.append(Linked(name, file))
        return file

    def delete(self, name: str) -> None:
        """Removes a name that is there; who has the file open keeps it."""
        self._try(Act.DELETE)
        del self._names[name]
        self.history.append(Unlinked(name))

    def read(self, file: int, offset: int, size: int) -> bytes:
        """All that was written, synced or not; less than `size` at the end of the file."""
        self._try(Act.READ)
        return bytes(self._contents[file][offset : offset + size])

    def write(self, file: int, offset: int, data: bytes) -> None:
        """Where it fails, the first half of the sectors is written, as may happen."""
        try:
            self._try(Act.WRITE)
            self._refuse_beyond_room(max(0, offset + len(data) - self.size(file)))
        except OSError:
            half = data[: len(data) // 2 // SECTOR_BYTES * SECTOR_BYTES]
            if half and not self._dark:
                self._change(Written(file, offset, half))
            raise
        self._change(Written(file, offset, data))

    def truncate(self, file: int, size: int) -> None:
        self._try(Act.TRUNCATE)
        self._change(Truncated(file, size))

    def sync(self, file: int) -> None:
        """Returns when what was written to the file is durable."""
        try:
            self._try(Act.SYNC)
        except OSError:
            if not self._dark:
                self.history.append(SyncFailed(file))
            raise
        self.history.append(Synced(file))

    def sync_folder(self) -> None:
        """Returns when all names are durable."""
        self._try(Act.SYNC)
        self.history.append(FolderSynced())

    @property
    def _dark(self) -> bool:
        return self.power_until is not None and len(self.history) >= self.power_until

    def _try(self, act: Act) -> None:
        self.tried[act] += 1
        code = errno.EIO if self._dark else self.trouble(act, self.tried[act])
        if code:
            raise OSError(code, os.strerror(code))

    def _refuse_beyond_room(self, more_bytes: int) -> None:
        used = sum(len(self._contents[file]) for file in self._names.values())
        if self.room_bytes is not None and more_bytes and used + more_bytes > self.room_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _change(self, change: Change) -> None:
        _apply(change, self._contents[change.file])
        self.history.append(change)


Pieces = Callable[[int, Change | Naming], Sequence[Change | Naming]]
"""What survives of the operation at this place of the history."""


def _everything(_place: int, operation: Change | Naming) -> Sequence[Change | Naming]:
    return (operation,)


def _replayed(
    files: Mapping[str, bytes], history: Sequence[Operation], pieces: Pieces
) -> dict[str, bytes]:
    names = {name: file for file, name in enumerate(files)}
    contents = defaultdict(bytearray, {names[name]: bytearray(files[name]) for name in files})
    for place, operation in enumerate(history):
        if isinstance(operation, Synced | SyncFailed | FolderSynced):
            continue
        for piece in pieces(place, operation):
            match piece:
                case Linked(name, file):
                    names[name] = file
                case Unlinked(name):
                    names.pop(name, None)
                case _:
                    _apply(piece, contents[piece.file])
    return {name: bytes(contents[file]) for name, file in names.items()}


def _apply(change: Change, content: bytearray) -> None:
    if isinstance(change, Truncated):
        del content[change.size :]
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


class _Survival:
    """Which operations of a history are durable, and what the draw leaves of the others."""

    def __init__(self, history: Sequence[Operation], draw: Draw, loss: Loss) -> None:
        self._draw, self._loss, self._at = draw, loss, len(history)
        unsynced = _unsynced(history)
        self._unsynced = {place for places in unsynced.values() for place in places}
        self._lost: set[int] = set()
        self._first_lost: set[int] = set()
        for about, places in unsynced.items():
            gone = int(draw(f"{self._at}/{about}/gone") * (len(places) + 1))
            lost = places[len(places) - min(gone, len(places)) :]
            self._lost.update(lost)
            self._first_lost.update(lost[:1])

    def pieces(self, place: int, operation: Change | Naming) -> Sequence[Change | Naming]:
        if place not in self._unsynced:
            return (operation,)
        if self._loss.granule_bytes is not None:
            pieces = _split(operation, self._loss.granule_bytes)
            return [p for n, p in enumerate(pieces) if self._draw(f"{self._at}/{place}/{n}") < 0.5]
        if place not in self._lost:
            return (operation,)
        if self._loss.torn and place in self._first_lost and isinstance(operation, Written):
            sectors = list(_split(operation, SECTOR_BYTES))
            return sectors[: int(self._draw(f"{self._at}/{place}/torn") * len(sectors))]
        return ()


def _unsynced(history: Sequence[Operation]) -> dict[str, list[int]]:
    """The places of the operations that are not durable, of each file and of the names; by
    themselves those that a failed sync dropped."""
    dirty: dict[str, list[int]] = defaultdict(list)
    for place, operation in enumerate(history):
        match operation:
            case Written(file) | Truncated(file):
                dirty[f"file-{file}"].append(place)
            case Linked() | Unlinked():
                dirty["names"].append(place)
            case Synced(file):
                dirty.pop(f"file-{file}", None)
            case SyncFailed(file):
                dirty[f"dropped-{file}"] += dirty.pop(f"file-{file}", [])
            case _:  # the folder was synced
                dirty.pop("names", None)
    return dirty


def _split(operation: Change | Naming, granule_bytes: int) -> Iterator[Change | Naming]:
    """A write in pieces that end where the granules of the file end; the rest as it is."""
    if not isinstance(operation, Written):
        yield operation
        return
    begin, end = operation.offset, operation.offset + len(operation.data)
    while begin < end:
        until = min(end, (begin // granule_bytes + 1) * granule_bytes)
        data = operation.data[begin - operation.offset : until - operation.offset]
        yield Written(operation.file, begin, data)
        begin = until
