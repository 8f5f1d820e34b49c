"""SQLite on a forgetful disk: a virtual file system, and connections that look like sqlite3's.

Needs `apsw`, whose SQLite is its own: it is not the one that sqlite3 is linked to. The files are in
memory; folders, and the moving of a corrupt file, remain with the real file system.
"""

from __future__ import annotations

import errno
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import apsw

from simulator.forgetful_disk import ForgetfulDisk

CHECKPOINT_PAGES = 1000
"""SQLite's own default: at how many pages the write-ahead log is put into the database."""

_UNREADABLE = f"Page 1: unable to get the page. error code={apsw.SQLITE_IOERR_READ}"
_numbers = itertools.count(1)
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL


@dataclass
class SqliteOn:
    """Connects to databases on `disk`, called as `sqlite3.connect` is.

    `first` is said on each connection before anything else. `instead` replaces statements, so that
    a test can ask for less care than the code under test does.
    """

    disk: ForgetfulDisk
    first: Sequence[str] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    checkpoint_pages: int = CHECKPOINT_PAGES

    def __post_init__(self) -> None:
        self._vfs = _DiskVfs(f"forgetful-{next(_numbers)}", self.disk)

    def __call__(
        self,
        path: Path,
        *,
        timeout: float,
        isolation_level: None,  # noqa: ARG002 - apsw begins no transaction by itself
        check_same_thread: bool,  # noqa: ARG002 - and lets any thread use a connection
    ) -> sqlite3.Connection:
        with _errors_of_sqlite3():
            database = apsw.Connection(str(path), vfs=self._vfs.name)
            database.set_busy_timeout(int(timeout * 1000))
            database.set_wal_hook(self._committed)
        connection = _Connection(database, self._vfs, self.instead)
        try:
            for statement in self.first:
                connection.execute(statement)
        except sqlite3.Error:
            connection.close()
            raise
        return cast(sqlite3.Connection, connection)

    def _committed(self, database: apsw.Connection, name: str, pages: int) -> int:
        """SQLite's own hook, by hand: it ignores a checkpoint that fails, where apsw would raise
        the disk's error out of a commit that has succeeded."""
        if pages >= self.checkpoint_pages:
            with suppress(apsw.Error):
                database.wal_checkpoint(name)
        return apsw.SQLITE_OK


class _Connection:
    """The part of `sqlite3.Connection` that the outbox and the store use."""

    def __init__(
        self, database: apsw.Connection, vfs: apsw.VFS, instead: Mapping[str, str]
    ) -> None:
        self._database = database
        self._vfs = vfs  # lives as long as the connection
        self._instead = instead

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> _Rows:
        with _errors_of_sqlite3():
            try:
                cursor = self._database.execute(self._instead.get(sql, sql), parameters)
                return _Rows(iter(cursor.fetchall()))
            except apsw.IOError:
                if not sql.startswith("PRAGMA quick_check"):
                    raise
                # SQLite does not fail then: it tells it as if it were damage. apsw lets the error
                # of the disk through.
                return _Rows(iter([(_UNREADABLE,)]))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> _Rows:
        with _errors_of_sqlite3():
            return _Rows(iter(self._database.executemany(sql, parameters).fetchall()))

    @property
    def in_transaction(self) -> bool:
        return self._database.in_transaction

    def close(self) -> None:
        """Like `sqlite3`, says nothing of a last checkpoint that failed: the log has it all."""
        try:
            self._database.close()
        except apsw.Error:
            self._database.close(force=True)


