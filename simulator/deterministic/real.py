"""What belongs to the machine and is refused in a simulation: file descriptors, processes, TLS.

Refusing is loud: the run ends with it, even where the code that asked would carry on.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, NoReturn

from simulator.deterministic.process import PROCESS


class NotSimulated(RuntimeError):
    """Simulated code asked for something real; the message names it, and who asked."""


def refuse(what: str) -> NoReturn:
    """Raises `NotSimulated`, naming who asked. The run ends with it even if that code goes on."""
    process = PROCESS.get()
    who = "the lab" if process is None else process.name
    error = NotSimulated(f"{who} asked for {what}, which a simulation cannot give")
    loop = asyncio._get_running_loop()
    if isinstance(loop, Sealed):
        loop.fail(error)
    raise error


class Sealed(asyncio.AbstractEventLoop, ABC):
    """An event loop without the part that reaches the machine."""

    @abstractmethod
    def fail(self, failure: BaseException) -> None:
        """Ends the run with this."""

    def run_forever(self) -> NoReturn:
        refuse("a run without an end (run_forever)")

    def set_task_factory(self, factory: object) -> None:
        if factory is not None:
            refuse("tasks of another kind (set_task_factory)")

    def add_reader(self, *_args: Any) -> NoReturn:  # type: ignore[override] # takes anything
        refuse("a real file descriptor (add_reader)")

    def add_writer(self, *_args: Any) -> NoReturn:  # type: ignore[override] # takes anything
        refuse("a real file descriptor (add_writer)")

    def remove_reader(self, *_args: Any) -> bool:
        """There was none."""
        return False

    def remove_writer(self, *_args: Any) -> bool:
        """There was none."""
        return False

    async def subprocess_exec(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a real process (subprocess_exec)")

    async def subprocess_shell(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a real process (subprocess_shell)")

    async def connect_read_pipe(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a real pipe (connect_read_pipe)")

    async def connect_write_pipe(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a real pipe (connect_write_pipe)")

    async def create_datagram_endpoint(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("datagrams (create_datagram_endpoint)")

    async def create_unix_connection(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a Unix socket (create_unix_connection)")

    async def create_unix_server(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a Unix socket (create_unix_server)")

    async def start_tls(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("TLS (start_tls)")

    async def sendfile(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a real file (sendfile)")

    async def getnameinfo(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a real name server (getnameinfo)")

    async def sock_accept(self, *_args: Any) -> NoReturn:
        refuse("a bare socket (sock_accept)")

    async def sock_recv(self, *_args: Any) -> NoReturn:
        refuse("a bare socket (sock_recv)")

    async def sock_recv_into(self, *_args: Any) -> NoReturn:
        refuse("a bare socket (sock_recv_into)")

    async def sock_recvfrom(self, *_args: Any) -> NoReturn:
        refuse("a bare socket (sock_recvfrom)")

    async def sock_recvfrom_into(self, *_args: Any) -> NoReturn:
        refuse("a bare socket (sock_recvfrom_into)")

    async def sock_sendall(self, *_args: Any) -> NoReturn:
        refuse("a bare socket (sock_sendall)")

    async def sock_sendto(self, *_args: Any) -> NoReturn:
        refuse("a bare socket (sock_sendto)")

    async def sock_sendfile(self, *_args: Any, **_named: Any) -> NoReturn:
        refuse("a real file (sock_sendfile)")
