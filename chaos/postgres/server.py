"""A PostgreSQL server of the lab's own: started, killed with all its processes, started again.

Runs on a loopback port, in a folder of its own, with a password that nobody else knows, and as
another user where the lab is root, since PostgreSQL refuses to be. It dies with the lab.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

from chaos.postgres.programs import REMEDY, find_programs

FIRST_PORT, LAST_PORT = 32_100, 32_700
"""Below the range that the kernel gives to outgoing connections, so that none of them can sit on
the port while the server is down."""
PORTS_TRIED_MAX = 50
INIT_S_MAX = 60.0
START_S_MAX = 30.0
"""Crash recovery included."""
STOP_S_MAX = 20.0
KILL_S_MAX = 10.0
POLL_S = 0.01
CONNECT_S_MAX = 2
TAIL_BYTES = 2_000
USER, DATABASE = "dtms", "postgres"
PR_SET_PDEATHSIG = 1


class PostgresRefused(RuntimeError):
    """One sentence: why there is no server here, and what would help."""


@dataclass(frozen=True, slots=True)
class GivenPostgres:
    """A server that somebody else runs: never started, stopped or killed."""

    url: str = field(repr=False)

    def kill(self) -> None:
        raise PostgresRefused(_NOT_OURS)

    def freeze(self) -> None:
        raise PostgresRefused(_NOT_OURS)

    def thaw(self) -> None:
        raise PostgresRefused(_NOT_OURS)

    def launch(self) -> None:
        raise PostgresRefused(_NOT_OURS)

    def wait_until_ready(self) -> None:
        """Returns when it has answered a query. Raises `PostgresRefused`."""
        words = wait_for_answer(self.url, lambda: False)
        if words:
            raise PostgresRefused(f"PostgreSQL does not answer: {words}")


_NOT_OURS = "The server was given by its URL: the lab starts, stops and kills only its own."


class PostgresServer:
    """`with PostgresServer() as server: ... server.url`. Blocks while it starts and stops.

    `folder` is where its data are; without one it has a temporary folder, removed by `close`.
    `template` is the folder of a server that does not run: a copy of it is made sooner than a new
    cluster.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        template: Path | None = None,
        connections_max: int = 60,
    ) -> None:
        """Raises `PostgresRefused` where it cannot be had, saying how to get it."""
        programs = find_programs()
        if programs is None:
            raise PostgresRefused(f"No PostgreSQL is installed: {REMEDY}.")
        self._programs = programs
        self._connections_max = connections_max
        self._runs_as = _other_user() if os.geteuid() == 0 else None
        self._removed = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="dtms-postgres-")) if folder is None else folder
        self._data = self.folder / "data"
        self._log = self.folder / "postgres.log"
        self._popen: subprocess.Popen[bytes] | None = None
        try:
            if template is not None:
                self._copy(template)
            self._password = self._make_cluster()
            self.port = _free_port(Random(os.urandom(8)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it is, with the password."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Starts it on its data and waits until it answers a query; nothing happens where it runs.

        Raises `PostgresRefused` with its last words where it does not come up in START_S_MAX.
        """
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Starts the process; it dies with the calling thread. `wait_until_ready` follows."""
        if self.running:
            return
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    *("-D", str(self._data), "-p", str(self.port)),
                    *_set("listen_addresses", "127.0.0.1"),
                    *_set("unix_socket_directories", ""),
                    *_set("max_connections", str(self._connections_max)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self._runs_as,
                group=None if self._runs_as is None else pwd.getpwnam(self._runs_as).pw_gid,
                extra_groups=None if self._runs_as is None else (),
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def wait_until_ready(self) -> None:
        """Returns when it has answered a query. Raises `PostgresRefused`."""
        words = wait_for_answer(self.url, lambda: not self.running)
        if words:
            said = self._last_words() or words
            raise PostgresRefused(f"PostgreSQL does not come up: {said}")

    def kill(self) -> None:
        """kill -9 of the server and every process of it, and waits until all are gone: one that
        lived on would keep the shared memory, and the next start would be refused."""
        popen = self._popen
        if popen is None or popen.poll() is not None:
            return
        # Stopped first, so that it starts no other while its processes are counted.
        _signal((popen.pid,), signal.SIGSTOP)
        children = _children(popen.pid)
        _signal((popen.pid, *children), signal.SIGKILL)
        popen.wait(KILL_S_MAX)
        self._wait_for_end_of(children)

    def freeze(self) -> None:
        """SIGSTOP to every process of it: connections stay open and nothing is answered."""
        if self._popen is not None and self.running:
            _signal((self._popen.pid, *_children(self._popen.pid)), signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT; nothing happens where it was not frozen."""
        if self._popen is not None and self.running:
            _signal((self._popen.pid, *_children(self._popen.pid)), signal.SIGCONT)

    def stop(self) -> None:
        """Asks it to end (a fast shutdown: clients are cut off, all is written); killed where it
        takes longer than STOP_S_MAX."""
        popen = self._popen
        if popen is None or popen.poll() is not None:
            return
        popen.send_signal(signal.SIGINT)
        try:
            popen.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()

    def close(self) -> None:
        """Ends it, without ado; a temporary folder is removed. May be called twice."""
        self.kill()
        if self._removed:
            shutil.rmtree(self.folder, ignore_errors=True)

    def make_schema(self, name: str) -> str:
        """Makes an empty schema and returns the URL whose connections see nothing else: as good as
        a database, and a thousand files cheaper."""
        import psycopg
        from psycopg import sql

        with closing(psycopg.connect(self.url, autocommit=True)) as asked:
            asked.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        return f"{self.url}?options=-csearch_path%3D{name}"

    def _make_cluster(self) -> str:
        """The data folder, made where there is none yet; the superuser's password."""
        password_file = self.folder / "password"
        if (self._data / "PG_VERSION").exists():
            return password_file.read_text()
        self.folder.mkdir(parents=True, exist_ok=True)
        password = os.urandom(16).hex()
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if self._runs_as is not None:
            for path in (self.folder, password_file):
                shutil.chown(path, self._runs_as)
        try:
            self._initdb(password_file)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", b"") or str(error).encode()
            words = said[-TAIL_BYTES:].decode(errors="replace").strip()
            user = self._runs_as or "this user"
            raise PostgresRefused(
                f"initdb makes no cluster in {self.folder} as {user}: {words}"
            ) from error
        return password

    def _copy(self, template: Path) -> None:
        """Owner and rights of each file included."""
        for name in ("password", "data"):
            subprocess.run(
                ["cp", "-a", str(template / name), str(self.folder)], check=True, timeout=INIT_S_MAX
            )
        if self._runs_as is not None:
            shutil.chown(self.folder, self._runs_as)

    def _initdb(self, password_file: Path) -> None:
        subprocess.run(
            [
                str(self._programs / "initdb"),
                *("-D", str(self._data), "-U", USER, "--pwfile", str(password_file)),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            cwd=self.folder,
            timeout=INIT_S_MAX,
            user=self._runs_as,
            group=None if self._runs_as is None else pwd.getpwnam(self._runs_as).pw_gid,
            extra_groups=None if self._runs_as is None else (),
        )

    def _last_words(self) -> str:
        try:
            return self._log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""

    def _wait_for_end_of(self, processes: Sequence[int]) -> None:
        for _poll in range(int(KILL_S_MAX / POLL_S)):
            if not any(map(_is_alive, processes)):
                return
            time.sleep(POLL_S)
        raise PostgresRefused(f"Processes of PostgreSQL outlived kill -9: {processes}")


def wait_for_answer(url: str, is_hopeless: Callable[[], bool]) -> str:
    """Empty as soon as a query was answered; else, after START_S_MAX or where it is hopeless, why
    it was not."""
    import psycopg

    deadline = time.monotonic() + START_S_MAX  # noqa: TID251 - how long this thread waits
    while True:
        try:
            with closing(psycopg.connect(url, connect_timeout=CONNECT_S_MAX)) as asked:
                asked.execute("SELECT 1")
            return ""
        except psycopg.Error as error:
            words = str(error)
        if is_hopeless() or time.monotonic() >= deadline:  # noqa: TID251
            return words
        time.sleep(POLL_S)


def _set(name: str, value: str) -> tuple[str, str]:
    return "-c", f"{name}={value}"


def _other_user() -> str:
    """Who runs it where the lab is root. Raises `PostgresRefused`."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise PostgresRefused(
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as."
    )


def _free_port(random: Random) -> int:
    for _try in range(PORTS_TRIED_MAX):
        port = random.randrange(FIRST_PORT, LAST_PORT)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PostgresRefused(f"No free port was found between {FIRST_PORT} and {LAST_PORT}.")


def _children(pid: int) -> tuple[int, ...]:
    """The process's children, where the system tells them. Each of PostgreSQL's is a session of its
    own, so that the process group does not hold them together."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(stat)
        if len(fields) > 1 and fields[1] == str(pid):
            found.append(int(stat.parent.name))
    return tuple(found)


def _is_alive(pid: int) -> bool:
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return bool(fields) and fields[0] not in "ZX"


def _stat(path: Path) -> list[str]:
    """State, parent, and so on; empty where the process is gone. A name may hold spaces."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """In the child, after it has become another user, which would undo it. Its own children notice
    the death of the server by themselves."""
    if _libc is not None and _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        os._exit(127)