@dataclass
class _Rows:
    """All rows, read at once."""

    rows: Iterator[Any]

    def fetchone(self) -> Any:
        return next(self.rows, None)

    def fetchall(self) -> list[Any]:
        return list(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return self.rows


_DATABASE_ERRORS = (apsw.CorruptError, apsw.NotADBError)


@contextmanager
def _errors_of_sqlite3() -> Iterator[None]:
    try:
        yield
    except _DATABASE_ERRORS as error:
        raise sqlite3.DatabaseError(str(error)) from error
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error


@contextmanager
def _errors_of_apsw(kind: int) -> Iterator[None]:
    """The disk's errors as SQLite's, in the words that sqlite3 has for them."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise apsw.FullError("database or disk is full") from error
        told = apsw.exception_for(kind)
        told.args = ("disk I/O error",)
        raise told from error


class _DiskVfs(apsw.VFS):
    """Opens and deletes files as SQLite's own VFS for Unix does; locks are between its files."""

    def __init__(self, name: str, disk: ForgetfulDisk) -> None:
        super().__init__(name, "")
        self.name = name
        self.disk = disk
        self.locks: dict[int, dict[_DiskFile, int]] = {}

    def xFullPathname(self, name: str) -> str:  # noqa: N802 - SQLite's names
        return name

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802, ARG002
        return self.disk.find(pathname) is not None

    def xOpen(  # noqa: N802
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        if name is None:
            raise apsw.CantOpenError("no temporary files here")
        named = name if isinstance(name, str) else name.filename()
        file, created = self.disk.find(named), False
        if file is None:
            with _errors_of_apsw(apsw.SQLITE_IOERR):
                file, created = self.disk.create(named), True
        flags[1] = flags[0]
        opened = _DiskFile(self, file, nameless=created and bool(flags[0] & _JOURNALS))
        return cast(apsw.VFSFile, opened)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        with _errors_of_apsw(apsw.SQLITE_IOERR_DELETE):
            self.disk.delete(filename)
            if syncdir:
                self.disk.sync_folder()


_OTHERS_MAY_HOLD = {
    apsw.SQLITE_LOCK_SHARED: apsw.SQLITE_LOCK_RESERVED,
    apsw.SQLITE_LOCK_RESERVED: apsw.SQLITE_LOCK_SHARED,
    apsw.SQLITE_LOCK_EXCLUSIVE: apsw.SQLITE_LOCK_NONE,
}


class _DiskFile:
    """One open file. Has no shared memory: WAL needs `locking_mode=EXCLUSIVE`."""

    def __init__(self, vfs: _DiskVfs, file: int, *, nameless: bool) -> None:
        self._disk = vfs.disk
        self._file = file
        self._locks = vfs.locks.setdefault(file, {})
        # As in SQLite's VFS for Unix: the first sync of a new journal syncs the folder too.
        self._nameless = nameless

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        with _errors_of_apsw(apsw.SQLITE_IOERR_READ):
            return self._disk.read(self._file, offset, amount)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with _errors_of_apsw(apsw.SQLITE_IOERR_WRITE):
            self._disk.write(self._file, offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        with _errors_of_apsw(apsw.SQLITE_IOERR_TRUNCATE):
            self._disk.truncate(self._file, size)

    def xSync(self, _flags: int) -> None:  # noqa: N802
        with _errors_of_apsw(apsw.SQLITE_IOERR_FSYNC):
            self._disk.sync(self._file)
            if self._nameless:
                self._disk.sync_folder()
                self._nameless = False

    def xFileSize(self) -> int:  # noqa: N802
        return self._disk.size(self._file)

    def xLock(self, level: int) -> None:  # noqa: N802
        others = max((held for file, held in self._locks.items() if file is not self), default=0)
        if others > _OTHERS_MAY_HOLD[level]:
            raise apsw.BusyError("database is locked")
        self._locks[self] = level

    def xUnlock(self, level: int) -> None:  # noqa: N802
        self._locks[self] = level

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return any(held >= apsw.SQLITE_LOCK_RESERVED for held in self._locks.values())

    def xFileControl(self, _operation: int, _pointer: int) -> bool:  # noqa: N802
        return False

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        # What SQLite takes for granted on Unix too: a write disturbs no byte beside it.
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xClose(self) -> None:  # noqa: N802
        self._locks.pop(self, None)
